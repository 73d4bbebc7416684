# SPDX-License-Identifier: Apache-2.0
"""The element heat-tools: its installer, in the tree that diskimage-builder makes of elements."""

import shutil

from tests import base

INSTALLER = base.ELEMENTS / 'heat-tools/install.d/70-heat-tools'


class HeatToolsTest(base.TestCase):
    def setUp(self):
        super().setUp()
        self.announce('basename', 'bash', 'dirname', 'env', 'ln', 'tr')
        for folder in ('install.d', 'heat-tools', 'links', 'venvs', 'vendor'):
            (self.root / folder).mkdir()
        self.installer = shutil.copy(INSTALLER, self.root / 'install.d')

    def install(self, declared, tool='some-tool', **env):
        (self.root / 'heat-tools' / tool).write_text(declared)
        return self.run_program(
            ['bash', self.installer],
            env=dict(
                env,
                HEAT_TOOLS_VENVS=str(self.root / 'venvs'),
                HEAT_TOOLS_LINKS=str(self.root / 'links'),
            ),
        )

    def test_a_tool_that_is_there_is_tried_and_left_alone(self):
        self.fake('some', {'stdout': 'some 1.0\n'})
        self.assertEqual((0, 'some 1.0\n'), self.install('programs=some\n')[:2])
        self.assertEqual([['--version']], [call.argv for call in self.calls()])

    def test_one_of_several_programs_is_enough(self):
        self.fake('other')
        self.assertEqual(0, self.install('programs="some other"\n').status)

    def test_a_program_may_lie_in_the_vendors_folder(self):
        self.fake('some')
        (self.sandbox.bin / 'some').rename(self.root / 'vendor' / 'some')
        done = self.install(f'programs=some\nfolders={self.root}/vendor\n')
        self.assertEqual(0, done.status, done.stderr)

    def test_a_tool_that_does_not_start_fails_the_build(self):
        self.fake('some', {'status': 3})
        self.assertEqual(3, self.install('programs=some\n').status)

    def test_a_missing_tool_fails_the_build_and_says_what_to_set(self):
        done = self.install('programs="some other"\n')
        self.assertEqual(1, done.status)
        self.assertIn('the hook some-tool needs some or other', done.stderr)
        self.assertIn('DIB_SOME_TOOL_PACKAGE', done.stderr)

    def test_the_package_may_be_named(self):
        self.fake('install-packages')
        self.fake('some')
        self.assertEqual(0, self.install('programs=some\n', DIB_SOME_TOOL_PACKAGE='vend').status)
        self.assertEqual(['vend'], self.calls('install-packages')[0].argv)

    def test_a_package_that_brings_nothing_fails_the_build(self):
        self.fake('install-packages')
        done = self.install('programs=some\n', DIB_SOME_TOOL_PACKAGE='vend')
        self.assertEqual(1, done.status)

    def test_what_no_package_brings_comes_from_pypi_into_a_venv_of_its_own(self):
        venv = self.root / 'venvs' / 'some-tool' / 'bin'
        venv.mkdir(parents=True)
        for name in ('python3', 'pip', 'some'):
            (self.sandbox.bin / name).unlink(missing_ok=True)
            self.fake(name)
        for name in ('pip', 'some'):
            (self.sandbox.bin / name).rename(venv / name)
        (self.root / 'links').rmdir()
        (self.root / 'links').symlink_to(self.sandbox.bin)
        declared = 'programs=some\npypi=some-project\nversion="1.*"\n'
        done = self.install(declared, PIP_CONSTRAINT='of-the-agents')
        self.assertEqual(0, done.status, done.stderr)
        self.assertEqual(['-m', 'venv', f'{venv.parent}'], self.calls('python3')[0].argv)
        pip = self.calls('pip')[0]
        self.assertEqual('some-project==1.*', pip.argv[-1])
        self.assertNotIn('PIP_CONSTRAINT', pip.env)
        self.assertEqual(venv / 'some', (self.root / 'links' / 'some').resolve())
        (self.root / 'links' / 'some').unlink()
        self.install(declared, DIB_SOME_TOOL_VERSION='1.2.3')
        self.assertEqual('some-project==1.2.3', self.calls('pip')[1].argv[-1])
