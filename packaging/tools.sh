#!/usr/bin/env bash
# Installs the pinned tools of a release into .cache/release/bin, those that are missing or
# of another version: what is there already needs no network.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

bin=$PWD/.cache/release/bin
mkdir -p "$bin"
while read -r package version module; do
	tool=$bin/$(basename "${package%/v[0-9]*}")
	if ! go version -m "$tool" 2>/dev/null | grep -qF "	mod	$module	$version	"; then
		GOBIN=$bin GOOS='' GOARCH='' go install -trimpath "$package@$version"
	fi
done <<'END'
github.com/goreleaser/goreleaser/v2 v2.15.1 github.com/goreleaser/goreleaser/v2
github.com/google/go-containerregistry/cmd/crane v0.22.1 github.com/google/go-containerregistry
github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod v1.10.0 github.com/CycloneDX/cyclonedx-gomod
END
