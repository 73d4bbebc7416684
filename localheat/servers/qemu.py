# SPDX-License-Identifier: Apache-2.0
"""An image booted in QEMU, with a disk over it and a config drive beside it."""

import os
import platform
import subprocess
from typing import Optional

from localheat import process
from localheat.errors import LocalHeatError
from localheat.servers import accelerator, images, qmp
from localheat.servers.base import Machine, Spec
from localheat.servers.network import CIDR, GATEWAY


class QemuMachine(Machine):
    """A virtual machine. Its serial console is its log."""

    # to shut down when asked to, in seconds; with an emulated, busy processor it takes long
    PATIENCE = 120.0

    def __init__(self, spec: Spec):
        super().__init__(spec)
        self._process: Optional[subprocess.Popen] = None
        self._control: Optional[qmp.Control] = None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        if self.running:
            return
        self._make_disk()
        with open(self.spec.path('qemu.log'), 'ab') as log:
            self._process = process.spawn_bound(
                self._command(),
                'qemu-system-x86',
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        self._control = qmp.Control(self._process)

    @property
    def _disk(self) -> str:
        return self.spec.path('disk.qcow2')

    def _make_disk(self) -> None:
        if os.path.exists(self._disk):
            return
        image = self.spec.image
        process.run(
            [
                'qemu-img',
                'create',
                '-q',
                '-f',
                'qcow2',
                '-b',
                image,
                '-F',
                images.image_format(image),
                self._disk,
                '10G',
            ],
            'qemu-utils',
        )

    def _command(self) -> list[str]:
        spec = self.spec
        return [
            'qemu-system-' + platform.machine(),
            *accelerator.options(),
            '-name',
            spec.name,
            '-smp',
            str(spec.vcpus),
            '-m',
            str(spec.ram),
            '-nodefaults',
            '-display',
            'none',
            *qmp.OPTIONS,
            '-chardev',
            f'file,id=console,append=on,path={_escape(self.console_path)}',
            '-serial',
            'chardev:console',
            # the disk need not outlive a crash of this machine
            '-drive',
            f'file={_escape(self._disk)},format=qcow2,if=virtio,cache=unsafe',
            '-drive',
            f'file={_escape(spec.config_drive)},format=raw,if=virtio,readonly=on',
            '-netdev',
            f'user,id=network,ipv6=off,net={CIDR},host={GATEWAY},dhcpstart={spec.address}',
            '-device',
            f'virtio-net-pci,netdev=network,romfile=,mac={spec.mac}',
            # without entropy an emulated machine waits for it
            '-device',
            'virtio-rng-pci',
        ]

    def power_off(self, hard: bool = False) -> None:
        if self._process is None:
            return
        if self.running and not hard:
            self._ask('system_powerdown', self.PATIENCE)
        # The guest gets no chance to write more; but killed, QEMU would lose even what the guest
        # has synced.
        if self.running:
            self._ask('quit', 10)
        self._process.kill()
        self._process.communicate()
        self._process = self._control = None

    def _ask(self, command: str, patience: float) -> None:
        """Have QEMU end in some way, and wait for its end."""
        try:
            self._control.execute(command)
            self._process.wait(patience)
        except (LocalHeatError, subprocess.TimeoutExpired):
            pass

    def suspend(self) -> None:
        self._control.execute('stop')

    def resume(self) -> None:
        self._control.execute('cont')

    def wipe(self) -> None:
        if os.path.exists(self._disk):
            os.unlink(self._disk)


def _escape(path: str) -> str:
    """Return a path as a value in QEMU's options, where a comma separates them."""
    return path.replace(',', ',,')
