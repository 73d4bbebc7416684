#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Inputs are variables; so are deploy_server_id, deploy_action and others that Heat adds.
# shellcheck disable=SC2154
set -eu

echo "Writing to /tmp/$bar"
echo "$foo" > "/tmp/$bar"
printf 'The file /tmp/%s contains %s for server %s during %s' \
    "$bar" "$(cat "/tmp/$bar")" "$deploy_server_id" "$deploy_action" \
    > "$heat_outputs_path.result"
echo "Written to /tmp/$bar"
echo 'Output to stderr' >&2
