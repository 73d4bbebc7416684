# SPDX-License-Identifier: Apache-2.0
"""What this "cloud" adds to every server, by vendor data: the agent's output on the console.

A server whose stack waits is asked by its console, for there is no other way in. A user's own
bootcmd takes the place of this one. Where the agent is installed later, systemd is not asked to
read its units here: that takes an emulated server seconds.
"""

import json
from typing import Any

_UNIT = '/run/systemd/system/os-collect-config.service.d'
_COMMAND = (
    f'mkdir -p {_UNIT}; '
    f'printf "[Service]\\nStandardOutput=journal+console\\n" > {_UNIT}/console.conf; '
    'if systemctl --quiet is-enabled os-collect-config.service 2>/dev/null; '
    'then systemctl daemon-reload; fi'
)


def document() -> dict[str, Any]:
    """Return vendor_data.json, from which cloud-init reads the key "cloud-init"."""
    # JSON is YAML
    config = {'bootcmd': [['sh', '-c', _COMMAND]]}
    return {'cloud-init': '#cloud-config\n' + json.dumps(config)}
