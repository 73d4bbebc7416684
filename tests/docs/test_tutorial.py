# SPDX-License-Identifier: Apache-2.0
"""The tutorial's commands, as they stand there, run in their order."""

import re
import shlex
import sys

from imagebuild import resolve
from tests import base, dib

TUTORIAL = base.ROOT / 'doc/source/tutorial/build-an-image.rst'
BLOCK = re.compile(r'(?m)^\.\. code-block:: bash\n +:name: (\S+)\n\n((?: {3}.*\n|\n)+)')


def blocks() -> 'dict[str, str]':
    """The commands of each named block."""
    return dict(BLOCK.findall(TUTORIAL.read_text(encoding='utf-8')))


class TutorialTest(base.TestCase):
    #: bash, and the tools of any machine.
    guard_processes = False

    def setUp(self) -> None:
        super().setUp()
        self.folder = self.root / 'checkout'
        self.folder.mkdir()
        for name in ('build-heat-image.sh', 'elements'):
            (self.folder / name).symlink_to(base.ROOT / name)
        # What would take minutes, and a package index: say how they are called.
        self.fake('disk-image-create')
        (self.folder / 'dib/bin').mkdir(parents=True)
        pip = self.folder / 'dib/bin/pip'
        pip.write_text('#!/bin/sh\necho "pip $*"\n')
        pip.chmod(0o755)

    def run_block(self, *names: str):
        text = '\n'.join(re.sub(r'(?m)^ {3}', '', blocks()[name]) for name in names)
        text = text.replace('python3 -m venv dib\n', '')
        script = self.root / 'script'
        script.write_text(
            'set -eu\n' + re.sub(r'(?m)^(\./build-heat-image\.sh.*)$', r'\1 --dry-run', text)
        )
        done = self.run_program(
            ['bash', script],
            cwd=self.folder,
            env={'HEAT_IMAGE_VENV': sys.prefix, 'HEAT_IMAGE_INSTALL': '0'},
        )
        self.assertEqual((0, ''), (done.status, done.stderr))
        return done.stdout

    def test_every_block_is_tried_here(self):
        self.assertEqual(
            {'tutorial-command', 'tutorial-variables', 'tutorial-recipe', 'tutorial-memory'},
            set(blocks()),
        )

    def elements(self, words: 'list[str]') -> 'set[str]':
        known = dib.all_elements()
        return {word for word in words if word in known}

    def test_the_command_builds_what_it_says(self):
        words = shlex.split(self.run_block('tutorial-command').replace('\\\n', ''))
        self.assertLessEqual(
            {'vm', 'debian', 'heat-config-script', 'heat-config-ansible'}, set(words)
        )

    def test_the_variables_of_the_recipe_hold_for_the_command(self):
        words = shlex.split(self.run_block('tutorial-variables').replace('\\\n', ''))
        self.assertLessEqual({'debian', 'heat-config-ansible', 'heat-config-puppet'}, set(words))

    def test_the_recipe_calls_diskimage_builder_with_elements_that_there_are(self):
        self.assertIn('pip install diskimage-builder', self.run_block('tutorial-recipe'))
        (call,) = self.calls('disk-image-create')
        self.assertEqual(str(self.folder / 'elements'), call.env['ELEMENTS_PATH'])
        self.assertEqual(['-o', 'my-image.qcow2'], call.argv[-2:])
        elements = call.argv[:-2]
        self.assertEqual(set(elements), self.elements(elements))
        taken = resolve.with_defaults(elements, {'ARCH': 'amd64'})
        self.assertIn('heat-config-script', dib.closure(*taken))

    def test_with_too_little_memory_it_builds_in_tmpdir(self):
        self.run_block('tutorial-recipe', 'tutorial-memory')
        call = self.calls('disk-image-create')[-1]
        self.assertIn('--no-tmpfs', call.argv)
        self.assertEqual(str(self.folder / 'tmp'), call.env['TMPDIR'])
