# SPDX-License-Identifier: Apache-2.0
"""What the services have in common that a cloud can have beside its own: Swift and Zaqar."""

import contextlib
import importlib.util
import socket
import subprocess
import time
from typing import Callable

from keystoneauth1 import session
from keystoneauth1.identity import v3
from keystoneclient.v3 import client

from localheat.errors import LocalHeatError
from localheat.process import spawn_bound
from localheat.services import wsgi
from localheat.services.cloud import Cloud
from localheat.services.service import Service
from localheat.services.state import HOST, REGION, State

REQUIREMENTS = 'localheat/requirements-extra.txt'


def require(module: str) -> None:
    """Tell how to install what a service needs.

    :raises LocalHeatError: when it is not installed
    """
    if importlib.util.find_spec(module) is None:
        raise LocalHeatError(
            f'{module} is not installed.',
            f'pip install -r {REQUIREMENTS} -c localheat/constraints.txt',
        )


def add(
    cloud: Cloud,
    name: str,
    kind: str,
    ports: list[str],
    path: str,
    configure: Callable[[State], None],
    check: str,
    patience: float = 120,
) -> None:
    """Give a running cloud one more service, and wait until it answers.

    :param name: the service's name, of its module, and of the port that it is reached at
    :param kind: its type in the catalogue
    :param ports: names of further ports that it needs
    :param path: what its endpoints have behind the address
    :param configure: writes its configuration
    :param check: the path that answers when it is ready
    """
    state = cloud.state
    if name not in state.ports:
        state.ports.update(_free_ports([name, *ports]))
        configure(state)
        _publish(state, name, kind, path)
        state.save()
    service = Service(state, name, 'localheat.services.' + name, [state.url(name) + check])
    cloud.services[name] = service
    service.start(True)
    service.wait_ready(time.monotonic() + patience)


def _free_ports(names: list[str]) -> 'dict[str, int]':
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in names]
        for item in sockets:
            item.bind((HOST, 0))
        return {name: item.getsockname()[1] for name, item in zip(names, sockets)}


def _publish(state: State, name: str, kind: str, path: str) -> None:
    """Put a service into the catalogue: for programs on this machine, not for servers that boot.

    Heat tells servers the address at which itself reaches Swift, so the two could not differ.
    """
    url = state.url('keystone') + '/v3'
    auth = v3.Password(
        auth_url=url,
        username='admin',
        password=state.passwords['admin'],
        project_name='admin',
        user_domain_id='default',
        project_domain_id='default',
    )
    keystone = client.Client(session=session.Session(auth=auth), endpoint_override=url)
    entry = keystone.services.create(name, type=kind)
    for interface in ('public', 'internal'):
        keystone.endpoints.create(entry, state.url(name) + path, interface, REGION)


def auth_token(state: State) -> 'dict[str, str]':
    """The options of keystonemiddleware, by which a service checks tokens."""
    url = state.url('keystone') + '/v3'
    return {
        'auth_url': url,
        'www_authenticate_uri': url,
        'auth_type': 'password',
        'username': 'heat',
        'password': state.passwords['heat'],
        'user_domain_id': 'default',
        'project_domain_id': 'default',
        'project_name': 'service',
        'interface': 'internal',
    }


def run(commands: list[list[str]], package: str) -> None:
    """Run programs, which end with this process, until it is stopped."""
    processes: list[subprocess.Popen] = []
    try:
        processes += [spawn_bound(command, package) for command in commands]
        wsgi.until_stopped()
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait()
