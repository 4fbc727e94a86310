#!/usr/bin/env bash
# The scan step of the action: TARGETS (one a line) and LIST (a file) say what to
# scan, ARGS (one a line) are more arguments; the flags come from the environment as
# CLAWSONAR_... . The gate's exit code becomes an output, so that the reports are
# uploaded before the build fails.
set -euo pipefail

reports=$RUNNER_TEMP/clawsonar-reports

lists=()
[ -z "${LIST:-}" ] || lists+=(-list "$LIST")
given=$reports/targets.txt
printf '%s\n' "${TARGETS:-}" >"$given"
if grep -q '[^[:space:]]' "$given"; then
	lists+=(-list "$given")
elif [ -n "${LIST:-}" ]; then
	rm "$given"
elif [ -n "${COMPOSE_FILE:-}" ]; then
	echo 127.0.0.1:18789 >"$given"
	lists+=(-list "$given")
elif [ -n "${VERIFY:-}" ]; then
	rm "$given"
	exit 0 # the posture says what to look at
else
	echo "clawsonar: there is nothing to scan: set targets, list, compose-file or verify" >&2
	exit 2
fi

args=()
while IFS= read -r arg; do
	[ -z "$arg" ] || args+=("$arg")
done <<<"${ARGS:-}"

# A gateway takes up to 80 s to answer after it was started.
case ${WAIT:-180s} in
0 | 0s) ;;
*) export CLAWSONAR_WAIT=${WAIT:-180s} ;;
esac
export CLAWSONAR_EXPECT=${CLAWSONAR_EXPECT:-1}

# An empty array counts as unset in the bash of macOS.
code=0
"$RUNNER_TEMP/clawsonar-bin/clawsonar" scan "${lists[@]}" \
	-o "jsonl=$reports/scan.jsonl" -o "sarif=$reports/report.sarif" -o "markdown=$reports/report.md" \
	-o "html=$reports/report.html" -o "junit=$reports/junit.xml" ${args[@]+"${args[@]}"} || code=$?
case $code in
0 | 3 | 4) ;;
*) exit "$code" ;; # nothing was scanned, or not written: there is no report
esac

cat "$reports/report.md" >>"$GITHUB_STEP_SUMMARY"
echo "exit-code=$code" >>"$GITHUB_OUTPUT"
