# SPDX-License-Identifier: Apache-2.0
"""Commands to a running QEMU; see QEMU's QMP specification."""

import json
import os
import select
import subprocess
import threading
import time
from typing import Any

from localheat.errors import LocalHeatError

OPTIONS = ['-chardev', 'stdio,id=control,signal=off', '-mon', 'chardev=control,mode=control']


class Control:
    """The control of a QEMU that was started with OPTIONS and pipes.

    :param timeout: seconds that a command may take
    """

    def __init__(self, process: subprocess.Popen, timeout: float = 30):
        self._process = process
        self._timeout = timeout
        self._received = b''
        self._lock = threading.Lock()
        self._ready = False

    def execute(self, command: str) -> None:
        """Have QEMU carry out a command.

        :raises LocalHeatError: when it refuses or does not answer
        """
        with self._lock:
            try:
                if not self._ready:
                    self._call('qmp_capabilities')
                    self._ready = True
                self._call(command)
            except (OSError, ValueError) as error:
                raise LocalHeatError(f'QEMU does not answer: {error}')

    def _call(self, command: str) -> None:
        self._process.stdin.write(json.dumps({'execute': command}).encode() + b'\n')
        self._process.stdin.flush()
        limit = time.monotonic() + self._timeout
        while True:
            # the greeting and events come between
            message = self._receive(limit)
            if 'error' in message:
                raise LocalHeatError(
                    'QEMU refused {}: {}'.format(command, message['error']['desc'])
                )
            if 'return' in message:
                return

    def _receive(self, limit: float) -> dict[str, Any]:
        descriptor = self._process.stdout.fileno()
        while b'\n' not in self._received:
            if not select.select([descriptor], [], [], max(0, limit - time.monotonic()))[0]:
                raise OSError('timed out')
            chunk = os.read(descriptor, 65536)
            if not chunk:
                raise OSError('it has ended')
            self._received += chunk
        line, self._received = self._received.split(b'\n', 1)
        return json.loads(line)
