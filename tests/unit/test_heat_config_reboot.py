# SPDX-License-Identifier: Apache-2.0
"""heat-config-reboot: a script's request. What comes of it is in test_55_heat_config."""

import os
import pathlib
import stat

from tests import agent, base

PROGRAM = agent.ELEMENT / 'bin' / 'heat-config-reboot'


class RebootRequestTest(base.TestCase):
    def setUp(self):
        super().setUp()
        self.announce('cat', 'mv', 'sync')
        self.folder = self.root / 'deployed'
        self.folder.mkdir()
        self.request = self.folder / 'one.reboot'

    def test_the_request_holds_what_tells_this_boot_from_others(self):
        done = self.run_program(
            ['sh', PROGRAM], env={'HEAT_CONFIG_REBOOT_REQUEST': str(self.request)}
        )
        self.assertEqual((0, '', ''), done)
        self.assertEqual(
            pathlib.Path('/proc/sys/kernel/random/boot_id').read_text(), self.request.read_text()
        )
        self.assertEqual(['one.reboot'], os.listdir(self.folder))

    def test_by_hand_it_says_what_it_is_for(self):
        done = self.run_program(['sh', PROGRAM])
        self.assertEqual(2, done.status)
        self.assertIn('for scripts that a Heat deployment runs', done.stderr)

    def test_it_is_executable(self):
        self.assertTrue(stat.S_IMODE(PROGRAM.stat().st_mode) & 0o100)
