# SPDX-License-Identifier: Apache-2.0
"""What a person does wrong is said in words, and nothing is left of it."""

import os
import sys

from tests import base


class BadInputTest(base.TestCase):
    def refuse(self, *arguments):
        """Run the command, which must fail without a traceback; return what it says."""
        done = self.run_program(
            [sys.executable, '-m', 'localheat', *arguments],
            env={'PYTHONPATH': str(base.ROOT), 'XDG_CACHE_HOME': str(self.root)},
        )
        self.assertNotEqual(0, done.status)
        self.assertNotIn('Traceback', done.stderr)
        return done.stderr

    def test_a_missing_image_is_named_with_what_builds_one(self):
        said = self.refuse('start', str(self.root / 'cloud'), '--image', '/nowhere/debian.qcow2')
        self.assertIn('Image debian: there is no file /nowhere/debian.qcow2', said)
        self.assertIn('./build-heat-image.sh', said)
        self.assertFalse(os.path.exists(self.root / 'cloud'))

    def test_a_folder_with_something_else_in_it_is_left_alone(self):
        (self.root / 'mine').mkdir()
        (self.root / 'mine/file').write_text('mine')
        said = self.refuse('start', str(self.root / 'mine'))
        self.assertIn('is not empty', said)
        self.assertEqual(['file'], os.listdir(self.root / 'mine'))

    def test_a_folder_without_a_cloud_is_told_from_one_with(self):
        for command in ('stop', 'env', 'status'):
            self.assertIn('holds no cloud', self.refuse(command, str(self.root)))

    def test_a_damaged_state_is_said_to_be_damaged(self):
        (self.root / 'state.json').write_text('{')
        said = self.refuse('status', str(self.root))
        self.assertIn('state.json is damaged', said)

    def test_a_cloud_that_was_interrupted_while_it_was_made_is_not_started(self):
        (self.root / 'state.json').write_text('{"ports": {}, "passwords": {}}')
        said = self.refuse('start', str(self.root))
        self.assertIn('was interrupted while it was made', said)

    def test_what_is_neither_a_command_nor_a_template_is_named(self):
        self.assertIn('There is no file begin.', self.refuse('begin'))
