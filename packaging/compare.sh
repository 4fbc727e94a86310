#!/usr/bin/env bash
# Fails unless the archives of clawsonar in dist are those of ci/sums.txt, all and no
# others, and flake.nix and the GitLab component say the same: the action, the component and
# the flake of this commit install what is published, or nothing is published.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

component=$(sha256sum templates/scan.yml)
ci/embed.sh
if [ "$(sha256sum templates/scan.yml)" != "$component" ] ||
	! diff <(grep -v '^#' ci/sums.txt) <(grep '  clawsonar_.*\(tar\.gz\|zip\)$' dist/SHA256SUMS) ||
	! diff flake.nix dist/flake.nix; then
	echo "what is built is not what the commit says: run \"make release-sums\", commit, and tag that" >&2
	exit 1
fi
