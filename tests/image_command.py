# SPDX-License-Identifier: Apache-2.0
"""The base class for tests of the commands that build images, as their users run them."""

import pathlib
import shlex
import sys

from tests import base

#: A sudo that asks for nothing.
FAKE_SUDO = """#!/bin/sh
while case $1 in -*) true ;; *) false ;; esac; do shift; done
exec "$@"
"""


class ImageCommandTestCase(base.TestCase):
    """Runs `command` in a folder for images, with the tests' own diskimage-builder."""

    #: bash, and the tools of any machine.
    guard_processes = False

    command: pathlib.Path

    def setUp(self) -> None:
        super().setUp()
        self.images = self.root / 'images'
        self.images.mkdir()
        sudo = self.sandbox.bin / 'sudo'
        sudo.write_text(FAKE_SUDO)
        sudo.chmod(0o755)
        self.env = {
            'HEAT_IMAGE_VENV': sys.prefix,
            'DIB_IMAGE_CACHE': str(self.root / 'cache'),
            'HEAT_IMAGE_BUILD_GIB': '0.01',
            'HEAT_IMAGE_INSTALL': '0',
        }

    def build(self, *args: str, **env: str):
        return self.run_program([self.command, *args], env={**self.env, **env}, cwd=self.images)

    def dry_run(self, *args: str, **env: str) -> 'list[str]':
        """Return the words of the disk-image-create call, variables before it included."""
        done = self.build('--dry-run', *args, **env)
        self.assertEqual((0, ''), (done.status, done.stderr))
        return shlex.split(done.stdout.replace('\\\n', ''))

    def assert_refused(self, done, *texts: str) -> None:
        self.assertEqual(1, done.status)
        for text in texts:
            self.assertIn(text, done.stderr)
        self.assertNotIn('Traceback', done.stderr)
        self.assertEqual([], list(self.images.iterdir()))
