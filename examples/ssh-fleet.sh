#!/bin/sh
# One scan by several machines, over SSH: one shard a host.
#
#   ssh-fleet.sh HOSTS TARGETS NAME [FLAG ...]
#
# HOSTS    a file of SSH destinations, one a line, with # comments; each has clawsonar in
#          the PATH of its non-interactive shells
# TARGETS  a list for "clawsonar scan -list", the same for all
# NAME     of this scan: the results are in the folder NAME here, and in clawsonar/NAME on
#          the hosts
# FLAG     of "clawsonar scan"; -rl 100 is 100 connections a second for each host
#
# When this script or its connection ends, the scans stop. The same command again goes
# on where they were; a host that is lost can be replaced in its line of HOSTS. Another
# NAME is another scan.
#
# Exit codes are those of "clawsonar report -fail-on-incomplete": 0 complete, 4 if a shard
# is missing or anything was not looked at, 2 for a usage error. CLAWSONAR_... variables
# set flags of that report, such as CLAWSONAR_FAIL_ON or CLAWSONAR_OUTPUT.
set -euf

usage() {
	printf 'ssh-fleet: %s\n' "$1" >&2
	exit 2
}

[ $# -ge 3 ] || usage 'give HOSTS TARGETS NAME [FLAG ...]'
list=$1 targets=$2 name=$3
shift 3
command -v clawsonar >/dev/null || usage 'clawsonar is not in the PATH'
[ -r "$list" ] || usage "$list cannot be read"
[ -r "$targets" ] || usage "$targets cannot be read"
case $name in
'' | [.-]* | *[!A-Za-z0-9._-]*) usage "$name: a name has letters, digits, dots and dashes" ;;
esac
hosts=$(sed 's/#.*//; s/^[[:space:]]*//; s/[[:space:]]*$//; /^$/d' "$list")
[ -n "$hosts" ] || usage "$list names no host"
case $hosts in
*[[:blank:]]*) usage "$list: one host a line" ;;
esac
twice=$(printf '%s\n' "$hosts" | sort | uniq -d)
[ -z "$twice" ] || usage "$list names a host twice: $twice"
total=$(printf '%s\n' "$hosts" | wc -l | tr -d ' ')

# quoted prints a word as a shell reads it back, whatever is in it.
quoted() {
	printf '%s\n' "$1" | sed "s/'/'\\\\''/g; 1s/^/'/; \$s/\$/'/"
}

# on runs a script on a host, with the arguments after it. No agent, display or port is
# forwarded; a dead line is noticed.
on() {
	host=$1 line="exec sh -c $(quoted "$2") ssh-fleet"
	shift 2
	for word; do line="$line $(quoted "$word")"; done
	exec ssh -a -x -T -o BatchMode=yes -o ClearAllForwardings=yes -o ServerAliveInterval=15 -- "$host" "$line"
}

# What the hosts are told; $1 is the name of the scan.
put='umask 077; mkdir -p "clawsonar/$1" && cat >"clawsonar/$1/targets.new" && mv "clawsonar/$1/targets.new" "clawsonar/$1/targets"'
get='exec cat "clawsonar/$1/scan.jsonl"'
# The scan is stopped when nobody is at the other end any more.
scan='cd "clawsonar/$1" || exit 1
shift
exec 3<&0
clawsonar scan "$@" </dev/null >/dev/null 3<&- &
scan=$!
{ cat <&3; kill "$scan"; } >/dev/null 2>&1 &
guard=$!
code=0
wait "$scan" || code=$?
kill "$guard" 2>/dev/null
exit "$code"'

umask 077
mkdir -p "$name"
# The other end of the hosts' stdin: it is open as long as this script runs.
rm -f "$name/.alive"
mkfifo "$name/.alive"
exec 3<>"$name/.alive" 4<"$name/.alive"
rm -f "$name/.alive"

k=0 running=
for host in $hosts; do
	k=$((k + 1))
	(
		exec 2>"$name/$k.log" 3>&-
		(on "$host" "$put" "$name" 4<&-) <"$targets"
		on "$host" "$scan" "$name" -list targets -shard "$k/$total" -journal journal -o jsonl=scan.jsonl "$@" <&4 4<&-
	) &
	running="$running $!"
done

k=0
for host in $hosts; do
	k=$((k + 1))
	# shellcheck disable=SC2086 # process ids
	set -- $running
	running=${running# "$1"}
	code=0
	wait "$1" || code=$?
	[ "$code" = 0 ] || printf 'ssh-fleet: %s: shard %s ended with %s, see %s\n' "$host" "$k/$total" "$code" "$name/$k.log" >&2
	# Whatever happened, what it has is part of the whole, and says itself how much of it.
	if (on "$host" "$get" "$name") </dev/null >"$name/$k.part" 2>>"$name/$k.log" && [ -s "$name/$k.part" ]; then
		mv "$name/$k.part" "$name/$k.jsonl"
	else
		rm -f "$name/$k.part"
		printf 'ssh-fleet: %s: no results of shard %s\n' "$host" "$k/$total" >&2
	fi
done

if [ -z "$(find "$name" -name '*.jsonl')" ]; then
	echo 'ssh-fleet: there are no results at all' >&2
	exit 4
fi
exec clawsonar report "$name" -fail-on-incomplete
