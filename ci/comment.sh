#!/usr/bin/env bash
# Comments on a pull request, or replaces the comment of an earlier run of this NAME: with the report of
# the scan and, as far as they fit (65,536 characters), the comparison with the posture and
# the inspection. A look that was wanted and has no result is named first: what an earlier
# run said is not left standing for it.
set -euo pipefail

case $PULL_REQUEST in
'' | *[!0-9]*)
	echo "clawsonar: no pull request to comment on" >&2
	exit 2
	;;
esac

marker="<!-- $NAME report -->"
body=$RUNNER_TEMP/clawsonar-comment.md
failed='' said=''
: >"$body"

# look NAME CODE WANTED REPORT takes what one of the looks has to say; without CODE it ended
# without a result.
look() {
	if [ -z "$2" ]; then
		[ -z "$3" ] || failed="$failed**The $1 failed: nothing is known from it.** See the log of the job."$'\n\n'
	elif [ -n "$said" ] && [ "$(cat "$body" "$4" | wc -c)" -gt 64000 ]; then
		printf '\nThe %s is in the summary of the job.\n' "$1" >>"$body"
	else
		[ -z "$said" ] || echo >>"$body"
		cat "$4" >>"$body"
		said=true
	fi
}
wanted=true
[ -z "${VERIFY_FILE:-}" ] || wanted=${TARGETS:-}${LIST:-}${COMPOSE_FILE:-}
look scan "${SCAN:-}" "$wanted" "$REPORTS/report.md"
look 'comparison with the posture' "${VERIFY:-}" "${VERIFY_FILE:-}" "$REPORTS/verify.md"
look inspection "${INSPECT:-}" "${INSPECT_PATH:-}" "$REPORTS/inspect.md"
printf '%s\n%s%s\n' "$marker" "$failed" "$(cat "$body")" >"$body.whole"
mv "$body.whole" "$body"

# Only what a robot or a member of the repository wrote is replaced: anybody can begin a
# comment so, and what stands in it then is theirs to change.
comments=repos/$GITHUB_REPOSITORY/issues/$PULL_REQUEST/comments
ours="(.user.type == \"Bot\" or (.author_association | IN(\"OWNER\", \"MEMBER\", \"COLLABORATOR\"))) and (.body | startswith(\"$marker\"))"
old=$(gh api --paginate "$comments" --jq ".[] | select($ours) | .id")
old=${old%%$'\n'*}
if [ -n "$old" ]; then
	gh api --silent --method PATCH "repos/$GITHUB_REPOSITORY/issues/comments/$old" --field "body=@$body"
elif [ -n "$said" ]; then
	gh api --silent --method POST "$comments" --field "body=@$body"
fi
