# SPDX-License-Identifier: Apache-2.0
"""Heat's functional job, with a changed agent under test.

The test image is built where it is not there; see tests/integration/images.py.
"""

import os
import pathlib
import subprocess
import sys

from tests import base
from tests.integration import images

COMMAND = base.ROOT / 'test-image' / 'run-functional-job.sh'
AGENT = 'os-collect-config'
CHANGE = 'This is the checkout under test.'
#: For boot and deployments in an emulated machine, on a busy one.
MINUTES = 30


class FunctionalJobTest(base.TestCase):
    guard_processes = False

    def call(self, *command: 'str | pathlib.Path') -> str:
        """Run a command with the settings of this machine; what it printed."""
        done = subprocess.run(
            command,
            env={**os.environ, 'LOCALHEAT_VENV': sys.prefix},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.assertEqual(0, done.returncode, done.stdout)
        return done.stdout

    def changed_agent(self) -> pathlib.Path:
        """A checkout of the agent's last release, with a change that can be seen."""
        self.call(
            sys.executable,
            '-m',
            'pip',
            'download',
            '--no-deps',
            '--no-binary',
            ':all:',
            '--dest',
            self.root,
            AGENT,
        )
        [archive] = self.root.glob('*.tar.gz')
        checkout = self.root / 'checkout'
        checkout.mkdir()
        self.call(
            'tar',
            '--extract',
            '--strip-components',
            '1',
            '--no-same-owner',
            '--directory',
            checkout,
            '--file',
            archive,
        )
        program = checkout / 'os_collect_config' / 'collect.py'
        program.write_text(f'print({CHANGE!r}, flush=True)\n{program.read_text()}')
        git = ('git', '-C', checkout, '-c', 'user.name=A', '-c', 'user.email=a@example.org')
        self.call(*git, 'init', '--quiet')
        self.call(*git, 'add', '--all')
        self.call(*git, 'commit', '--quiet', '-m', 'x')
        return checkout

    def test_the_changed_agent_is_what_runs_on_the_server_and_carries_all_out(self) -> None:
        if os.geteuid() != 0:
            self.skipTest('building the test image takes root')
        checkout = self.changed_agent()
        logs = self.root / 'logs'
        said = self.call(
            COMMAND,
            '--image',
            images.test_image('trixie'),
            '--checkout',
            checkout,
            '--log-dir',
            logs,
            '--timeout',
            str(MINUTES),
        )
        self.assertIn(f'.dev1 ({checkout} at ', said)
        self.assertIn('\nPASSED in ', said)
        self.assertIn(CHANGE, (logs / 'console.log').read_text(errors='replace'))
