# SPDX-License-Identifier: Apache-2.0
"""Swift with one replica, for containers, POLL_TEMP_URL and TEMP_URL_SIGNAL."""

import os
import subprocess
import sys

from localheat import process
from localheat.services.config import SWIFT_STORES
from localheat.services.state import HOST, State


def serve(state: State) -> None:
    """Run a cloud's Swift from now on; its programs end with this process."""
    folder = state.path('etc/swift')
    for store in SWIFT_STORES:
        builder = os.path.join(folder, store + '.builder')
        if not os.path.exists(builder):
            _make_ring(builder, f'r1z1-{HOST}:{state.ports["swift-" + store]}/one')
    for name in (*SWIFT_STORES, 'proxy'):
        config = os.path.join(folder, name + '.conf')
        process.spawn_bound([*_program(f'swift-{name}-server'), config], 'swift')


def _make_ring(builder: str, device: str) -> None:
    for arguments in (['create', '4', '1', '0'], ['add', device, '1'], ['rebalance']):
        subprocess.run(
            [*_program('swift-ring-builder'), builder, *arguments],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )


def _program(name: str) -> list[str]:
    return [sys.executable, process.installed(name)]
