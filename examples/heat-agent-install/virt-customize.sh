#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The agent in an image that is there, by libguestfs; the image must have python3 and be able to
# reach its package repositories.
#
# Usage: virt-customize.sh IMAGE [HOOK,...]
set -eu -o pipefail

if [ $# -lt 1 ]; then
    sed -n 's/^# Usage: /usage: /p' "$0" >&2
    exit 2
fi
here=$(dirname "$(readlink -f "$0")")
virt-customize --add "$1" \
    --upload "$here/heat-agent-install:/var/tmp/heat-agent-install" \
    --run-command "python3 /var/tmp/heat-agent-install --hooks '${2:-}'" \
    --delete /var/tmp/heat-agent-install
