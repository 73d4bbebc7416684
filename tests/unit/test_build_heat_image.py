# SPDX-License-Identifier: Apache-2.0
"""./build-heat-image.sh as its user sees it: what it asks of diskimage-builder, and its refusals.

disk-image-create is a fake; tests/integration boots a real image.
"""

import os
import pathlib
import signal
import subprocess
import time

from tests import base, image_command

COMMAND = base.ROOT / 'build-heat-image.sh'

#: Behaves as $FAKE_DIB says, and writes what it was called with.
FAKE_DISK_IMAGE_CREATE = """#!/bin/bash
set -eu
env > "$HOME/dib-environment"
while [ "$1" != -o ]; do shift; done
image=$2
echo "2026-01-01 00:00:00.000 | dib-run-parts Running $TMP_DIR/hooks/root.d/08-debootstrap"
touch "$TMP_DIR/left-over"
case $FAKE_DIB in
    ok)
        mkdir "$image.d"
        echo new > "$image.qcow2"
        ;;
    fail)
        echo "2026-01-01 00:00:00.000 | dib-run-parts Running /x/install.d/30-heat-agent-venv"
        echo "2026-01-01 00:00:00.000 | ERROR: Connection refused by 192.0.2.1"
        echo half > "$image.qcow2-new"
        exit 1
        ;;
    hang)
        echo half > "$image.qcow2-new"
        touch "$HOME/hanging"
        sleep 600
        ;;
esac
"""
FAKE_SUDO = """#!/bin/sh
while case $1 in -*) true ;; *) false ;; esac; do shift; done
exec "$@"
"""


class BuildHeatImageTest(image_command.ImageCommandTestCase):
    command = COMMAND

    def fake_dib(self) -> None:
        """Use the fake disk-image-create, and a sudo that asks for nothing."""
        venv = self.root / 'venv'
        (venv / 'bin').mkdir(parents=True)
        (venv / 'lib/python3/site-packages/diskimage_builder').mkdir(parents=True)
        elements = pathlib.Path(__import__('diskimage_builder').__file__).parent / 'elements'
        (venv / 'lib/python3/site-packages/diskimage_builder/elements').symlink_to(elements)
        for path, text in (
            (venv / 'bin/disk-image-create', FAKE_DISK_IMAGE_CREATE),
            (venv / 'bin/pip', '#!/bin/sh\n'),
            (self.sandbox.bin / 'sudo', FAKE_SUDO),
        ):
            path.write_text(text)
            path.chmod(0o755)
        self.env['HEAT_IMAGE_VENV'] = str(venv)

    def left_over(self) -> 'list[str]':
        return os.listdir(self.root / 'tmp')

    def test_help_names_the_options_and_the_variables(self):
        done = self.build('--help')
        self.assertEqual((0, ''), (done.status, done.stderr))
        for word in (
            '--distro',
            '--hook',
            'script',
            'rocky',
            '--no-tmpfs',
            'BASE_ELEMENTS',
            'DEPLOYMENT_TOOL',
            'ELEMENTS_PATH',
            'DIB_LOCAL_IMAGE',
            'TMPDIR',
        ):
            self.assertIn(word, done.stdout)

    def test_by_default_it_builds_debian_with_the_script_hook_for_a_cloud(self):
        words = self.dry_run()
        call = words[words.index('disk-image-create') :]
        self.assertEqual(
            [
                '-o',
                str(self.images / 'debian-heat-agent'),
                '-t',
                'qcow2',
                'vm',
                'debian',
                'apt-cache',
                'systemd-resolved',
                'os-collect-config',
                'os-apply-config',
                'os-refresh-config',
                'heat-config',
                'heat-config-script',
            ],
            call[1:],
        )
        self.assertIn('DIB_RELEASE=trixie', words)

    def test_the_variables_of_the_published_recipe_mean_what_they_meant(self):
        words = self.dry_run(
            BASE_ELEMENTS='fedora selinux-permissive',
            AGENT_ELEMENTS='os-collect-config',
            IMAGE_NAME='mine.qcow2',
            DEPLOYMENT_BASE_ELEMENTS='heat-config',
            DIB_RELEASE='42',
            DEPLOYMENT_TOOL='heat-config-script',
            ARCH='x86_64',
        )
        call = words[words.index('disk-image-create') :]
        self.assertEqual(
            [
                '-o',
                str(self.images / 'mine'),
                '-t',
                'qcow2',
                '-a',
                'amd64',
                'vm',
                'fedora',
                'selinux-permissive',
                'os-collect-config',
                'heat-config',
                'heat-config-script',
            ],
            call[1:],
        )

    def test_elements_path_comes_before_our_own(self):
        for name in ('one', 'two'):
            (self.root / name).mkdir()
        path = f'{self.root / "one"}:{self.root / "two"}'
        self.assertIn(f'ELEMENTS_PATH={path}:{base.ELEMENTS}', self.dry_run(ELEMENTS_PATH=path))

    def test_the_published_path_of_the_elements_is_one(self):
        published = base.ROOT / 'hot' / 'software-config' / 'elements'
        self.assertIn(
            'heat-config-script', self.dry_run('--hook', 'script', ELEMENTS_PATH=str(published))
        )

    def test_a_hook_may_come_from_elements_path(self):
        (self.root / 'own' / 'heat-config-knead').mkdir(parents=True)
        self.assertIn(
            'heat-config-knead',
            self.dry_run('--hook', 'knead', ELEMENTS_PATH=str(self.root / 'own')),
        )

    def test_an_image_without_a_disk_needs_no_boot_loader(self):
        self.assertNotIn('vm', self.dry_run('-t', 'tar'))
        self.assertIn('vm', self.dry_run('-t', 'tar,raw'))

    def test_each_distribution_has_elements(self):
        for name in ('debian', 'ubuntu', 'fedora', 'centos', 'rocky', 'opensuse'):
            self.dry_run('--distro', name)

    def test_an_unknown_hook_is_refused(self):
        self.assert_refused(self.build('--hook', 'nix'), "no hook 'nix'", 'script', 'ELEMENTS_PATH')

    def test_an_unknown_distribution_is_refused(self):
        self.assert_refused(self.build('--distro', 'centos7'), "'centos7'", 'debian, ubuntu')

    def test_an_unknown_element_is_refused(self):
        self.assert_refused(self.build('no-such-element'), "no element 'no-such-element'")
        self.assert_refused(self.build(BASE_ELEMENTS='debain'), "no element 'debain'")

    def test_an_unknown_image_type_is_refused(self):
        self.assert_refused(self.build('-t', 'qcow3'), "'qcow3'", 'qcow2')

    def test_two_distributions_are_refused(self):
        self.assert_refused(
            self.build('--distro', 'ubuntu', BASE_ELEMENTS='debian'), 'BASE_ELEMENTS'
        )

    def test_a_missing_folder_of_elements_is_refused(self):
        self.assert_refused(self.build(ELEMENTS_PATH='/no/such'), 'ELEMENTS_PATH', '/no/such')

    def test_a_missing_folder_for_the_image_is_refused(self):
        self.assert_refused(self.build('-o', '/no/such/image'), '/no/such')

    def test_a_blank_in_a_path_is_refused(self):
        # diskimage-builder quotes few of its variables.
        self.assert_refused(self.build('-o', 'my image'), 'my image', 'blank')

    def test_no_agents_is_a_choice(self):
        words = self.dry_run(AGENT_ELEMENTS='', DEPLOYMENT_BASE_ELEMENTS='')
        self.assertEqual(['vm', 'debian', 'apt-cache', 'systemd-resolved'], words[-4:])

    def test_a_missing_local_image_is_refused(self):
        self.assert_refused(self.build('--distro', 'rhel'), 'DIB_LOCAL_IMAGE')
        self.assert_refused(self.build(DIB_LOCAL_IMAGE='/no/such'), 'DIB_LOCAL_IMAGE', '/no/such')

    def test_too_little_disk_is_refused(self):
        self.assert_refused(
            self.build('--no-tmpfs', HEAT_IMAGE_BUILD_GIB='99999'),
            'Too little disk',
            '99999',
            'TMPDIR',
        )

    def test_a_size_that_is_no_number_is_refused(self):
        self.assert_refused(self.build(HEAT_IMAGE_BUILD_GIB='much'), 'HEAT_IMAGE_BUILD_GIB', 'much')

    def test_wrong_usage_ends_with_status_2(self):
        self.assertEqual(2, self.build('--no-such-option').status)

    def test_a_build_ends_with_the_image_and_the_next_step(self):
        self.fake_dib()
        (self.images / 'mine.qcow2').write_text('old')
        (self.images / 'mine.d').mkdir()
        done = self.build('-o', 'mine', FAKE_DIB='ok')
        self.assertEqual((0, ''), (done.status, done.stderr))
        for text in ('base system', 'mine.qcow2', 'heat-config-script', 'openstack image create'):
            self.assertIn(text, done.stdout)
        self.assertEqual(['mine.d', 'mine.log', 'mine.qcow2'], sorted(os.listdir(self.images)))
        self.assertEqual('new\n', (self.images / 'mine.qcow2').read_text())
        self.assertEqual([], self.left_over())

    def test_the_build_gets_our_elements_and_no_temporary_folder_that_the_image_lacks(self):
        self.fake_dib()
        self.build('-o', 'mine', FAKE_DIB='ok')
        lines = (self.root / 'home' / 'dib-environment').read_text().splitlines()
        env = dict(line.split('=', 1) for line in lines if '=' in line)
        self.assertEqual(str(base.ELEMENTS), env['ELEMENTS_PATH'])
        self.assertNotIn('TMPDIR', env)
        self.assertEqual('1', env['DIB_DEBIAN_USE_DEBOOTSTRAP_CACHE'])

    def test_a_failed_build_shows_the_reason_and_keeps_the_old_image(self):
        self.fake_dib()
        (self.images / 'mine.qcow2').write_text('old')
        done = self.build('-o', 'mine', FAKE_DIB='fail')
        self.assertEqual(1, done.status)
        for text in (
            'ERROR: Connection refused by 192.0.2.1',
            '30-heat-agent-venv',
            'mine.log',
            'http_proxy',
        ):
            self.assertIn(text, done.stderr)
        self.assertNotIn('Traceback', done.stderr)
        self.assertEqual(['mine.log', 'mine.qcow2'], sorted(os.listdir(self.images)))
        self.assertEqual('old', (self.images / 'mine.qcow2').read_text())
        self.assertEqual([], self.left_over())

    def test_an_interrupted_build_leaves_nothing_behind(self):
        self.fake_dib()
        for number in (signal.SIGINT, signal.SIGTERM):
            process = subprocess.Popen(
                [COMMAND, '-o', 'mine'],
                cwd=self.images,
                text=True,
                env={**self.sandbox.env, **self.env, 'FAKE_DIB': 'hang'},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
            self.addCleanup(process.kill)
            hanging = self.root / 'home' / 'hanging'
            while not hanging.exists() and process.poll() is None:
                time.sleep(0.05)
            process.send_signal(number)
            _, stderr = process.communicate()
            self.assertEqual(128 + number, process.returncode, stderr)
            self.assertIn('Interrupted', stderr)
            self.assertNotIn('Traceback', stderr)
            self.assertEqual(['mine.log'], os.listdir(self.images))
            self.assertEqual([], self.left_over())
            hanging.unlink()
