# SPDX-License-Identifier: Apache-2.0
"""Processes that are found again by their PID, and that never outlive their owner unnoticed."""

import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Optional

from localheat.errors import LocalHeatError

# The kernel tells a child of its parent's death when the thread that started it ends, so that
# thread must live as long as this process does.
_spawner = ThreadPoolExecutor(max_workers=1, thread_name_prefix='spawner')


def find(program: str) -> Optional[str]:
    """Return a program's path, None when it is not installed."""
    # administrators' programs are not on every user's PATH
    return shutil.which(program, path=os.environ.get('PATH', '') + ':/usr/sbin:/sbin')


def require(program: str, package: str) -> str:
    """Return a program's path.

    :param package: what provides it
    :raises LocalHeatError: when it is not installed
    """
    path = find(program)
    if path is None:
        raise LocalHeatError(f'{program} is not installed.', f'The package {package} provides it.')
    return path


def installed(name: str) -> str:
    """Return the path of a program that a Python package has installed beside this Python."""
    return os.path.join(os.path.dirname(sys.executable), name)


def run(command: list[str], package: str, given: str = '') -> str:
    """Run a program and return its output.

    :param package: what provides the program
    :param given: its input
    :raises LocalHeatError: when it is not installed or fails
    """
    done = subprocess.run(
        [require(command[0], package)] + command[1:],
        input=given,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise LocalHeatError('{} failed: {}'.format(' '.join(command), done.stderr.strip()))
    return done.stdout


def spawn_bound(command: list[str], package: str, **options: Any) -> 'subprocess.Popen[Any]':
    """Start a process that the kernel kills when this one dies, however it dies.

    :param package: what provides the program
    :param options: for subprocess.Popen; without "stdin" the process has none
    """
    argv = [require('setpriv', 'util-linux'), '--pdeathsig', 'KILL', '--']
    argv += [require(command[0], package)] + command[1:]
    options.setdefault('stdin', subprocess.DEVNULL)
    return _spawner.submit(
        lambda: subprocess.Popen(argv, start_new_session=True, **options)
    ).result()


def start_time(pid: int) -> Optional[str]:
    """Return when a living process started, in the kernel's ticks, or None if it is dead.

    Together with the PID it names one process for ever.
    """
    try:
        with open(f'/proc/{pid}/stat') as stream:
            # the name in parentheses can hold blanks
            fields = stream.read().rpartition(')')[2].split()
    except OSError:
        return None
    return None if fields[0] in 'ZX' else fields[19]


class PidFile:
    """The PID of a process that was started by another run of this program."""

    def __init__(self, path: str):
        self.path = path

    def write(self, pid: int) -> None:
        with open(self.path, 'w') as stream:
            stream.write(f'{pid} {start_time(pid)}\n')

    def pid(self) -> Optional[int]:
        """Return the PID if that very process still runs."""
        try:
            with open(self.path) as stream:
                pid, started = stream.read().split()
        except (OSError, ValueError):
            return None
        return int(pid) if start_time(int(pid)) == started else None

    def end(self, patience: float) -> None:
        """End the process: politely, and after so many seconds without asking."""
        for number, wait in ((signal.SIGTERM, patience), (signal.SIGKILL, 10.0)):
            pid = self.pid()
            if pid is None:
                break
            os.kill(pid, number)
            limit = time.monotonic() + wait
            while self.pid() and time.monotonic() < limit:
                time.sleep(0.05)
        if os.path.exists(self.path):
            os.unlink(self.path)
