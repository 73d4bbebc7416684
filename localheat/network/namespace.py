# SPDX-License-Identifier: Apache-2.0
"""Network namespaces that vanish with the process that made them."""

import ctypes
import fcntl
import os
import struct
import subprocess
import threading
import time
from typing import Optional

from localheat import process
from localheat.errors import LocalHeatError

_CLONE_NEWNET = 0x40000000
# <linux/if_tun.h>
_TUNSETIFF = 0x400454CA
_IFF_TAP, _IFF_NO_PI, _IFF_VNET_HDR = 0x0002, 0x1000, 0x4000


class Namespace:
    """A network namespace, by a process in it.

    :param pid: of the process
    """

    def __init__(self, pid: int):
        self.pid = pid
        self._holder: Optional[subprocess.Popen[bytes]] = None

    @classmethod
    def new(cls) -> 'Namespace':
        """Make a namespace, which lives until it is closed or this process ends."""
        holder = process.spawn_bound(['unshare', '--net', '--', 'sleep', 'infinity'], 'util-linux')
        namespace = cls(holder.pid)
        namespace._holder = holder
        own = os.readlink('/proc/self/ns/net')
        deadline = time.monotonic() + 60
        while namespace._link() in (own, None):
            if holder.poll() is not None or time.monotonic() > deadline:
                raise LocalHeatError('A network namespace cannot be made.', 'That takes root.')
            time.sleep(0.005)
        namespace.run('ip', 'link', 'set', 'lo', 'up')
        return namespace

    def _link(self) -> Optional[str]:
        try:
            return os.readlink(f'/proc/{self.pid}/ns/net')
        except OSError:
            return None

    def close(self) -> None:
        """Remove it; what other processes have in it stays until they end."""
        if self._holder:
            self._holder.kill()
            self._holder.wait()

    def run(self, *command: str) -> None:
        """Run a program of iproute2 or nftables in it."""
        process.run(['nsenter', '--net=' + self.path, *command], 'util-linux')

    @property
    def path(self) -> str:
        return f'/proc/{self.pid}/ns/net'

    def ip(self, *lines: str) -> None:
        """Have ip carry out commands, one a line without its name, all in one process."""
        process.run(
            ['nsenter', '--net=' + self.path, 'ip', '-batch', '-'],
            'iproute2',
            '\n'.join(lines) + '\n',
        )

    def nft(self, *lines: str) -> None:
        """Have nft carry out commands, all or none."""
        process.run(
            ['nsenter', '--net=' + self.path, 'nft', '-f', '-'], 'nftables', '\n'.join(lines) + '\n'
        )

    def forward(self) -> None:
        """Have it be a router."""
        self.run('sysctl', '-q', '-w', 'net.ipv4.ip_forward=1')

    def tap(self, name: str) -> int:
        """Make a tap interface, which vanishes when the file descriptor returned is closed."""
        found: list[int] = []
        failed: list[OSError] = []

        def make() -> None:
            # a thread has a namespace of its own
            try:
                entrance = os.open(self.path, os.O_RDONLY)
                try:
                    libc = ctypes.CDLL(None, use_errno=True)
                    if libc.setns(entrance, _CLONE_NEWNET):
                        raise OSError(ctypes.get_errno(), 'setns')
                finally:
                    os.close(entrance)
                device = os.open('/dev/net/tun', os.O_RDWR)
                flags = _IFF_TAP | _IFF_NO_PI | _IFF_VNET_HDR
                fcntl.ioctl(device, _TUNSETIFF, struct.pack('16sH22x', name.encode(), flags))
                found.append(device)
            except OSError as error:
                failed.append(error)

        thread = threading.Thread(target=make)
        thread.start()
        thread.join()
        if failed:
            raise LocalHeatError(f'A tap interface cannot be made: {failed[0]}')
        return found[0]
