#!/usr/bin/env bash
# The inspection step of the action: INSPECT_PATH (one a line) says which directories and
# files of the repository to read, before anything is started. The gate's exit code
# becomes an output, so that the scan still runs.
set -euo pipefail

reports=$RUNNER_TEMP/clawsonar-reports

paths=()
while IFS= read -r path; do
	[ -z "$path" ] || paths+=("$path")
done <<<"$INSPECT_PATH"
if [ "${#paths[@]}" -eq 0 ]; then
	echo "clawsonar: inspect-path names nothing" >&2
	exit 2
fi

# How many gateways there must be is about the scan.
code=0
CLAWSONAR_EXPECT='' "$RUNNER_TEMP/clawsonar-bin/clawsonar" inspect \
	-o "jsonl=$reports/inspect.jsonl" -o "sarif=$reports/inspect.sarif" -o "markdown=$reports/inspect.md" \
	-o "html=$reports/inspect.html" -o "junit=$reports/inspect-junit.xml" -- "${paths[@]}" || code=$?
case $code in
0 | 3 | 4) ;;
*) exit "$code" ;; # nothing was read, or not written: there is no report
esac

cat "$reports/inspect.md" >>"$GITHUB_STEP_SUMMARY"
echo "exit-code=$code" >>"$GITHUB_OUTPUT"
