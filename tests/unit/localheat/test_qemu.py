# SPDX-License-Identifier: Apache-2.0
"""The machine that QEMU is asked for."""

from unittest import mock

from localheat.errors import LocalHeatError
from localheat.servers import Spec, accelerator, qemu
from tests import base


class ArchitectureTest(base.TestCase):
    def command(self, arch: str) -> 'list[str]':
        spec = Spec('server', str(self.root), 'image', b'', arch=arch)
        with mock.patch.object(accelerator, 'kvm_works', return_value=True):
            with mock.patch('platform.machine', return_value='x86_64'):
                return qemu.QemuMachine(spec)._command([])

    def test_an_image_of_this_machines_kind_runs_on_its_processor(self):
        command = self.command('x86_64')
        self.assertEqual('qemu-system-x86_64', command[0])
        self.assertIn('kvm', command)
        self.assertNotIn('-bios', command)

    def test_an_image_for_arm64_gets_a_board_with_efi_and_an_emulated_processor(self):
        firmware = self.root / 'QEMU_EFI.fd'
        firmware.touch()
        with mock.patch.object(qemu, 'FIRMWARE', (str(firmware),)):
            command = self.command('aarch64')
        self.assertEqual('qemu-system-aarch64', command[0])
        self.assertEqual(str(firmware), command[command.index('-bios') + 1])
        self.assertNotIn('kvm', command)

    def test_a_missing_firmware_is_named_with_its_package(self):
        with mock.patch.object(qemu, 'FIRMWARE', ()):
            error = self.assertRaises(LocalHeatError, self.command, 'aarch64')
        self.assertIn('qemu-efi-aarch64', str(error) + str(getattr(error, 'hint', '')))
