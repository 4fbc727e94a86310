#!/usr/bin/env bash
# Builds clawsonar from the checkout that this script is in.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
go build -trimpath -o "$RUNNER_TEMP/clawsonar-bin/clawsonar" ./cmd/clawsonar
