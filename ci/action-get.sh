#!/usr/bin/env bash
# Gets the program of the action: downloads and verifies it, or says that it has to be
# built. A download that fails or is not the listed one is never replaced by a build.
set -euo pipefail
here=$(dirname "${BASH_SOURCE[0]}")

code=0
"$here/get.sh" "$here/sums.txt" "${VERSION:-}" "$RUNNER_TEMP/clawsonar-bin" || code=$?
case $code in
0) ;;
10) echo "build=true" >>"$GITHUB_OUTPUT" ;;
*) exit "$code" ;;
esac
