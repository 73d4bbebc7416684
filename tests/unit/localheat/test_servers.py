# SPDX-License-Identifier: Apache-2.0
"""What this machine lacks is said before anything is started."""

import os

from localheat import process, servers
from localheat.errors import LocalHeatError
from localheat.network import addresses
from tests import base


class CheckTest(base.TestCase):
    def test_missing_programs_are_named_with_their_packages(self):
        self.patch(os, 'geteuid', lambda: 0)
        self.patch(process, 'find', lambda name: None if name == 'sfdisk' else '/bin/' + name)
        self.assertEqual([('sfdisk', 'fdisk')], servers.missing('chroot'))
        error = self.assertRaises(LocalHeatError, servers.check, 'chroot')
        self.assertIn('sfdisk', str(error))
        self.assertIn('Install the packages: fdisk', str(error))

    def test_one_of_several_programs_for_a_purpose_will_do(self):
        self.patch(process, 'find', lambda name: None if name == 'genisoimage' else '/bin/' + name)
        self.assertEqual([], servers.missing('qemu'))

    def test_a_chroot_without_root_is_refused_with_what_works(self):
        self.patch(os, 'geteuid', lambda: 1000)
        error = self.assertRaises(LocalHeatError, servers.check, 'chroot')
        self.assertIn('take root', str(error))
        self.assertIn('qemu', str(error))

    def test_what_does_not_boot_takes_nothing(self):
        self.patch(process, 'find', lambda name: None)
        servers.check('none')


class AddressesTest(base.TestCase):
    def test_no_two_clouds_have_the_same_floating_ips(self):
        networks = [addresses.public(number) for number in addresses.NUMBERS]
        for one, next_one in zip(networks, networks[1:]):
            self.assertLess(one[-1], next_one[0])
