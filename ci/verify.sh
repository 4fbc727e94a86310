#!/usr/bin/env bash
# The posture step of the action: compares what is seen with what VERIFY, a posture file,
# declares. The gate's exit code becomes an output, so that the reports are uploaded
# before the build fails.
set -euo pipefail

reports=$RUNNER_TEMP/clawsonar-reports

code=0
"$RUNNER_TEMP/clawsonar-bin/clawsonar" verify \
	-o "jsonl=$reports/verify.jsonl" -o "sarif=$reports/verify.sarif" -o "markdown=$reports/verify.md" \
	-o "html=$reports/verify.html" -o "junit=$reports/verify-junit.xml" -- "$VERIFY" || code=$?
case $code in
0 | 3 | 4) ;;
*) exit "$code" ;; # nothing was compared, or not written: there is no report
esac

cat "$reports/verify.md" >>"$GITHUB_STEP_SUMMARY"
echo "exit-code=$code" >>"$GITHUB_OUTPUT"
