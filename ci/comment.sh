#!/usr/bin/env bash
# Comments on a pull request, or replaces the comment of an earlier run.
set -euo pipefail

case $PULL_REQUEST in
'' | *[!0-9]*)
	echo "clawsonar: no pull request to comment on" >&2
	exit 2
	;;
esac

marker='<!-- clawsonar report -->'
body=$RUNNER_TEMP/clawsonar-comment.md
{
	echo "$marker"
	cat "$REPORTS/report.md"
} >"$body"

comments=repos/$GITHUB_REPOSITORY/issues/$PULL_REQUEST/comments
old=$(gh api --paginate "$comments" --jq ".[] | select(.body | startswith(\"$marker\")) | .id" | head -n 1)
if [ -n "$old" ]; then
	gh api --silent --method PATCH "repos/$GITHUB_REPOSITORY/issues/comments/$old" --field "body=@$body"
else
	gh api --silent --method POST "$comments" --field "body=@$body"
fi
