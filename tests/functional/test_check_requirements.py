# SPDX-License-Identifier: Apache-2.0
"""test-image/check-requirements asks the real package index and Debian's real archive."""

import os
import subprocess
import sys

from tests import base


class CheckRequirementsTest(base.TestCase):
    #: pip, with the settings of this machine.
    guard_processes = False

    def test_the_lists_have_what_the_newest_agents_require(self):
        done = subprocess.run(
            [base.ROOT / 'test-image' / 'check-requirements'],
            env={**os.environ, 'HEAT_IMAGE_VENV': sys.prefix},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.assertEqual(0, done.returncode, done.stdout)
