# SPDX-License-Identifier: Apache-2.0
"""test-image/build-pip-repo.sh as its user sees it, and what pip takes from its index.

The projects have a build backend of their own, so that nothing is downloaded.
"""

import json
import os
import pathlib
import re
import subprocess
import sys

from tests import base
from tests.tiny_wheel import write_wheel

COMMAND = base.ROOT / 'test-image' / 'build-pip-repo.sh'
AGENTS = ('os-apply-config', 'os-collect-config', 'os-refresh-config')
PYPROJECT = """# {remark}
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""
BACKEND = """
import os, sys
sys.path.insert(0, {tests!r})
from tiny_wheel import write_wheel

def build_wheel(folder, *_):
    version = os.environ.get('PBR_VERSION', {version!r})
    return write_wheel(folder, {project!r}, version, open('program.py').read()).name
"""


class BuildPipRepoTest(base.TestCase):
    #: bash, git and pip.
    guard_processes = False

    def setUp(self) -> None:
        super().setUp()
        published = self.root / 'published'
        published.mkdir()
        for agent in AGENTS:
            write_wheel(published, agent, '14.1.0', 'ORIGIN = "the index"\n')
        self.sandbox.env.update(
            HEAT_IMAGE_VENV=sys.prefix,
            HEAT_IMAGE_INSTALL='0',
            PIP_CONFIG_FILE=os.devnull,
            PIP_NO_INDEX='1',
            PIP_FIND_LINKS=str(published),
            PIP_DISABLE_PIP_VERSION_CHECK='1',
            GIT_CONFIG_GLOBAL=os.devnull,
            GIT_AUTHOR_NAME='A',
            GIT_AUTHOR_EMAIL='a@example.org',
            GIT_COMMITTER_NAME='A',
            GIT_COMMITTER_EMAIL='a@example.org',
        )
        self.index = self.root / 'index'

    def checkout(self, project: str, version: str = '0.0.1', remark: str = '') -> pathlib.Path:
        """A git checkout with one commit."""
        folder = self.root / project
        folder.mkdir()
        (folder / 'pyproject.toml').write_text(PYPROJECT.format(remark=remark))
        (folder / 'backend.py').write_text(
            BACKEND.format(tests=str(base.ROOT / 'tests'), version=version, project=project)
        )
        (folder / 'program.py').write_text('ORIGIN = "committed"\n')
        (folder / '.gitignore').write_text('build\n')
        for command in (['init', '--quiet'], ['add', '--all'], ['commit', '--quiet', '-m', 'x']):
            self.git(folder, *command)
        return folder

    def git(self, folder: pathlib.Path, *command: str) -> None:
        done = self.run_program(['git', '-C', folder, *command])
        self.assertEqual((0, ''), (done.status, done.stderr))

    def build(self, *arguments: 'str | pathlib.Path'):
        return self.run_program([COMMAND, self.index, *arguments])

    def assert_refused(self, done, text: str) -> None:
        self.assertEqual(1, done.status)
        self.assertIn(text, done.stderr)
        self.assertNotIn('Traceback', done.stderr)

    def versions(self) -> 'dict[str, str]':
        contents = json.loads((self.index / 'contents.json').read_text())
        return {item['project']: item['version'] for item in contents}

    def test_pip_takes_the_checkout_from_the_served_index_and_the_other_agents_too(self):
        checkout = self.checkout('os-collect-config', version='14.1.1.dev3', remark='pbr')
        self.git(checkout, 'tag', '14.1.0')
        (checkout / 'program.py').write_text('ORIGIN = "not committed"\n')
        done = self.build(checkout)
        self.assertEqual((0, ''), (done.status, done.stderr))
        self.assertIn('os-collect-config 14.1.1.dev3', done.stdout)
        self.assertIn('os-apply-config 14.1.0 (the package index)', done.stdout)
        target = self.install(*AGENTS)
        self.assertEqual(
            'ORIGIN = "not committed"\n', (target / 'os_collect_config.py').read_text()
        )
        self.assertEqual('ORIGIN = "the index"\n', (target / 'os_apply_config.py').read_text())
        # Built from a copy.
        self.assertEqual(
            {'.git', '.gitignore', 'backend.py', 'program.py', 'pyproject.toml'},
            set(os.listdir(checkout)),
        )

    def install(self, *projects: str) -> pathlib.Path:
        """Serve the index, and install from it."""
        with subprocess.Popen(
            [COMMAND, self.index, '--serve'],
            env=self.sandbox.env,
            stdout=subprocess.PIPE,
            text=True,
        ) as server:
            try:
                for line in server.stdout:
                    found = re.search(r'"(http://127\.0\.0\.1:\d+/simple/)"', line)
                    if found:
                        break
                else:
                    self.fail('it does not serve')
                target = self.root / 'target'
                environment = dict.fromkeys(('PIP_NO_INDEX', 'PIP_FIND_LINKS'), '')
                done = self.run_program(
                    [
                        sys.executable,
                        '-m',
                        'pip',
                        'install',
                        '--no-compile',
                        '--target',
                        target,
                        '--index-url',
                        found.group(1),
                        '-c',
                        self.index / 'constraints.txt',
                        *projects,
                    ],
                    env=environment,
                )
                self.assertEqual(0, done.status, done.stdout + done.stderr)
            finally:
                server.kill()
        return target

    def test_without_tags_the_version_is_one_after_the_latest_release(self):
        self.build(self.checkout('os-collect-config', version='0.0.0', remark='pbr'))
        self.assertEqual('14.1.1.dev1', self.versions()['os-collect-config'])

    def test_without_tags_and_unknown_to_the_index_it_stays_above_its_own(self):
        self.build(self.checkout('mine', version='0.0.1.dev1', remark='pbr'))
        self.assertEqual('0.0.2.dev1', self.versions()['mine'])

    def test_without_pbr_the_project_says_which_version_it_is(self):
        done = self.build(self.checkout('mine', version='7.5'))
        self.assertEqual((0, ''), (done.status, done.stderr))
        self.assertEqual({'mine': '7.5', **dict.fromkeys(AGENTS, '14.1.0')}, self.versions())
        self.assertEqual('mine==7.5\n', (self.index / 'constraints.txt').read_text())

    def test_run_again_it_replaces_what_was_there(self):
        self.build(self.checkout('mine'))
        done = self.build(self.checkout('os-refresh-config', version='15.0'))
        self.assertEqual((0, ''), (done.status, done.stderr))
        self.assertEqual(
            {**dict.fromkeys(AGENTS, '14.1.0'), 'os-refresh-config': '15.0'}, self.versions()
        )
        self.assertEqual(sorted([*AGENTS, 'index.html']), sorted(os.listdir(self.index / 'simple')))
        self.assertEqual(
            {'constraints.txt', 'contents.json', 'simple'}, set(os.listdir(self.index))
        )

    def test_what_fails_to_build_is_told_with_the_end_of_the_output_and_changes_nothing(self):
        self.build(self.checkout('mine', version='1'))
        broken = self.checkout('os-collect-config')
        (broken / 'backend.py').write_text('raise RuntimeError("the reason")')
        done = self.build(broken)
        self.assertEqual(1, done.status)
        self.assertIn('the reason', done.stderr)
        self.assertIn(f'{broken} at ', done.stderr.splitlines()[-1])
        self.assertEqual('1', self.versions()['mine'])

    def test_what_is_no_checkout_is_refused(self):
        (self.root / 'folder').mkdir()
        self.assert_refused(self.build(self.root / 'folder'), 'no git checkout that can be used')
        self.assert_refused(self.build(self.root / 'nonesuch'), 'no git checkout that can be used')
        self.assertFalse(self.index.exists())

    def test_a_folder_with_something_else_is_left_alone(self):
        self.index.mkdir()
        (self.index / 'letter').write_text('dear')
        self.assert_refused(self.build(self.checkout('mine')), 'holds something else')
        self.assertEqual(['letter'], os.listdir(self.index))

    def test_the_same_project_twice_is_refused(self):
        first = self.checkout('mine')
        self.git(first, 'clone', '--quiet', str(first), str(self.root / 'again'))
        self.assert_refused(self.build(first, self.root / 'again'), 'are both mine')

    def test_it_says_what_to_add_when_there_is_nothing_to_do(self):
        self.assert_refused(self.build(), 'name checkouts, or add --serve')
        self.assert_refused(self.build('--serve'), 'is no index yet')

    def test_a_port_that_is_none_is_wrong_usage(self):
        for port in ('folder', '65536', '-1'):
            done = self.build('--serve', port)
            self.assertEqual(2, done.status)
            self.assertIn('usage:', done.stderr)
