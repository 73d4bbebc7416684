# SPDX-License-Identifier: Apache-2.0
"""doc/write-options: the options of hooks in the READMEs."""

import shutil

from tests import base

PROGRAM = base.ROOT / 'doc/write-options'


class WriteOptionsTest(base.TestCase):
    def test_the_readmes_have_the_options_that_the_hooks_have(self):
        done = self.run_script(PROGRAM, '--check')
        self.assertEqual((0, ''), (done.status, done.stdout), 'run doc/write-options')

    def copied(self):
        """The program in a tree of its own, and the README of one hook there."""
        (self.root / 'doc').mkdir()
        program = shutil.copy(PROGRAM, self.root / 'doc')
        shutil.copytree(base.ROOT / 'heat_software_config', self.root / 'heat_software_config')
        for name in ('heat-config', 'heat-config-json-file'):
            shutil.copytree(base.ELEMENTS / name, self.root / 'elements' / name)
        return program, self.root / 'elements/heat-config-json-file/README.rst'

    def test_a_readme_that_says_something_else_is_found_and_mended(self):
        program, readme = self.copied()
        text = readme.read_text()
        readme.write_text(text.replace('``mode`` (', '``mod`` ('))
        done = self.run_script(program, '--check')
        self.assertEqual(1, done.status)
        self.assertIn('heat-config-json-file/README.rst: run doc/write-options', done.stdout)
        self.assertEqual(0, self.run_script(program).status)
        self.assertEqual(text, readme.read_text())

    def test_a_readme_without_a_place_for_them_is_an_error(self):
        program, readme = self.copied()
        readme.write_text('Options\n')
        done = self.run_script(program)
        self.assertEqual(1, done.status)
        self.assertIn('heat-config-json-file/README.rst: it needs these two comments', done.stderr)
