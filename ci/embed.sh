#!/bin/sh
# Writes ci/get.sh and ci/sums.txt into the GitLab component, which has no other way to
# files of its own commit. "make release-sums" runs it; a test holds that it was run.
#
#   embed.sh [ROOT]
set -eu
cd "${1:-$(dirname "$0")/..}"
part=$(mktemp templates/.scan.XXXXXX)
trap 'rm -f "$part"' EXIT
awk '
	function put(file,   line) {
		while ((getline line <file) > 0) print (line == "" ? "" : "      " line)
		close(file)
	}
	/^      END-OF-(GET|SUMS)$/ { skip = 0 }
	!skip { print }
	/<<.END-OF-GET.$/ { put("ci/get.sh"); skip = 1 }
	/<<.END-OF-SUMS.$/ { put("ci/sums.txt"); skip = 1 }
' templates/scan.yml >"$part"
chmod 644 "$part"
mv "$part" templates/scan.yml
trap - EXIT
