#!/bin/sh
# After installation nothing is started; what runs already is of the new version.
set -e
[ -z "${DPKG_ROOT:-}" ] && [ -d /run/systemd/system ] || exit 0
systemctl daemon-reload
systemctl try-restart 'clawsonar-hub.service' 'clawsonar-hub-worker@*.service'
