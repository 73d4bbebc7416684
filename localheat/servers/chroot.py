# SPDX-License-Identifier: Apache-2.0
"""An image's agent in a chroot: no boot, so it is quick.

The root file system is the image's, read-only, under an overlay of the machine's own. Mounts,
processes, network and host name are in namespaces of their own; when the first process ends they
vanish, so there is nothing to clean up, whatever went wrong.
"""

import base64
import dataclasses
import json
import os
import subprocess
import sys
import time
from typing import Optional

from localheat import files, process
from localheat.errors import LocalHeatError
from localheat.network import fabric
from localheat.servers import images, user_data
from localheat.servers.base import Machine, Spec

# The agent's, and that of boot-config for an agent in a container.
UNITS = ('os-collect-config.service', 'heat-container-agent.service')


class ChrootMachine(Machine):
    """A machine that runs an image's agent as its systemd unit would.

    The user's own user data, if there are any, are carried out by the image's cloud-init before;
    see ``first_boot``. What Heat gives the agent is put in place in any case; see ``user_data``.
    """

    PROGRAMS = {
        'unshare': 'util-linux',
        'mount': 'mount',
        'ip': 'iproute2',
        'sfdisk': 'fdisk',
        'qemu-img': 'qemu-utils',
    }

    TAKES_ROOT = True

    def __init__(self, spec: Spec):
        super().__init__(spec)
        self._init: Optional[subprocess.Popen] = None

    @property
    def running(self) -> bool:
        return self._init is not None and self._init.poll() is None

    def start(self) -> None:
        if self.running:
            return
        spec = self.spec
        # beside the machines' folders, for all of them
        folder = os.path.join(os.path.dirname(spec.directory), 'images')
        image = images.raw_copy(spec.image, folder)
        offset, size = images.root_partition(image)
        fresh = not os.path.isdir(spec.path('upper'))
        for name in ('base', 'upper', 'work', 'root'):
            os.makedirs(spec.path(name), exist_ok=True)
        plan = {
            'image': image,
            'offset': offset,
            'size': size,
            'directory': spec.directory,
            'name': spec.name,
            'cards': [dataclasses.asdict(card) for card in spec.cards],
            'units': UNITS,
            'files': user_data.agent_files(spec.user_data) if fresh else {},
            'keys': spec.keys,
            # they can be compressed
            'user_data': (
                base64.b64encode(spec.user_data).decode()
                if user_data.for_cloud_init(spec.user_data)
                else ''
            ),
        }
        files.write(spec.path('plan.json'), json.dumps(plan))
        source = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
        init = [sys.executable, '-m', 'localheat.servers.chroot_init', spec.path('plan.json')]
        namespaces = ['--mount', '--net', '--uts', '--ipc', '--pid', '--fork', '--kill-child=KILL']
        with open(self.console_path, 'ab') as console:
            self._init = process.spawn_bound(
                ['unshare', *namespaces, '--', *init],
                'util-linux',
                stdin=subprocess.PIPE,
                stdout=console,
                stderr=console,
                env=dict(os.environ, PYTHONPATH=source),
            )
        try:
            self._connect(time.monotonic() + 60)
        except BaseException:
            self.power_off()
            raise

    def _connect(self, deadline: float) -> None:
        """Connect the machine to its networks."""
        own = os.readlink('/proc/self/ns/net')
        while os.readlink(f'/proc/{self._init.pid}/ns/net') == own:
            if not self.running or time.monotonic() > deadline:
                raise LocalHeatError(f'The chroot did not start: {self.console(3)}')
            time.sleep(0.01)
        for number, card in enumerate(self.spec.cards):
            fabric.connect(self.spec.networks, card.network, card.port, self._init.pid, number)

    def wait(self) -> None:
        init = self._init
        if init is not None:
            init.wait()

    def _power_off(self, patience: float) -> None:
        if self.running and patience:
            self._tell('stop')
            try:
                self._init.wait(min(patience, 15))
            except subprocess.TimeoutExpired:
                pass
        if self._init is not None:
            self._init.kill()
            self._init.wait()
        self._init = None

    def _suspend(self) -> None:
        self._tell('suspend')

    def _resume(self) -> None:
        self._tell('resume')

    def _tell(self, what: str) -> None:
        self._init.stdin.write(what.encode() + b'\n')
        self._init.stdin.flush()
