#!/bin/sh
# Downloads a released clawsonar, and unpacks it only if its SHA-256 is the listed one:
#
#   get.sh SUMS VERSION FOLDER
#
# SUMS is a file of lines as sha256sum writes them, VERSION a release that it lists, or
# empty for the one that it lists. FOLDER/clawsonar is the program, on Windows
# clawsonar.exe. GET_CLAWSONAR_FROM is where archives are instead of GitHub, such as a
# mirror: https://mirror.example.org/clawsonar, below which are v1.2.3/NAME.
#
# Exit codes: 0 done · 1 failed, with one line on stderr and nothing left behind · 10 there
# is nothing to download: the list is empty, it has no archive for this platform, or VERSION
# is "source". Who calls may build then, from the checkout that SUMS is of. A wrong sum, a
# missing file and a failed download are always 1.
set -eu

fail() {
	printf 'clawsonar: %s\n' "$(printf %s "$1" | LC_ALL=C tr -c '\040-\176' ' ')" >&2
	exit 1
}

if [ "$#" -ne 3 ]; then
	fail 'get.sh takes a list of sums, a version and a folder'
fi
sums=$1 version=${2#v} folder=$3
base=${GET_CLAWSONAR_FROM:-https://github.com/clawsonar/clawsonar/releases/download}

[ -r "$sums" ] || fail "$sums cannot be read"
if [ "$version" = source ]; then
	exit 10
fi

# What the list has: one release.
listed=$(sed -n 's/^[0-9a-f]\{64\} [ *]clawsonar_\([0-9A-Za-z.+-]*\)_[a-z0-9]*_[a-z0-9]*\.[a-z.]*$/\1/p' "$sums" | sort -u)
if grep -v -e '^#' -e '^[[:space:]]*$' "$sums" | grep -q -v '^[0-9a-f]\{64\} [ *]clawsonar_[0-9A-Za-z.+-]*_[a-z0-9]*_[a-z0-9]*\.[a-z.]*$'; then
	fail "$sums: a line is not the SHA-256 and the name of an archive of clawsonar"
fi
case $listed in
'')
	[ -z "$version" ] || fail "$sums lists no release, so not $version: leave the version out to build from source, or use a commit that has that release"
	exit 10
	;;
*'
'*) fail "$sums lists more than one release" ;;
esac
[ "${version:-$listed}" = "$listed" ] || fail "$sums lists $listed, not $version: use the commit of that release, which has its sums"
version=$listed

program=clawsonar ending=tar.gz
case $(uname -s) in
Linux) os=linux ;;
Darwin) os=darwin ;;
MINGW* | MSYS* | CYGWIN*) os=windows ending=zip program=clawsonar.exe ;;
*) exit 10 ;;
esac
case $(uname -m) in
x86_64 | amd64) arch=amd64 ;;
aarch64 | arm64) arch=arm64 ;;
*) exit 10 ;;
esac
name=clawsonar_${version}_${os}_${arch}.$ending
want=$(sed -n "s/^\([0-9a-f]\{64\}\) [ *]$(printf %s "$name" | sed 's/[.]/\\./g')\$/\1/p" "$sums")
case $want in
'') exit 10 ;;
*'
'*) fail "$sums lists $name twice" ;;
esac

sha256() {
	if command -v sha256sum >/dev/null; then
		sha256sum
	elif command -v shasum >/dev/null; then
		shasum -a 256
	elif command -v openssl >/dev/null; then
		openssl dgst -sha256 -r
	else
		echo none
	fi | sed 's/ .*//'
}

case $base in
https://*) protocols='=https' ;;
http://*) protocols='=http,https' ;; # a mirror of one's own: the sum decides
*) fail "GET_CLAWSONAR_FROM must begin with https:// or http://" ;;
esac
command -v curl >/dev/null || fail 'curl is missing'

made=
[ -d "$folder" ] || made=$folder
mkdir -p "$folder" 2>/dev/null || fail "$folder cannot be made"
part=$(mktemp -d "$folder/.get.XXXXXX" 2>/dev/null) || fail "nothing can be written in $folder"
trap 'rm -rf "$part"; [ -z "$made" ] || rmdir "$made" 2>/dev/null || :' EXIT
trap 'exit 1' HUP INT TERM

url=$base/v$version/$name
# GitHub answers with a redirect to another host. The limits are far above an archive and
# below what fills a disk.
said=$(curl --proto "$protocols" --fail --silent --show-error --location --max-redirs 5 \
	--connect-timeout 30 --max-time 600 --max-filesize 200000000 --retry 2 --retry-max-time 120 \
	--output "$part/archive" "$url" 2>&1) || fail "$url cannot be downloaded: $(printf '%s\n' "$said" | grep '^curl: (' | tail -n 1)"
[ -f "$part/archive" ] || fail "$url cannot be downloaded: nothing came"

have=$(sha256 <"$part/archive")
[ "$have" != none ] || fail 'sha256sum, shasum and openssl are missing: the download cannot be verified'
[ "$have" = "$want" ] || fail "$url has the SHA-256 $have, and $want is the listed one: do not use it"

# Nothing but the program is taken out of the archive, to a name of ours.
case $ending in
zip) unzip -p "$part/archive" "$program" >"$part/$program" 2>/dev/null || fail "$name cannot be unpacked" ;;
*) tar -xzOf "$part/archive" "$program" >"$part/$program" 2>/dev/null || fail "$name cannot be unpacked" ;;
esac
chmod 755 "$part/$program"
"$part/$program" version >/dev/null 2>&1 || fail "the program of $name does not run on this machine"
mv -f "$part/$program" "$folder/$program"
printf 'clawsonar %s, SHA-256 %s of %s as listed\n' "$version" "$have" "$name"
