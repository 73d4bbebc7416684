#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The deployment of first_boot.yaml.

Tells what is there, and leaves something for the next one to tell; has cloud-init check configs,
and forget that the server has booted before.
"""

import json
import os
import re
import shutil
import subprocess

GREETING = os.environ['greeting']
CONFIGURATION = '/etc/os-collect-config.conf'

with open(os.environ['heat_outputs_path'] + '.answer', 'w') as answer:
    answer.write(GREETING)
print('agent:', os.path.realpath(shutil.which('os-collect-config')))
print('hooks:', *sorted(os.listdir('/var/lib/heat-config/hooks')))
with open('/srv/greetings', 'a+') as greetings, open(CONFIGURATION, 'r+') as configuration:
    greetings.seek(0)
    # A section that the agent does not know stays where it rewrites the file.
    print(
        f"before: {greetings.read().splitlines()}, in the agent's configuration:",
        *re.findall('^greeting = (.*)$', configuration.read(), re.MULTILINE),
    )
    greetings.write(GREETING + '\n')
    configuration.write(f'[test]\ngreeting = {GREETING}\n')
if os.environ['forget'].lower() == 'true':
    subprocess.check_call(['cloud-init', 'clean'])
for name, text in json.loads(os.environ['cloud_configs']).items():
    path = f'/tmp/{name}'
    with open(path, 'w') as config:
        config.write(text)
    print(name, flush=True)
    subprocess.check_call(['cloud-init', 'schema', '--config-file', path])
