# SPDX-License-Identifier: Apache-2.0
"""Swift with one replica, for POLL_TEMP_URL and TEMP_URL_SIGNAL.

``add(cloud)`` gives it to a cloud; ``python -m localheat.services.swift DIRECTORY`` runs it.
"""

import os
import pwd
import subprocess
import sys

from localheat import files
from localheat.services import extra
from localheat.services.cloud import Cloud
from localheat.services.config import ini
from localheat.services.state import HOST, State

STORES = ('account', 'container', 'object')


def add(cloud: Cloud) -> None:
    """Give a running cloud a Swift.

    :raises LocalHeatError: when it is not installed or does not come up
    """
    extra.require('swift')
    extra.add(
        cloud,
        'swift',
        'object-store',
        ['swift-' + store for store in STORES],
        '/v1/AUTH_%(tenant_id)s',
        configure,
        '/healthcheck',
    )


def configure(state: State) -> None:
    """Write the configuration, and make the rings of one device."""
    folder = state.path('swift')
    os.makedirs(os.path.join(folder, 'devices', 'one'), mode=0o700, exist_ok=True)
    files.write(
        os.path.join(folder, 'swift.conf'),
        ini(
            {
                'swift-hash': {'swift_hash_path_prefix': 'local', 'swift_hash_path_suffix': 'heat'},
                'storage-policy:0': {'name': 'one', 'default': 'yes'},
            }
        ),
    )
    for store in STORES:
        port = state.ports['swift-' + store]
        files.write(
            os.path.join(folder, store + '.conf'),
            ini(
                {
                    'DEFAULT': _common(folder, port),
                    'pipeline:main': {'pipeline': store + '-server'},
                    f'app:{store}-server': {'use': 'egg:swift#' + store},
                }
            ),
        )
        builder = os.path.join(folder, store + '.builder')
        for command in (
            ['create', '4', '1', '0'],
            ['add', f'r1z1-{HOST}:{port}/one', '1'],
            ['rebalance'],
        ):
            subprocess.run(
                _program('swift-ring-builder', builder, *command),
                check=True,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
    files.write(
        os.path.join(folder, 'proxy.conf'),
        ini(
            {
                'DEFAULT': _common(folder, state.ports['swift']),
                'pipeline:main': {
                    'pipeline': 'catch_errors healthcheck tempurl authtoken keystoneauth '
                    'proxy-server'
                },
                'app:proxy-server': {'use': 'egg:swift#proxy', 'account_autocreate': 'true'},
                'filter:catch_errors': {'use': 'egg:swift#catch_errors'},
                'filter:healthcheck': {'use': 'egg:swift#healthcheck'},
                'filter:tempurl': {'use': 'egg:swift#tempurl'},
                'filter:keystoneauth': {
                    'use': 'egg:swift#keystoneauth',
                    'operator_roles': 'admin,member,heat_stack_user',
                },
                'filter:authtoken': dict(
                    extra.auth_token(state),
                    delay_auth_decision='true',
                    **{'paste.filter_factory': 'keystonemiddleware.auth_token:filter_factory'},
                ),
            }
        ),
    )


def _common(folder: str, port: int) -> 'dict[str, object]':
    return {
        'bind_ip': HOST,
        'bind_port': port,
        'swift_dir': folder,
        'workers': 0,
        'devices': os.path.join(folder, 'devices'),
        'mount_check': 'false',
        'recon_cache_path': folder,
        'log_address': os.path.join(folder, 'no-syslog'),
        'user': pwd.getpwuid(os.getuid()).pw_name,
    }


def _program(name: str, *args: str) -> 'list[str]':
    return [sys.executable, os.path.join(os.path.dirname(sys.executable), name), *args]


def main(directory: str) -> None:
    """Run a cloud's Swift until it is stopped."""
    folder = State.load(directory).path('swift')
    extra.run(
        [
            _program(f'swift-{name}-server', os.path.join(folder, name + '.conf'))
            for name in (*STORES, 'proxy')
        ],
        'swift',
    )


if __name__ == '__main__':
    main(sys.argv[1])
