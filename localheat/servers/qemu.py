# SPDX-License-Identifier: Apache-2.0
"""An image booted in QEMU, with a disk over it and a config drive beside it."""

import contextlib
import os
import platform
import subprocess
from typing import Optional

from localheat import process
from localheat.errors import LocalHeatError
from localheat.network import addresses, fabric
from localheat.servers import accelerator, images, qmp
from localheat.servers.base import Machine, Spec

# make config drives; Nova calls the first one that is there
ISO_MAKERS = 'genisoimage mkisofs xorrisofs'


#: What boots a machine of an architecture beside QEMU itself: its options, and packages.
PACKAGES = {'x86_64': 'qemu-system-x86', 'aarch64': 'qemu-system-arm qemu-efi-aarch64'}
FIRMWARE = (
    '/usr/share/qemu-efi-aarch64/QEMU_EFI.fd',
    '/usr/share/edk2/aarch64/QEMU_EFI.fd',
    '/usr/share/qemu/aavmf-aarch64-code.bin',
)


def board(arch: str) -> 'list[str]':
    """Return QEMU's options for a machine that has no usual one.

    :raises LocalHeatError: its firmware is not installed
    """
    if arch != 'aarch64':
        return []
    firmware = next((path for path in FIRMWARE if os.path.exists(path)), None)
    if firmware is None:
        raise LocalHeatError(
            'Servers whose image is for arm64 need an EFI firmware, which is not installed.',
            f'Install the packages: {PACKAGES[arch]}',
        )
    return ['-machine', 'virt', '-bios', firmware]


class QemuMachine(Machine):
    """A virtual machine. Its serial console is its log."""

    PROGRAMS = {
        'qemu-system-' + platform.machine(): 'qemu-system-x86',
        'qemu-img': 'qemu-utils',
        ISO_MAKERS: 'genisoimage',
        'setpriv': 'util-linux',
        # tells servers their addresses, in the network that only root can make
        **({'dnsmasq': 'dnsmasq-base'} if os.geteuid() == 0 else {}),
    }

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
        with contextlib.ExitStack() as stack:
            log = stack.enter_context(open(self.spec.path('qemu.log'), 'ab'))
            taps = []
            for card in self.spec.cards if self.spec.networks else ():
                taps.append(fabric.tap(self.spec.networks, card.network, card.port))
                stack.callback(os.close, taps[-1])
            self._process = process.spawn_bound(
                self._command(taps),
                PACKAGES.get(self.spec.arch, 'qemu-system'),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                pass_fds=taps,
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

    def _command(self, taps: list[int]) -> list[str]:
        spec = self.spec
        return [
            f'qemu-system-{spec.arch}',
            *board(spec.arch),
            *accelerator.options(spec.arch),
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
            f'file={_escape(spec.path(spec.CONFIG_DRIVE))},format=raw,if=virtio,readonly=on',
            *self._cards(taps),
            # without entropy an emulated machine waits for it
            '-device',
            'virtio-rng-pci',
        ]

    def _cards(self, taps: list[int]) -> list[str]:
        """Return the options for network cards.

        :param taps: file descriptors of what they are connected to
        """
        networks = [f'tap,id=network{number},fd={tap}' for number, tap in enumerate(taps)]
        if not self.spec.networks and self.spec.cards:
            # a network for this machine alone, with QEMU's own addresses
            networks = [
                f'user,id=network0,ipv6=off,net={addresses.UPLINK},host={addresses.HOST},'
                f'dns={addresses.DNS}'
            ]
        options = []
        for number, (network, card) in enumerate(zip(networks, self.spec.cards)):
            device = f'virtio-net-pci,netdev=network{number},romfile=,mac={card.mac}'
            options += ['-netdev', network, '-device', device]
        return options

    def wait(self) -> None:
        process = self._process
        if process is not None:
            process.wait()

    def _power_off(self, patience: float) -> None:
        if self._process is None:
            return
        if self.running and patience:
            self._ask('system_powerdown', patience)
        # The guest gets no chance to write more; but killed, QEMU would lose even what the guest
        # has synced.
        if self.running:
            self._ask('quit', 10)
        self._process.kill()
        self._process.communicate()
        self._process = self._control = None

    def _ask(self, command: str, patience: float) -> None:
        """Have QEMU end in some way, and wait for its end."""
        assert self._process and self._control
        try:
            self._control.execute(command)
            self._process.wait(patience)
        except (LocalHeatError, subprocess.TimeoutExpired):
            pass

    def _suspend(self) -> None:
        if self._control:
            self._control.execute('stop')

    def _resume(self) -> None:
        if self._control:
            self._control.execute('cont')

    def snapshot(self) -> 'tuple[str, str]':
        path = self.spec.path('snapshot.qcow2')
        pause = self.running and not self.suspended
        if pause:
            # what QEMU has in its memory is written then
            self._suspend()
        try:
            # the running QEMU keeps others from its disk, but for readers that say so
            process.run(
                ['qemu-img', 'convert', '-U', '-f', 'qcow2', '-O', 'qcow2', self._disk, path],
                'qemu-utils',
            )
        finally:
            if pause:
                self._resume()
        return path, 'qcow2'


def _escape(path: str) -> str:
    """Return a path as a value in QEMU's options, where a comma separates them."""
    return path.replace(',', ',,')
