#!/usr/bin/env bash
# The last step of the action: fails if one of the three looks does, and if there was none.
# 3 is findings, 4 is that not everything could be judged.
set -euo pipefail

result=
for code in "${SCAN:-}" "${VERIFY:-}" "${INSPECT:-}"; do
	case $code in
	'') ;;
	0) result=${result:-0} ;;
	3) result=3 ;;
	4) [ "$result" = 3 ] || result=4 ;;
	*)
		echo "clawsonar: a step ended with $code" >&2
		exit 1
		;;
	esac
done
if [ -z "$result" ]; then
	echo "clawsonar: nothing was looked at" >&2
	exit 1
fi
exit "$result"
