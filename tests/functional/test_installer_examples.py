# SPDX-License-Identifier: Apache-2.0
"""examples/heat-agent-install: each by the tool that reads it, or that tool's own check.

Packer itself and a current mkosi are nowhere to be had on the package indexes that tests use: for
Packer a parser of its language reads the file, mkosi's is not tried here.
"""

import os
import shutil
import subprocess
import sys

import hcl2

from tests import base, chroots
from tests.functional.test_agent_installer import installer

EXAMPLES = base.ROOT / 'examples' / 'heat-agent-install'


class ExamplesTest(base.TestCase):
    guard_processes = False

    def test_the_playbook_is_one_that_ansible_runs(self) -> None:
        if not shutil.which('ansible-playbook'):
            self.skipTest('there is no ansible-playbook')
        command = ['ansible-playbook', '--syntax-check', '-i', 'localhost,']
        done = self.run_program([*command, EXAMPLES / 'playbook.yaml'], env={'LC_ALL': 'C.UTF-8'})
        self.assertEqual(0, done.status, done.stderr)

    def test_the_template_for_packer_is_hcl_and_calls_what_there_is(self) -> None:
        with (EXAMPLES / 'packer.pkr.hcl').open() as file:
            template = hcl2.load(file)
        self.assertLessEqual({'packer', 'variable', 'source', 'build'}, set(template))
        self.assert_options_are_known((EXAMPLES / 'packer.pkr.hcl').read_text())

    def test_the_scripts_call_what_there_is(self) -> None:
        for name in ('virt-customize.sh', 'mkosi/mkosi.postinst', 'Containerfile', 'playbook.yaml'):
            self.assert_options_are_known((EXAMPLES / name).read_text())

    def assert_options_are_known(self, text: str) -> None:
        """The options behind the program's name are its own."""
        shown = self.run_program([sys.executable, installer(), '--help']).stdout
        for word in ('--hooks', '--no-start', '--root'):
            self.assertIn(word, shown)
        for line in text.splitlines():
            _, called, arguments = line.partition('heat-agent-install ')
            for word in arguments.split() if called and not line.lstrip().startswith('#') else ():
                if word.startswith('--') and word != '--run-command':
                    self.assertIn(word.strip('"\','), shown)

    def test_virt_customize_is_asked_as_its_script_says(self) -> None:
        self.fake('virt-customize')
        done = self.run_program([EXAMPLES / 'virt-customize.sh', 'image.qcow2', 'ansible'])
        self.assertEqual(0, done.status, done.stderr)
        (call,) = self.calls('virt-customize')
        self.assertEqual(['--add', 'image.qcow2', '--upload'], call.argv[:3])
        self.assertIn("heat-agent-install --hooks 'ansible'", ' '.join(call.argv))
        self.assertEqual(2, self.run_program([EXAMPLES / 'virt-customize.sh']).status)

    def test_the_containerfile_makes_an_image_with_the_agent(self) -> None:
        reason = chroots.why_not() or ('' if shutil.which('podman') else 'there is no podman')
        if reason:
            self.skipTest(reason)
        system = self.root / 'system'
        chroots.unpack('trixie', system)
        context = self.root / 'context'
        context.mkdir()
        shutil.copy(installer(), context / 'heat-agent-install')
        podman = [
            'podman',
            f'--root={self.root / "storage"}',
            f'--runroot={self.root / "run"}',
            '--storage-driver=vfs',
            '--cgroup-manager=cgroupfs',
        ]
        build = [*podman, 'build', '--isolation=chroot', '--network=host']
        if os.environ.get('PIP_INDEX_URL'):
            build.append('--env=PIP_INDEX_URL=' + os.environ['PIP_INDEX_URL'])
        archive = self.root / 'system.tar'
        for command in (
            ['tar', '--create', '--file', archive, '--directory', system, '.'],
            [*podman, 'import', '--quiet', archive, 'localhost/debian'],
            [
                *build,
                '--file',
                EXAMPLES / 'Containerfile',
                '--build-arg=BASE=localhost/debian',
                '--build-arg=HOOKS=json-file',
                '--tag=localhost/agent',
                context,
            ],
        ):
            done = self.run_program(command, timeout=800)
            self.assertEqual(0, done.status, done.stdout[-2000:] + done.stderr[-2000:])
        mounted = subprocess.run(
            [*podman, 'image', 'mount', 'localhost/agent'],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        ).stdout.strip()
        for path in (
            'var/lib/heat-config/hooks/json-file',
            'opt/stack/venvs/heat-agent/bin/os-collect-config',
            'etc/systemd/system/multi-user.target.wants/os-collect-config.service',
        ):
            self.assertTrue(os.path.lexists(os.path.join(mounted, path)), path)
        self.assertFalse(os.path.exists(os.path.join(mounted, 'tmp/heat-agent-install')))
        subprocess.run([*podman, 'image', 'unmount', '--all'], check=True, capture_output=True)
        subprocess.run([*podman, 'system', 'reset', '--force'], check=False, capture_output=True)
