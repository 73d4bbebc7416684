# SPDX-License-Identifier: Apache-2.0
"""The databases and keys of a cloud: made once, then copied."""

import base64
import concurrent.futures
import contextlib
import ipaddress
import os
import secrets
import shutil
import sqlite3
import subprocess
import sys
import uuid

from localheat import files, process
from localheat.errors import LocalHeatError
from localheat.network import addresses
from localheat.services import sqlite
from localheat.services.state import HOST, HOST_SEEN_BY_SERVERS, PORTS, REGION, State

NAMES = (
    'keystone',
    'placement',
    'nova_api',
    'nova_cell0',
    'nova_cell1',
    'neutron',
    'glance',
    'cinder',
    'heat',
    'zaqar',
)
KEYS = ('fernet-keys', 'credential-keys')
# where Neutron has addresses of a new cloud
_ADDRESSES = (
    ('subnets', 'cidr'),
    ('subnets', 'gateway_ip'),
    ('ipallocationpools', 'first_ip'),
    ('ipallocationpools', 'last_ip'),
    ('ipallocations', 'ip_address'),
    ('ipamallocationpools', 'first_ip'),
    ('ipamallocationpools', 'last_ip'),
    ('ipamallocations', 'ip_address'),
)
# the compute node's identity, which has to be the one that Nova's database knows
COMPUTE_ID = 'nova/compute_id'

# Neutron's migrations are not written for SQLite; its models make the same tables
_NEUTRON = """\
import sys
from neutron.db.migration.models import head
from sqlalchemy import create_engine
head.get_metadata().create_all(create_engine(sys.argv[1]))
"""
_ZAQAR = """\
import sys
from zaqar.storage.sqlalchemy import tables
from sqlalchemy import create_engine
tables.metadata.create_all(create_engine(sys.argv[1]))
"""


def make(state: State) -> None:
    """Make the databases and keys of a cloud whose configuration has been written.

    :raises LocalHeatError: when a service's own program fails; with the end of its output
    """
    for name in KEYS:
        _make_keys(state.path(name))
    files.write(state.path(COMPUTE_ID), str(uuid.uuid4()))
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        runs = [pool.submit(_run_all, state, commands) for commands in _programs(state)]
    for run in runs:
        run.result()
    sqlite.never_reuse_ids(_path(state.directory, 'heat'))


def copy(source: State, target: State) -> None:
    """Copy what ``make`` has made, and what has been filled in, to another cloud.

    :param source: a cloud whose services do not run
    :param target: one whose configuration has been written
    """
    for name in KEYS:
        shutil.copytree(source.path(name), target.path(name))
    shutil.copy(source.path(COMPUTE_ID), target.path(COMPUTE_ID))
    for name in NAMES:
        if not os.path.exists(_path(source.directory, name)):
            continue
        with _open(source, name) as old, _open(target, name) as new:
            # a plain copy would miss what still is in the write-ahead log
            old.backup(new)
    with _open(target, 'keystone') as database, database:
        for name in PORTS:
            for host in (HOST, HOST_SEEN_BY_SERVERS):
                # ports have five digits, so none is the beginning of another
                database.execute(
                    'UPDATE endpoint SET url = replace(url, ?, ?)',
                    (source.url(name, host), target.url(name, host)),
                )
    with _open(target, 'neutron') as database, database:
        _move(database, addresses.public(source.number), addresses.public(target.number))
    # Nova's cells name their databases
    with _open(target, 'nova_api') as database, database:
        for cell in ('cell0', 'cell1'):
            database.execute(
                'UPDATE cell_mappings SET database_connection = ? WHERE name = ?',
                (target.sqlite('nova_' + cell), cell),
            )


def _move(
    database: sqlite3.Connection, old: ipaddress.IPv4Network, new: ipaddress.IPv4Network
) -> None:
    """Change the floating IPs that a cloud has."""
    distance = int(new[0]) - int(old[0])
    for table, column in _ADDRESSES:
        rows = database.execute(f'SELECT DISTINCT {column} FROM {table}').fetchall()
        for (value,) in rows:
            address, slash, length = str(value).partition('/')
            if value and ':' not in address and ipaddress.ip_address(address) in old:
                moved = str(ipaddress.ip_address(address) + distance) + slash + length
                database.execute(
                    f'UPDATE {table} SET {column} = ? WHERE {column} = ?', (moved, value)
                )


def _path(directory: str, name: str) -> str:
    return os.path.join(directory, 'databases', name + '.sqlite')


def _open(state: State, name: str) -> 'contextlib.closing[sqlite3.Connection]':
    return contextlib.closing(sqlite3.connect(_path(state.directory, name)))


def _make_keys(directory: str) -> None:
    """Make a key repository: key 1 signs, key 0 is the next one."""
    os.mkdir(directory, 0o700)
    for name in ('0', '1'):
        with open(os.path.join(directory, name), 'wb') as stream:
            stream.write(base64.urlsafe_b64encode(secrets.token_bytes(32)))


def _programs(state: State) -> list[list[list[str]]]:
    """Return for each service the commands that make its tables, one after another."""

    def command(program: str, config: str, *arguments: str) -> list[str]:
        return [
            process.installed(program),
            '--config-file',
            state.path('etc', config),
            *arguments,
        ]

    def nova(*arguments: str) -> list[str]:
        return command('nova-manage', 'nova.conf', *arguments)

    # Neither URL ends in /v3: Heat adds what it needs.
    internal = state.url('keystone') + '/'
    public = state.url('keystone', HOST_SEEN_BY_SERVERS) + '/'
    programs = [
        [
            nova('api_db', 'sync'),
            nova('cell_v2', 'map_cell0', '--database_connection', state.sqlite('nova_cell0')),
            nova('db', 'sync'),
            nova(
                'cell_v2',
                'create_cell',
                '--name',
                'cell1',
                '--transport-url',
                'fake://',
                '--database_connection',
                state.sqlite('nova_cell1'),
            ),
        ],
        [
            command('keystone-manage', 'keystone.conf', 'db_sync'),
            command(
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
        ],
        [command('heat-manage', 'heat.conf', 'db_sync')],
        [command('placement-manage', 'placement.conf', 'db', 'sync')],
        [['-c', _NEUTRON, state.sqlite('neutron')]],
        [command('glance-manage', 'glance-api.conf', 'db', 'sync')],
        [command('cinder-manage', 'cinder.conf', 'db', 'sync')],
    ]
    if os.path.exists(process.installed('zaqar-server')):
        programs.append([['-c', _ZAQAR, state.sqlite('zaqar')]])
    return programs


def _run_all(state: State, commands: list[list[str]]) -> None:
    for command in commands:
        done = subprocess.run(
            [sys.executable, *command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        with open(state.path('setup.log'), 'a') as log:
            log.write(done.stdout)
        if done.returncode:
            said = '\n'.join(done.stdout.splitlines()[-20:])
            raise LocalHeatError(
                f'{" ".join(command)} failed with exit code {done.returncode}:\n{said}'
            )
