# SPDX-License-Identifier: Apache-2.0
"""What identifies a cloud: its folder, ports, passwords and choices."""

import dataclasses
import json
import os
import secrets
import socket
from typing import Any

from localheat import files
from localheat.errors import LocalHeatError
from localheat.network import addresses

REGION = 'RegionOne'
HOST = '127.0.0.1'
# Services that listen on loopback alone are reached at this address by servers.
HOST_SEEN_BY_SERVERS = addresses.HOST
# users of the project "service"; placement's is also the one that Nova itself uses there
SERVICE_USERS = ('nova', 'placement', 'neutron', 'glance', 'cinder', 'heat', 'swift', 'zaqar')
USERS = (*SERVICE_USERS, 'admin', 'demo', 'heat_domain_admin')
PORTS = (
    'keystone',
    'placement',
    'nova',
    'neutron',
    'glance',
    'heat',
    'heat-cfn',
    'cinder',
    'swift',
    'swift-account',
    'swift-container',
    'swift-object',
    'zaqar',
    'redis',
)


@dataclasses.dataclass
class State:
    """What distinguishes one cloud from another.

    :param ports: of loopback, by name
    :param passwords: by user, and "encryption", Heat's key
    :param services: names of those that the cloud has beside the ones that each has
    :param kind: of machine that boots for a flavor whose name is not that of a kind
    :param number: decides its floating IPs, so that no two clouds have the same
    :param network: whether packets flow between servers
    :param servers_without_networks: whether a template's servers need not name their networks
    :param debug: whether the services' logs have more in them
    :param complete: whether the cloud has its databases, users and catalogue
    """

    directory: str
    ports: dict[str, int]
    passwords: dict[str, str]
    services: list[str] = dataclasses.field(default_factory=list)
    kind: str = 'qemu'
    number: int = 0
    network: bool = False
    servers_without_networks: bool = True
    debug: bool = False
    complete: bool = False

    @classmethod
    def new(cls, directory: str, **choices: Any) -> 'State':
        """Return a cloud's first state, with free ports and new passwords."""
        passwords = {name: secrets.token_hex(16) for name in (*USERS, 'encryption')}
        return cls(directory, free_ports(), passwords, **choices)

    @classmethod
    def load(cls, directory: str) -> 'State':
        """Read a cloud's state.

        :raises LocalHeatError: when the folder holds none
        """
        try:
            with open(os.path.join(directory, 'state.json')) as stream:
                return cls(directory=directory, **json.load(stream))
        except FileNotFoundError:
            raise LocalHeatError(
                f'{directory} holds no cloud.', 'Start one with: python -m localheat start'
            )
        except (ValueError, TypeError) as error:
            raise LocalHeatError(
                f'{directory}/state.json is damaged: {error}',
                'Remove the folder and start anew.',
            )

    def save(self) -> None:
        content = dataclasses.asdict(self)
        del content['directory']
        files.write(self.path('state.json'), json.dumps(content, indent=2) + '\n')

    def path(self, *names: str) -> str:
        return os.path.join(self.directory, *names)

    def url(self, service: str, host: str = HOST) -> str:
        """Return the root of a service's URLs, without a slash at the end."""
        return f'http://{host}:{self.ports[service]}'

    def sqlite(self, database: str) -> str:
        """Return the URL of a database for SQLAlchemy."""
        path = self.path('databases', database + '.sqlite')
        return f'sqlite:///{path}?timeout=60&check_same_thread=false'

    def environment(self, user: str = 'demo') -> dict[str, str]:
        """Return what OpenStack's clients on this machine need.

        :param user: "demo" or "admin", each with a project of its name
        """
        return {
            'OS_AUTH_TYPE': 'password',
            'OS_AUTH_URL': self.url('keystone') + '/v3',
            'OS_IDENTITY_API_VERSION': '3',
            'OS_USERNAME': user,
            'OS_PASSWORD': self.passwords[user],
            'OS_PROJECT_NAME': user,
            'OS_USER_DOMAIN_ID': 'default',
            'OS_PROJECT_DOMAIN_ID': 'default',
            'OS_REGION_NAME': REGION,
            # public URLs are the ones that servers use
            'OS_INTERFACE': 'internal',
            'OS_ENDPOINT_TYPE': 'internalURL',
        }


#: What keeps ports from being given to others until this process ends. Services can listen on them
#: all the same, for they set SO_REUSEADDR, too.
_reserved: list[socket.socket] = []


def free_ports() -> dict[str, int]:
    """Return a free port of loopback for each name."""
    ports = {}
    for name in PORTS:
        item = socket.socket()
        item.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        item.bind((HOST, 0))
        _reserved.append(item)
        ports[name] = item.getsockname()[1]
    return ports
