#!/usr/bin/env bash
# Comments on a pull request, or replaces the comment of an earlier run: with the report of
# the scan and, if it fits (65,536 characters), the comparison with the posture.
set -euo pipefail

case $PULL_REQUEST in
'' | *[!0-9]*)
	echo "clawsonar: no pull request to comment on" >&2
	exit 2
	;;
esac

marker='<!-- clawsonar report -->'
body=$RUNNER_TEMP/clawsonar-comment.md
echo "$marker" >"$body"
said=
for report in "$REPORTS/report.md" "$REPORTS/verify.md"; do
	[ -s "$report" ] || continue
	if [ -n "$said" ] && [ "$(cat "$body" "$report" | wc -c)" -gt 65000 ]; then
		printf '\nThe comparison with the posture is in the summary of the job.\n' >>"$body"
		continue
	fi
	[ -z "$said" ] || echo >>"$body"
	cat "$report" >>"$body"
	said=true
done
if [ -z "$said" ]; then
	echo "clawsonar: there is no report to comment with" >&2
	exit 0 # the step that makes it has failed
fi

# Only what a robot or a member of the repository wrote is replaced: anybody can begin a
# comment so, and what stands in it then is theirs to change.
comments=repos/$GITHUB_REPOSITORY/issues/$PULL_REQUEST/comments
ours="(.user.type == \"Bot\" or (.author_association | IN(\"OWNER\", \"MEMBER\", \"COLLABORATOR\"))) and (.body | startswith(\"$marker\"))"
old=$(gh api --paginate "$comments" --jq ".[] | select($ours) | .id")
old=${old%%$'\n'*}
if [ -n "$old" ]; then
	gh api --silent --method PATCH "repos/$GITHUB_REPOSITORY/issues/comments/$old" --field "body=@$body"
else
	gh api --silent --method POST "$comments" --field "body=@$body"
fi
