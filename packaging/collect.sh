#!/usr/bin/env bash
# Puts what a release publishes into dist/release: assets with SHA256SUMS over all of them,
# the images and their digests, notes, and what is taken to other package managers by hand.
#
#	packaging/collect.sh VERSION
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
version=$1

rm -rf dist/release
mkdir -p dist/release/assets
while read -r _ name; do
	cp "dist/$name" dist/release/assets/
done <dist/SHA256SUMS
cp dist/SHA256SUMS dist/release/assets/
tar --format=ustar --sort=name --mtime="@$SOURCE_DATE_EPOCH" --mode=u=rwX,go=rX --numeric-owner --owner=0 --group=0 \
	-C dist -cf dist/release/images.tar images
cp -r dist/IMAGES dist/flake.nix dist/homebrew dist/scoop dist/winget dist/release/
# goreleaser takes the day on which it runs.
find dist/release/winget -name '*.installer.yaml' -exec sed -i "s/^ReleaseDate: .*/ReleaseDate: \"${SOURCE_DATE%T*}\"/" {} +
awk -v heading="## [$version] " '/^## / { on = index($0, heading) == 1; next } on' CHANGELOG.md >dist/release/NOTES.md
