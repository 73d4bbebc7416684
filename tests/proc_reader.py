# SPDX-License-Identifier: Apache-2.0
"""Another user of the machine, who reads the command lines of all processes."""

import glob
import os
import pathlib
import signal
from types import TracebackType
from typing import Optional

NOBODY = 65534


class ProcReader:
    """A process of a user without rights that looks for words while a context lasts.

    :param root: a folder of the test's own.
    :param words: what nobody may see.
    """

    def __init__(self, root: pathlib.Path, *words: str) -> None:
        self._output = root / 'seen'
        self._words = [word.encode() for word in words]

    def __enter__(self) -> 'ProcReader':
        if os.geteuid():
            raise AssertionError('only root can become another user')
        output = os.open(self._output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        # Not another program: the tests' Python may lie where others cannot look.
        self._process = os.fork()
        if not self._process:
            try:
                self._look(output)
            finally:
                os._exit(1)
        os.close(output)
        while b'ready' not in self._output.read_bytes():
            if os.waitpid(self._process, os.WNOHANG)[0]:
                raise AssertionError('the reader of /proc has ended')
        return self

    def _look(self, output: int) -> None:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        os.write(output, b'ready\n')
        while True:
            for path in glob.glob('/proc/[0-9]*/cmdline') + glob.glob('/proc/[0-9]*/environ'):
                try:
                    with open(path, 'rb') as file:
                        text = file.read()
                except OSError:
                    continue
                if any(word in text for word in self._words):
                    os.write(output, repr(text).encode() + b'\n')

    def __exit__(
        self,
        kind: 'Optional[type[BaseException]]',
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        os.kill(self._process, signal.SIGKILL)
        os.waitpid(self._process, 0)

    def seen(self) -> 'list[str]':
        """What it found; call it after the context."""
        return self._output.read_text().splitlines()[1:]
