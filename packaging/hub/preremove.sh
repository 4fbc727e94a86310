#!/bin/sh
# Before removal, which dpkg calls "remove" and rpm 0, what runs is stopped. The history
# in /var/lib/clawsonar-hub stays.
set -e
[ -z "${DPKG_ROOT:-}" ] && [ -d /run/systemd/system ] || exit 0
case ${1:-} in
remove | 0)
	systemctl stop 'clawsonar-hub.service' 'clawsonar-hub-worker@*.service'
	systemctl disable clawsonar-hub.service clawsonar-hub-worker@.service
	;;
esac
