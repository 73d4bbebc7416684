# SPDX-License-Identifier: Apache-2.0
"""A control group for what a hook starts, so that none of it can hide.

Processes leave their process group, session and environment behind with
setsid, sudo or ``env -i``; their control group they keep.  Where a server has
no control groups of version 2 that can be written, there is none, and what the
caller knows of its processes otherwise must do.
"""

import os
import signal
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Iterator

# Version 2 by itself; and beside version 1.
MOUNTS = ('/sys/fs/cgroup', '/sys/fs/cgroup/unified')
PREFIX = 'heat-config-'


class ControlGroup:
    """A control group.

    :param path: its folder.
    """

    def __init__(self, path: str) -> None:
        self.path = path

    @classmethod
    def create(cls, name: str) -> 'ControlGroup | None':
        """Make one within this process's own, or return None where that cannot be.

        :param name: the deployment's, as a file can be named.
        """
        try:
            with open('/proc/self/cgroup') as file:
                own = [line[3:].strip() for line in file if line.startswith('0::')]
            for mount in MOUNTS:
                folder = mount + own[0].rstrip('/')
                if os.path.exists(os.path.join(folder, 'cgroup.procs')):
                    path = os.path.join(folder, PREFIX + name)
                    os.makedirs(path, exist_ok=True)
                    return cls(path)
        except (OSError, IndexError):
            pass
        return None

    def enter(self) -> None:
        """Move this process, and all that it will start, into it."""
        try:
            with open(os.path.join(self.path, 'cgroup.procs'), 'w') as file:
                file.write('0')
        except OSError:
            pass  # as where there are none

    def send(self, number: int) -> bool:
        """Send a signal to all in it, or with 0 none; tell whether anyone was there to get it."""
        pids = self._pids()
        for pid in pids:
            try:
                os.kill(pid, number)
            except OSError:
                pass
        return bool(pids)

    def kill(self) -> None:
        """End all in it, also those that are being started meanwhile, and remove it."""
        for _ in range(20):
            if not self.send(signal.SIGKILL):
                break
            time.sleep(0.05)
        self.remove()

    def remove(self) -> None:
        """Remove it, unless something runs on in it, as a service that a script started does."""
        try:
            os.rmdir(self.path)
        except OSError:
            pass

    def _pids(self) -> 'list[int]':
        try:
            with open(os.path.join(self.path, 'cgroup.procs')) as file:
                return [int(line) for line in file if int(line)]
        except OSError:
            return []


def find(name: str) -> 'Iterator[ControlGroup]':
    """Those that any dispatcher of this server made for a deployment; more than one in theory."""
    for mount in MOUNTS:
        if os.path.exists(os.path.join(mount, 'cgroup.procs')):
            for folder, folders, _ in os.walk(mount):
                if PREFIX + name in folders:
                    yield ControlGroup(os.path.join(folder, PREFIX + name))
