#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2154 # the variables are the deployment's inputs
set -eu
echo "Writing /tmp/$target"
echo "$greeting" > "/tmp/$target"
printf '%s in /tmp/%s of %s at %s' \
    "$(cat "/tmp/$target")" "$target" "$deploy_server_id" "$deploy_action" \
    > "$heat_outputs_path.result"
# What pip has installed besides the distribution's packages.
find /opt/stack/venvs/heat-agent/lib -name '*.dist-info' -prune -printf '%f\n' \
    > "$heat_outputs_path.packages" || true
echo 'This is stderr' >&2
