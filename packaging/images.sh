#!/usr/bin/env bash
# Makes the images out of the archives in dist: on an empty base, for amd64 and arm64, for
# the user 65532, with the program of the archive, certificate authorities and a place for
# what is kept. Each is an OCI layout in dist/images; dist/IMAGES has their digests.
#
#	packaging/images.sh VERSION
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
version=$1
PATH=$PWD/.cache/release/bin:$PATH

work=$(mktemp -d)
registry=
cleanup() {
	[ -z "$registry" ] || kill "$registry"
	rm -rf "$work"
}
trap cleanup EXIT

# crane changes images in a registry only: one on loopback, for as long as this runs.
crane registry serve --address 127.0.0.1:0 2>"$work/log" &
registry=$!
for _ in $(seq 100); do
	at=$(sed -n 's/.*serving on port \([0-9]*\).*/127.0.0.1:\1/p' "$work/log")
	[ -z "$at" ] || break
	sleep 0.1
done
[ -n "$at" ] || {
	cat "$work/log" >&2
	exit 1
}

rm -rf dist/images
mkdir -p dist/images
for program in clawsonar clawsonar-hub; do
	manifests=()
	for arch in amd64 arm64; do
		root=$work/$program-$arch
		mkdir -p "$root/usr/bin" "$root/etc/ssl/certs" "$root/data"
		tar -xzf "dist/${program}_${version}_linux_$arch.tar.gz" -C "$root/usr/bin" "$program"
		cp .cache/release/files/ca-certificates.crt "$root/etc/ssl/certs/"
		chmod -R u=rwX,go=rX "$root"
		tar -C "$root" --format=ustar --sort=name --mtime="@$SOURCE_DATE_EPOCH" --numeric-owner --owner=0 --group=0 \
			--exclude=data -cf "$root.tar" usr etc
		tar -C "$root" --format=ustar --mtime="@$SOURCE_DATE_EPOCH" --numeric-owner --owner=65532 --group=65532 -rf "$root.tar" data
		crane append --oci-empty-base --new_layer "$root.tar" --new_tag "$at/$program:$arch" >/dev/null
		crane mutate "$at/$program:$arch" --set-platform "linux/$arch" --user 65532:65532 --workdir /data --entrypoint "/usr/bin/$program" \
			--label "org.opencontainers.image.version=$version" --label org.opencontainers.image.source=https://github.com/clawsonar/clawsonar \
			--label org.opencontainers.image.licenses=MIT --tag "$at/$program:$arch" >/dev/null
		manifests+=(--manifest "$at/$program:$arch")
	done
	crane index append "${manifests[@]}" --tag "$at/$program:$version" >/dev/null
	crane pull --format oci "$at/$program:$version" "dist/images/$program"
	echo "$(crane digest "$at/$program:$version")  $program"
done >"$work/IMAGES"
mv "$work/IMAGES" dist/IMAGES
