# SPDX-License-Identifier: Apache-2.0
"""A new cloud's databases, keys, users and catalogue."""

import base64
import contextlib
import dataclasses
import importlib.metadata
import os
import secrets
import shutil
import sqlite3
import subprocess
import sys

from localheat import files
from localheat.errors import LocalHeatError
from localheat.services import sqlite
from localheat.services.state import HOST, HOST_SEEN_BY_SERVERS, REGION, State

DATABASES = ('keystone.sqlite', 'heat.sqlite')
KEYS = ('fernet-keys', 'credential-keys')


def versions() -> list[str]:
    """Return names and versions of the services that are installed.

    :raises LocalHeatError: when one is not
    """
    try:
        return [
            f'{name}-{importlib.metadata.version(name)}' for name in ('keystone', 'openstack-heat')
        ]
    except importlib.metadata.PackageNotFoundError as error:
        raise LocalHeatError(
            f'{error.name} is not installed for {sys.executable}.',
            'pip install -r localheat/requirements.txt -c localheat/constraints.txt',
        )


def make_databases(state: State) -> None:
    """Make the databases and keys of a cloud whose configuration has been written."""
    for name in KEYS:
        _make_keys(state.path(name))
    heat = _start(state, 'heat-manage', 'heat.conf', 'db_sync')
    try:
        _wait(state, _start(state, 'keystone-manage', 'keystone.conf', 'db_sync'))
        # Neither URL ends in /v3: Heat adds what it needs.
        internal = state.url('keystone') + '/'
        public = state.url('keystone', HOST_SEEN_BY_SERVERS) + '/'
        _wait(
            state,
            _start(
                state,
                'keystone-manage',
                'keystone.conf',
                'bootstrap',
                '--bootstrap-password',
                state.passwords['admin'],
                '--bootstrap-region-id',
                REGION,
                '--bootstrap-public-url',
                public,
                '--bootstrap-internal-url',
                internal,
                '--bootstrap-admin-url',
                internal,
            ),
        )
    finally:
        _wait(state, heat)
    sqlite.never_reuse_ids(state.path('heat.sqlite'))


def _make_keys(directory: str) -> None:
    """Make a key repository: key 1 signs, key 0 is the next one."""
    os.mkdir(directory, 0o700)
    for name in ('0', '1'):
        with open(os.path.join(directory, name), 'wb') as stream:
            stream.write(base64.urlsafe_b64encode(secrets.token_bytes(32)))


def _start(state: State, program: str, config: str, *args: str) -> subprocess.Popen:
    command = [os.path.join(os.path.dirname(sys.executable), program)]
    command += ['--config-file', state.path(config), *args]
    with open(state.path('setup.log'), 'ab') as log:
        return subprocess.Popen(
            [sys.executable] + command, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )


def _wait(state: State, process: subprocess.Popen) -> None:
    if process.wait():
        command = ' '.join(map(str, process.args[1:]))
        raise LocalHeatError(
            f'{command} failed with exit code {process.returncode}:\n'
            + files.tail(state.path('setup.log'))
        )


def populate(state: State) -> None:
    """Make users, roles and catalogue, in a Keystone that runs.

    Servers use the public endpoints, everybody on this machine the internal ones.
    """
    from keystoneauth1 import session
    from keystoneauth1.identity import v3
    from keystoneclient.v3 import client

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
    roles = {role.name: role for role in keystone.roles.list()}
    keystone.roles.create('heat_stack_user')

    service = keystone.projects.create('service', 'default')
    heat = keystone.users.create('heat', domain='default', password=state.passwords['heat'])
    for role in ('admin', 'service'):
        keystone.roles.grant(roles[role], user=heat, project=service)

    demo_project = keystone.projects.create('demo', 'default')
    demo = keystone.users.create('demo', domain='default', password=state.passwords['demo'])
    keystone.roles.grant(roles['member'], user=demo, project=demo_project)

    domain = keystone.domains.create('heat')
    domain_admin = keystone.users.create(
        'heat_domain_admin', domain=domain, password=state.passwords['heat_domain_admin']
    )
    keystone.roles.grant(roles['admin'], user=domain_admin, domain=domain)

    for name, kind, server, path in (
        ('heat', 'orchestration', 'heat', '/v1/%(tenant_id)s'),
        ('heat-cfn', 'cloudformation', 'heat-cfn', '/v1'),
        ('nova', 'compute', 'compute', '/compute/v2.1'),
        ('neutron', 'network', 'compute', '/network'),
        ('glance', 'image', 'compute', '/image'),
        ('cinder', 'volumev3', 'compute', '/volume/v3/%(tenant_id)s'),
    ):
        entry = keystone.services.create(name, type=kind)
        for interface, host in (('public', HOST_SEEN_BY_SERVERS), ('internal', HOST)):
            keystone.endpoints.create(entry, state.url(server, host) + path, interface, REGION)


class Cache:
    """What a new cloud needs, made once for each version of Keystone and Heat.

    :param directory: where caches are kept, for instance ~/.cache/localheat
    """

    def __init__(self, directory: str):
        self.directory = os.path.join(directory, '_'.join(versions()))

    def fill(self, state: State) -> None:
        """Keep a complete new cloud, unless another process has been quicker."""
        os.makedirs(os.path.dirname(self.directory), mode=0o700, exist_ok=True)
        draft = f'{self.directory}.{os.getpid()}'
        os.mkdir(draft, 0o700)
        try:
            _copy(state.directory, draft)
            dataclasses.replace(state, directory=draft).save()
            os.rename(draft, self.directory)
        except OSError:
            if not os.path.isdir(self.directory):
                raise
        finally:
            shutil.rmtree(draft, ignore_errors=True)

    def load(self, state: State) -> bool:
        """Complete a new cloud from the cache; False when there is nothing in it."""
        if not os.path.isdir(self.directory):
            return False
        cached = State.load(self.directory)
        _copy(self.directory, state.directory)
        state.passwords = cached.passwords
        with _open(state.directory, 'keystone.sqlite') as database, database:
            for name, port in cached.ports.items():
                for host in (HOST, HOST_SEEN_BY_SERVERS):
                    database.execute(
                        'UPDATE endpoint SET url = replace(url, ?, ?)',
                        (f'{host}:{port}/', f'{host}:{state.ports[name]}/'),
                    )
        return True


def _copy(source: str, target: str) -> None:
    for name in DATABASES:
        with _open(source, name) as old, _open(target, name) as new:
            # a plain copy would miss what still is in the write-ahead log
            old.backup(new)
    for name in KEYS:
        shutil.copytree(os.path.join(source, name), os.path.join(target, name))


def _open(directory: str, name: str) -> 'contextlib.closing[sqlite3.Connection]':
    return contextlib.closing(sqlite3.connect(os.path.join(directory, name)))
