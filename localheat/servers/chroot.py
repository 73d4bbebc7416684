# SPDX-License-Identifier: Apache-2.0
"""An image's agent in a chroot: no boot, so it is quick.

The root file system is the image's, read-only, under an overlay of the machine's own. Mounts,
processes, network and host name are in namespaces of their own; when the first process ends they
vanish, so there is nothing to clean up, whatever went wrong.
"""

import json
import os
import subprocess
import sys
import time
from typing import Optional

from localheat import files, process
from localheat.errors import LocalHeatError
from localheat.servers import images, user_data
from localheat.servers.base import Machine, Spec

# The agent's, and that of boot-config for an agent in a container.
UNITS = ('os-collect-config.service', 'heat-container-agent.service')


class ChrootMachine(Machine):
    """A machine that runs an image's agent as its systemd unit would.

    What cloud-init would do is done for the agent's own files alone; see ``user_data``. Only an
    image without agent runs its cloud-init, at each boot, to get one; see ``first_boot``.
    """

    PROGRAMS = {
        'unshare': 'util-linux',
        'mount': 'mount',
        'ip': 'iproute2',
        'slirp4netns': 'slirp4netns',
        'sfdisk': 'fdisk',
        'qemu-img': 'qemu-utils',
    }

    TAKES_ROOT = True

    def __init__(self, spec: Spec):
        super().__init__(spec)
        self._init: Optional[subprocess.Popen] = None
        self._network: Optional[subprocess.Popen] = None

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
            'address': spec.address,
            'units': UNITS,
            'files': user_data.agent_files(spec.user_data) if fresh else {},
            'user_data': spec.user_data.decode(),
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
            self._connect(time.monotonic() + 30)
        except BaseException:
            self.power_off()
            raise

    def _connect(self, deadline: float) -> None:
        """Connect the machine's network to this machine's loopback and the world."""
        own = os.readlink('/proc/self/ns/net')
        while os.readlink(f'/proc/{self._init.pid}/ns/net') == own:
            if not self.running or time.monotonic() > deadline:
                raise LocalHeatError(f'The chroot did not start: {self.console(3)}')
            time.sleep(0.01)
        with open(self.spec.path('network.log'), 'ab') as log:
            self._network = process.spawn_bound(
                ['slirp4netns', str(self._init.pid), 'tap0'],
                'slirp4netns',
                stdout=log,
                stderr=log,
            )

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
        for child in (self._init, self._network):
            if child is not None:
                child.kill()
                child.wait()
        self._init = self._network = None

    def _suspend(self) -> None:
        self._tell('suspend')

    def _resume(self) -> None:
        self._tell('resume')

    def _tell(self, what: str) -> None:
        self._init.stdin.write(what.encode() + b'\n')
        self._init.stdin.flush()
