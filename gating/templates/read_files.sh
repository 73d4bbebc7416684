#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154 # the variables are the deployment's inputs
set -eu
printf '%s in %s of %s at %s' "$(cat /tmp/heat-scenario-cfn-init)" /tmp/heat-scenario-cfn-init \
    "$deploy_server_id" "$deploy_action" > "$heat_outputs_path.result"
