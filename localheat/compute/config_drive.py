# SPDX-License-Identifier: Apache-2.0
"""The config drive: what a server can know about itself, laid out as Nova does.

See https://docs.openstack.org/nova/latest/user/metadata.html
"""

import base64
import dataclasses
import json
import os
import random
import shutil
import tempfile
from typing import Any, Optional

from localheat import process
from localheat.errors import LocalHeatError
from localheat.servers.network import METADATA, NOBODY

# each version, and what came with it; a version has all that the earlier ones have
VERSIONS = (
    ('2012-08-10', ()),
    ('2013-04-04', ()),
    ('2013-10-17', ('vendor_data',)),
    ('2015-10-15', ('network_data',)),
    ('2016-06-30', ()),
    ('2016-10-06', ('vendor_data2',)),
    ('2017-02-22', ()),
    ('2018-08-27', ()),
    ('2020-10-14', ()),
    ('latest', ()),
)
EC2_VERSIONS = ('2009-04-04', 'latest')


@dataclasses.dataclass
class Instance:
    """What a config drive tells about its server.

    :param keys: public keys of SSH, by name
    :param user_data: None where there is none
    """

    id: str
    name: str
    project: str
    address: str
    mac: str
    network: str
    mtu: int = 1500
    metadata: dict[str, str] = dataclasses.field(default_factory=dict)
    keys: dict[str, str] = dataclasses.field(default_factory=dict)
    admin_password: str = ''
    user_data: Optional[bytes] = None
    vendor_data: dict[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def hostname(self) -> str:
        """The name as a host's name: lower case, and hyphens for what may not be in one."""
        letters = [char if char.isascii() and char.isalnum() else '-' for char in self.name]
        return ''.join(letters).lower().strip('-')[:63] or 'server-' + self.id


def contents(instance: Instance) -> dict[str, bytes]:
    """Return the drive's files: contents by path."""
    documents = {
        'meta_data': _meta_data(instance),
        'network_data': _network_data(instance),
        'vendor_data': instance.vendor_data,
        'vendor_data2': {},
    }
    encoded = {name: json.dumps(document).encode() for name, document in documents.items()}
    result = {}
    names = ['meta_data']
    for version, additions in VERSIONS:
        names.extend(additions)
        folder = f'openstack/{version}/'
        result.update({folder + name + '.json': encoded[name] for name in names})
        if instance.user_data is not None:
            result[folder + 'user_data'] = instance.user_data
    ec2 = json.dumps(_ec2_meta_data(instance)).encode()
    for version in EC2_VERSIONS:
        result[f'ec2/{version}/meta-data.json'] = ec2
        if instance.user_data is not None:
            result[f'ec2/{version}/user-data'] = instance.user_data
    return result


def _meta_data(instance: Instance) -> dict[str, Any]:
    seed = bytes(random.randrange(256) for _ in range(512))
    document = {
        'uuid': instance.id,
        'hostname': instance.hostname,
        'name': instance.name,
        'launch_index': 0,
        'availability_zone': 'nova',
        'project_id': instance.project,
        'random_seed': base64.b64encode(seed).decode(),
        'devices': [],
        'dedicated_cpus': [],
        'admin_pass': instance.admin_password,
    }
    if instance.metadata:
        document['meta'] = instance.metadata
    if instance.keys:
        document['public_keys'] = instance.keys
        document['keys'] = [
            {'name': name, 'type': 'ssh', 'data': key} for name, key in instance.keys.items()
        ]
    return document


def _network_data(instance: Instance) -> dict[str, Any]:
    # Without this route, a request to the metadata service would end at the metadata service of
    # the machine that runs all this, where that is a cloud server itself.
    route = {'network': METADATA, 'netmask': '255.255.255.255', 'gateway': NOBODY}
    return {
        'links': [
            {
                'id': 'tap0',
                'vif_id': 'tap0',
                'type': 'ovs',
                'mtu': instance.mtu,
                'ethernet_mac_address': instance.mac,
            }
        ],
        'networks': [
            {
                'id': 'network0',
                'type': 'ipv4_dhcp',
                'link': 'tap0',
                'network_id': instance.network,
                'routes': [route],
            }
        ],
        'services': [],
    }


def _ec2_meta_data(instance: Instance) -> dict[str, Any]:
    return {
        'ami-id': 'ami-00000001',
        'ami-launch-index': 0,
        'ami-manifest-path': 'FIXME',
        'block-device-mapping': {'ami': 'vda', 'root': '/dev/vda'},
        'hostname': instance.hostname,
        'instance-action': 'none',
        'instance-id': 'i-' + instance.id[:8],
        'instance-type': 'm1.small',
        'local-hostname': instance.hostname,
        'local-ipv4': instance.address,
        'placement': {'availability-zone': 'nova'},
        'public-hostname': instance.hostname,
        'public-ipv4': '',
        'reservation-id': 'r-' + instance.id[:8],
        'security-groups': ['default'],
        'public-keys': {
            str(number): {'_name': f'{number}={name}', 'openssh-key': key}
            for number, (name, key) in enumerate(instance.keys.items())
        },
    }


def write(instance: Instance, path: str) -> None:
    """Write the drive, an ISO 9660 file system with the label config-2.

    :raises LocalHeatError: when no program can make one
    """
    maker = next((name for name in ('genisoimage', 'mkisofs') if shutil.which(name)), None)
    if maker is None:
        raise LocalHeatError('genisoimage is not installed.', 'Install the package genisoimage.')
    with tempfile.TemporaryDirectory() as folder:
        for name, content in contents(instance).items():
            target = os.path.join(folder, name)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            with open(target, 'wb') as stream:
                stream.write(content)
        process.run(
            [
                maker,
                '-o',
                path,
                '-ldots',
                '-allow-lowercase',
                '-allow-multidot',
                '-l',
                '-publisher',
                'localheat',
                '-quiet',
                '-J',
                '-r',
                '-V',
                'config-2',
                folder,
            ],
            'genisoimage',
        )
    os.chmod(path, 0o600)
