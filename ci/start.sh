#!/usr/bin/env bash
# The first step of the action: where reports go, and whether anything can be written to
# the repository. A pull request from a fork, or of Dependabot, has a token that may only
# read: what needs more is left out, said once, and the gate decides as ever.
set -euo pipefail

case $NAME in
'' | *[!A-Za-z0-9.-]*)
	echo "clawsonar: the input name takes letters, digits, dots and hyphens" >&2
	exit 2
	;;
esac

reports=$RUNNER_TEMP/clawsonar-reports
rm -rf "$reports" # of an earlier run of the action in this job
mkdir -p "$reports"

writes=true from=
if [ "${GITHUB_EVENT_NAME:-}" = pull_request ]; then
	if [ "${HEAD_REPOSITORY:-}" != "$GITHUB_REPOSITORY" ]; then
		writes=false from="comes from a fork"
	elif [ "${GITHUB_ACTOR:-}" = "dependabot[bot]" ]; then
		writes=false from="is one of Dependabot"
	fi
fi

left=()
[ "${UPLOAD_SARIF:-}" != true ] || left+=("nothing is uploaded to code scanning")
[ "${COMMENT:-}" != true ] || left+=("no comment is made")
if [ "$writes" = false ] && [ "${#left[@]}" -gt 0 ]; then
	what=${left[0]}
	[ "${#left[@]}" -eq 1 ] || what="$what and ${left[1]}"
	echo "::notice title=clawsonar::This pull request $from, so its token may only read: $what. The findings are in the summary of the job and in its artifact, and decide all the same whether it passes."
fi

{
	echo "reports=$reports"
	echo "writes=$writes"
} >>"$GITHUB_OUTPUT"
