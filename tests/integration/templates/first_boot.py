#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The deployment of first_boot.yaml: tells what is there, and has cloud-init check configs."""
import json
import os
import shutil
import subprocess

with open(os.environ['heat_outputs_path'] + '.answer', 'w') as answer:
    answer.write(os.environ['greeting'])
print('agent:', os.path.realpath(shutil.which('os-collect-config')))
print('hooks:', *sorted(os.listdir('/var/lib/heat-config/hooks')))
for name, text in json.loads(os.environ['cloud_configs']).items():
    path = f'/tmp/{name}'
    with open(path, 'w') as config:
        config.write(text)
    print(name, flush=True)
    subprocess.check_call(['cloud-init', 'schema', '--config-file', path])
