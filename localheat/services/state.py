# SPDX-License-Identifier: Apache-2.0
"""What identifies a cloud: its folder, ports and passwords."""

import dataclasses
import json
import os
import secrets
import socket

from localheat import files
from localheat.errors import LocalHeatError
from localheat.servers.network import GATEWAY

REGION = 'RegionOne'
HOST = '127.0.0.1'
# Services that listen on loopback alone are reached at this address by servers and nobody else.
HOST_SEEN_BY_SERVERS = GATEWAY
SERVICES = ('keystone', 'heat', 'heat-cfn', 'compute')


@dataclasses.dataclass
class State:
    """A cloud's ports, by service, and its passwords, by user.

    :param complete: whether the cloud has its databases, users and catalogue
    """

    directory: str
    ports: dict[str, int]
    passwords: dict[str, str]
    complete: bool = False

    @classmethod
    def new(cls, directory: str) -> 'State':
        users = ('admin', 'heat', 'heat_domain_admin', 'demo', 'encryption')
        return cls(directory, free_ports(), {user: secrets.token_hex(16) for user in users})

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

    def path(self, name: str) -> str:
        return os.path.join(self.directory, name)

    def url(self, service: str, host: str = HOST) -> str:
        """Return the root of a service's URLs, without a slash at the end."""
        return f'http://{host}:{self.ports[service]}'

    def environment(self) -> dict[str, str]:
        """Return what OpenStack's clients on this machine need to work as the user "demo"."""
        return {
            'OS_AUTH_TYPE': 'password',
            'OS_AUTH_URL': self.url('keystone') + '/v3',
            'OS_IDENTITY_API_VERSION': '3',
            'OS_USERNAME': 'demo',
            'OS_PASSWORD': self.passwords['demo'],
            'OS_PROJECT_NAME': 'demo',
            'OS_USER_DOMAIN_ID': 'default',
            'OS_PROJECT_DOMAIN_ID': 'default',
            'OS_REGION_NAME': REGION,
            # public URLs are the ones that servers use
            'OS_INTERFACE': 'internal',
            'OS_ENDPOINT_TYPE': 'internalURL',
        }


def free_ports() -> dict[str, int]:
    """Return a free port of loopback for each service."""
    sockets = [socket.socket() for _ in SERVICES]
    try:
        for item in sockets:
            item.bind((HOST, 0))
        return {name: item.getsockname()[1] for name, item in zip(SERVICES, sockets)}
    finally:
        for item in sockets:
            item.close()
