#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Inputs and outputs are the script hook's: variables and $heat_outputs_path.<name>.
# shellcheck disable=SC2154
set -eu
report() {
    python3 -c '
import sys, urllib.request
urllib.request.urlopen(sys.argv[1], data=sys.argv[2].encode(), timeout=60)' "$report_url" "$1"
}
report "$deploy_resource_name, after $HEAT_CONFIG_REBOOTS reboots"
case $deploy_resource_name,$HEAT_CONFIG_REBOOTS in
    rebooting,0) heat-config-reboot ;;
    rebooting,*)
        systemctl restart os-collect-config.service
        printf 'rebooted %s time, restarted the agent' "$HEAT_CONFIG_REBOOTS" \
            > "$heat_outputs_path.answer"
        ;;
    *) sleep 3600 ;;
esac
