#!/usr/bin/env bash
# Fails unless the archives of clawsonar in dist are those of ci/sums.txt, all and no
# others, and flake.nix, the GitLab component and the skill say the same: what this commit
# installs is what is published, or nothing is published.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

pinned() { sha256sum templates/scan.yml skills/clawsonar/SKILL.md; }

before=$(pinned)
ci/embed.sh
go run ./internal/tools/skill
if [ "$(pinned)" != "$before" ] ||
	! diff <(grep -v '^#' ci/sums.txt) <(grep '  clawsonar_.*\(tar\.gz\|zip\)$' dist/SHA256SUMS) ||
	! diff flake.nix dist/flake.nix; then
	echo "what is built is not what the commit says: run \"make release-sums\", commit, and tag that" >&2
	exit 1
fi
