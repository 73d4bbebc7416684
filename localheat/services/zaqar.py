# SPDX-License-Identifier: Apache-2.0
"""Zaqar on Redis, for ZAQAR_MESSAGE and ZAQAR_SIGNAL.

``add(cloud)`` gives it to a cloud; ``python -m localheat.services.zaqar DIRECTORY`` runs it.

Zaqar's other store without a server, Swift, gives messages a field that python-zaqarclient 4.7, by
which Heat reads them, does not expect.
"""

import os
import sys

from localheat import files
from localheat.process import require
from localheat.services import extra
from localheat.services.cloud import Cloud
from localheat.services.config import ini
from localheat.services.state import HOST, State


def add(cloud: Cloud) -> None:
    """Give a running cloud a Zaqar.

    :raises LocalHeatError: when it is not installed or does not come up
    """
    extra.require('zaqar')
    require('redis-server', 'redis-server')
    extra.add(cloud, 'zaqar', 'messaging', ['redis'], '', configure, '/v2/ping')


def configure(state: State) -> None:
    """Write the configuration, and make the database."""
    import sqlalchemy
    from zaqar.storage.sqlalchemy import tables

    database = 'sqlite:///' + state.path('zaqar.sqlite')
    os.mkdir(state.path('redis'), 0o700)
    files.write(state.path('zaqar-policy.yaml'), '{}\n')
    files.write(
        state.path('zaqar.conf'),
        ini(
            {
                'DEFAULT': {'auth_strategy': 'keystone', 'unreliable': True},
                'drivers': {
                    'transport': 'wsgi',
                    'message_store': 'redis',
                    'management_store': 'sqlalchemy',
                },
                'drivers:transport:wsgi': {'bind': HOST, 'port': state.ports['zaqar']},
                'drivers:management_store:sqlalchemy': {'uri': database},
                'drivers:message_store:redis': {'uri': f'redis://{HOST}:{state.ports["redis"]}'},
                'keystone_authtoken': extra.auth_token(state),
                'oslo_policy': {'policy_file': state.path('zaqar-policy.yaml')},
                # Heat has it sign a URL for each queue
                'signed_url': {'secret_key': state.passwords['encryption']},
            }
        ),
    )
    # its migrations are not for SQLite
    tables.metadata.create_all(sqlalchemy.create_engine(database))


def main(directory: str) -> None:
    """Run a cloud's Zaqar until it is stopped."""
    state = State.load(directory)
    zaqar = os.path.join(os.path.dirname(sys.executable), 'zaqar-server')
    extra.run(
        [
            [
                'redis-server',
                '--bind',
                HOST,
                '--port',
                str(state.ports['redis']),
                '--dir',
                state.path('redis'),
                '--save',
                '',
            ],
            [sys.executable, zaqar, '--config-file', state.path('zaqar.conf')],
        ],
        'redis-server',
    )


if __name__ == '__main__':
    main(sys.argv[1])
