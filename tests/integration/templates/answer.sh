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
echo "$deploy_action on $(hostname)"
echo "a warning" >&2
printf '%s, %s' "$greeting" "$deploy_action" > "$heat_outputs_path.answer"
report "$deploy_resource_name $deploy_action"
