# SPDX-License-Identifier: Apache-2.0
"""The first process of a machine in a chroot: ``python -m localheat.servers.chroot_init PLAN``.

It runs in namespaces of its own, mounts the root file system and keeps the agent running. On
standard input it takes the commands suspend, resume and stop; when that is closed it ends, and
the kernel ends all else in the namespaces.
"""

import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from typing import Any, Optional

from localheat.network import addresses
from localheat.servers import first_boot
from localheat.servers.unit import Unit

# What a timer of the agent starts each minute: it sends signals that could not be delivered.
SIGNALS = 'heat-config-signal.service'
MINUTE = 60
DEVICES = ('null', 'zero', 'full', 'random', 'urandom', 'tty')
PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'


def main(path: str) -> None:
    """Run a machine.

    :param path: a file written by ``chroot.ChrootMachine``
    """
    if os.getpid() != 1:
        # it signals all processes there are
        sys.exit('This is for a process namespace of its own.')
    with open(path) as stream:
        plan = json.load(stream)
    root = mount_root(plan)
    configure(root, plan)
    connect(plan['cards'])
    if plan['user_data']:
        first_boot.run(root, plan, PATH)
    unit = Unit.first(root, plan['units'])
    if unit:
        Supervisor(root, Unit(root, unit)).run()
    else:
        print('There is no agent: Heat waits for its deployments in vain.', flush=True)
        Supervisor(root).wait()


def call(*command: str) -> None:
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


def mount_root(plan: dict[str, Any]) -> str:
    """Mount the image and its overlay, and what a running system has below its root."""
    base, upper, work, root = (
        os.path.join(plan['directory'], name) for name in ('base', 'upper', 'work', 'root')
    )
    options = f'ro,loop,offset={plan["offset"]},sizelimit={plan["size"]}'
    call('mount', '-o', options, plan['image'], base)
    layers = f'lowerdir={base},upperdir={upper},workdir={work}'
    call('mount', '-t', 'overlay', '-o', layers, 'overlay', root)
    call('mount', '-t', 'proc', 'proc', root + '/proc')
    call('mount', '-t', 'sysfs', '-o', 'ro', 'sysfs', root + '/sys')
    call('mount', '-t', 'tmpfs', '-o', 'mode=755', 'tmpfs', root + '/run')
    call('mount', '-t', 'tmpfs', '-o', 'mode=755', 'tmpfs', root + '/dev')
    for name in DEVICES:
        device = f'{root}/dev/{name}'
        open(device, 'w').close()
        call('mount', '--bind', '/dev/' + name, device)
    for name, target in (
        ('fd', '/proc/self/fd'),
        ('stdin', 'fd/0'),
        ('stdout', 'fd/1'),
        ('stderr', 'fd/2'),
        ('ptmx', 'pts/ptmx'),
    ):
        os.symlink(target, f'{root}/dev/{name}')
    for name, kind, options in (
        ('pts', 'devpts', 'newinstance,ptmxmode=666'),
        ('shm', 'tmpfs', 'mode=1777'),
    ):
        os.mkdir(f'{root}/dev/{name}')
        call('mount', '-t', kind, '-o', options, kind, f'{root}/dev/{name}')
    return root


def configure(root: str, plan: dict[str, Any]) -> None:
    """Write what cloud-init would."""
    socket.sethostname(plan['name'])
    for path, content in (
        ('/etc/hostname', plan['name'] + '\n'),
        ('/etc/hosts', '127.0.0.1 localhost\n127.0.1.1 {}\n'.format(plan['name'])),
        ('/etc/resolv.conf', ''.join(f'nameserver {server}\n' for server in name_servers(plan))),
        *plan['files'].items(),
    ):
        target = root + path
        if os.path.islink(target):
            os.unlink(target)
        if not os.path.isdir(os.path.dirname(target)):
            os.makedirs(os.path.dirname(target), 0o700)
        with open(target, 'w') as stream:
            stream.write(content)


def name_servers(plan: dict[str, Any]) -> list[str]:
    return [server for card in plan['cards'] for server in card['dns']] or [addresses.DNS]


def connect(cards: list[dict[str, Any]]) -> None:
    """Wait for the network's interfaces and configure them as DHCP would."""
    call('ip', 'link', 'set', 'lo', 'up')
    limit = time.monotonic() + 60
    routed = False
    for number, card in enumerate(cards):
        name = f'eth{number}'
        while name not in (found for _, found in socket.if_nameindex()):
            if time.monotonic() > limit:
                sys.exit('The network did not come up.')
            time.sleep(0.02)
        call('ip', 'link', 'set', name, 'address', card['mac'], 'mtu', str(card['mtu']))
        call('ip', 'link', 'set', name, 'up')
        for address in card['addresses']:
            call('ip', 'address', 'add', address, 'dev', name)
        for destination, hop in card['routes']:
            call('ip', 'route', 'replace', destination, 'via', hop, 'dev', name)
        if card['gateway'] and not routed:
            call('ip', 'route', 'replace', 'default', 'via', card['gateway'], 'dev', name)
            routed = True


class Supervisor:
    """Runs a unit's service, reaps what it leaves, and obeys standard input."""

    def __init__(self, root: str, unit: Optional[Unit] = None):
        self._root = root
        self._unit = unit
        self._signals = Unit(root, SIGNALS) if unit and Unit.path(root, SIGNALS) else None
        self._next_signals = time.monotonic() + MINUTE
        self._suspended = False
        self._stopped = False

    def run(self) -> None:
        """Return when the machine is to end."""
        restart = self._unit.last('Restart', 'no') != 'no'
        *before, command = self._unit.commands
        while not self._stopped:
            for item in before:
                self._wait(self._start(self._unit, item))
            print('Starting: {}'.format(' '.join(command)), flush=True)
            status = self._wait(self._start(self._unit, command))
            print(f'The service ended with status {status}.', flush=True)
            if not restart:
                break
            self._idle(self._unit.restart_after)

    def wait(self) -> None:
        """Let what has been started run on; return when the machine is to end."""
        while not self._stopped:
            self._reap()
            self._obey()

    def _start(self, unit: Unit, command: list[str]) -> int:
        environment = {'PATH': PATH, **unit.environment}
        pid = os.fork()
        if pid:
            return pid
        try:
            os.setsid()
            os.chroot(self._root)
            os.chdir(unit.last('WorkingDirectory', '/'))
            nothing = os.open('/dev/null', os.O_RDONLY)
            os.dup2(nothing, 0)
            os.execvpe(command[0], command, environment)
        except BaseException as error:
            print(f'{command[0]}: {error}', file=sys.stderr, flush=True)
        os._exit(127)

    def _wait(self, pid: int) -> int:
        """Wait for the end of a process, or of the machine."""
        while not self._stopped:
            for ended, status in self._reap():
                if ended == pid:
                    return status
            self._obey()
        return 0

    def _idle(self, seconds: float) -> None:
        limit = time.monotonic() + seconds
        while not self._stopped and time.monotonic() < limit:
            self._reap()
            self._obey()

    @staticmethod
    def _reap():
        ended = []
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if not pid:
                break
            ended.append((pid, status))
        return ended

    def _obey(self) -> None:
        """Wait a moment for a command, and carry it out."""
        if self._signals and not self._suspended and time.monotonic() > self._next_signals:
            self._next_signals += MINUTE
            self._start(self._signals, self._signals.commands[-1])
        if not select.select([0], [], [], 0.1)[0]:
            return
        commands = os.read(0, 4096).decode().split()
        for command in commands:
            if command == 'suspend':
                self._suspended = True
                # to all processes of the namespace but this one
                os.kill(-1, signal.SIGSTOP)
            elif command == 'resume':
                self._suspended = False
                os.kill(-1, signal.SIGCONT)
            elif command == 'stop':
                self._end_all()
                self._stopped = True
        if not commands:
            self._stopped = True

    def _end_all(self) -> None:
        limit = time.monotonic() + 10
        try:
            os.kill(-1, signal.SIGTERM)
            os.kill(-1, signal.SIGCONT)
            while time.monotonic() < limit:
                os.kill(-1, 0)
                self._reap()
                time.sleep(0.05)
        except ProcessLookupError:
            pass


if __name__ == '__main__':
    main(sys.argv[1])
