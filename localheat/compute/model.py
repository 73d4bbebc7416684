# SPDX-License-Identifier: Apache-2.0
"""A server, as the stand-in remembers it."""

import base64
import dataclasses
import time
from typing import Any, Optional

# what Nova's vm_state and power_state are in each status
_VM_STATES = {
    'BUILD': ('building', 0),
    'REBUILD': ('rebuilding', 1),
    'REBOOT': ('active', 1),
    'HARD_REBOOT': ('active', 1),
    'ACTIVE': ('active', 1),
    'PAUSED': ('paused', 3),
    'SUSPENDED': ('suspended', 4),
    'SHUTOFF': ('stopped', 4),
    'RESIZE': ('resized', 1),
    'VERIFY_RESIZE': ('resized', 1),
    'ERROR': ('error', 0),
}


def now() -> str:
    return time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())


@dataclasses.dataclass
class Server:
    """What a project asked for, and what has become of it.

    :param user_data: base64, as Nova gets it; empty when there is none
    :param task: what is being done to it, None when nothing is
    :param fault: why it is in ERROR
    """

    id: str
    name: str
    project: str
    flavor: str
    image: str
    kind: str
    user_data: str = ''
    metadata: dict[str, str] = dataclasses.field(default_factory=dict)
    key_name: Optional[str] = None
    admin_password: str = ''
    tags: list[str] = dataclasses.field(default_factory=list)
    status: str = 'BUILD'
    task: Optional[str] = None
    fault: Optional[dict[str, Any]] = None
    old_flavor: Optional[str] = None
    created: str = dataclasses.field(default_factory=now)
    updated: str = dataclasses.field(default_factory=now)

    @property
    def raw_user_data(self) -> bytes:
        return base64.b64decode(self.user_data)

    def become(self, status: str, task: Optional[str] = None) -> None:
        self.status = status
        self.task = task
        self.updated = now()

    def show(self, flavor: dict[str, Any], addresses: dict[str, Any]) -> dict[str, Any]:
        """Return the server as Nova's API shows it."""
        vm_state, power_state = _VM_STATES[self.status]
        shown = {
            'id': self.id,
            'name': self.name,
            'status': self.status,
            'tenant_id': self.project,
            'user_id': '',
            'metadata': self.metadata,
            'tags': self.tags,
            'key_name': self.key_name,
            'image': {'id': self.image},
            'flavor': {
                'id': flavor['id'],
                'original_name': flavor['name'],
                'vcpus': flavor['vcpus'],
                'ram': flavor['ram'],
                'disk': flavor['disk'],
            },
            'addresses': addresses,
            'accessIPv4': '',
            'accessIPv6': '',
            'hostId': 'localhost',
            'config_drive': 'True',
            'security_groups': [{'name': 'default'}],
            'created': self.created,
            'updated': self.updated,
            'links': [],
            'OS-DCF:diskConfig': 'MANUAL',
            'OS-EXT-STS:task_state': self.task,
            'OS-EXT-STS:vm_state': vm_state,
            'OS-EXT-STS:power_state': power_state,
            'OS-EXT-SRV-ATTR:instance_name': 'instance-' + self.id[:8],
            'OS-EXT-AZ:availability_zone': 'nova',
        }
        if self.fault:
            shown['fault'] = self.fault
        return shown
