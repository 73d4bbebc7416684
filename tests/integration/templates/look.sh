#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Tells, as outputs, what hooks without outputs of their own have made of the server.
# shellcheck disable=SC2154,SC2016
set -eu
python3 -c 'import json; print(json.load(open("/srv/json-file"))["greeting"], end="")' \
    > "$heat_outputs_path.json_file"
cat /srv/apply-config > "$heat_outputs_path.apply_config"
podman exec web sh -c 'printf %s "$GREETING"' > "$heat_outputs_path.podman"
docker exec web sh -c 'printf %s "$GREETING"' > "$heat_outputs_path.docker_cmd"
docker exec composed-web-1 sh -c 'printf %s "$GREETING"' > "$heat_outputs_path.docker_compose"
