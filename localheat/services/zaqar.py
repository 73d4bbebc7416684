# SPDX-License-Identifier: Apache-2.0
"""Zaqar on Redis, for ZAQAR_MESSAGE and ZAQAR_SIGNAL.

Zaqar's other store without a server, Swift, gives messages a field that python-zaqarclient 4.7, by
which Heat reads them, does not expect.
"""

import sys

from localheat import process
from localheat.services.state import HOST, State


def serve(state: State) -> None:
    """Run a cloud's Zaqar from now on; its programs end with this process."""
    redis = ['redis-server', '--bind', HOST, '--port', str(state.ports['redis'])]
    process.spawn_bound([*redis, '--dir', state.path('redis'), '--save', ''], 'redis-server')
    zaqar = [sys.executable, process.installed('zaqar-server')]
    process.spawn_bound([*zaqar, '--config-file', state.path('etc/zaqar.conf')], 'zaqar')
