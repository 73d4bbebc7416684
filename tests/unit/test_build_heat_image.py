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


class BuildHeatImageTest(image_command.ImageCommandTestCase):
    command = COMMAND

    def fake_dib(self) -> None:
        """Use the fake disk-image-create."""
        venv = self.root / 'venv'
        (venv / 'bin').mkdir(parents=True)
        (venv / 'lib/python3/site-packages/diskimage_builder').mkdir(parents=True)
        elements = pathlib.Path(__import__('diskimage_builder').__file__).parent / 'elements'
        (venv / 'lib/python3/site-packages/diskimage_builder/elements').symlink_to(elements)
        for path, text in (
            (venv / 'bin/disk-image-create', FAKE_DISK_IMAGE_CREATE),
            (venv / 'bin/pip', '#!/bin/sh\n'),
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
            DIB_RELEASE='44',
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

    def test_an_unknown_hook_is_refused(self):
        self.assert_refused(self.build('--hook', 'nix'), "no hook 'nix'", 'script', 'ELEMENTS_PATH')

    def test_an_unknown_distribution_is_refused(self):
        self.assert_refused(self.build('--distro', 'arch'), "'arch'", 'debian, ubuntu')

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
        self.assertEqual(
            ['mine.d', 'mine.log', 'mine.qcow2', 'mine.qcow2.sha256'],
            sorted(os.listdir(self.images)),
        )
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

    def hanging_build(self, *options: str) -> 'subprocess.Popen[str]':
        """Start a build that waits in disk-image-create; return once it does."""
        process = subprocess.Popen(
            [COMMAND, '-o', 'mine', *options],
            cwd=self.images,
            text=True,
            env={**self.sandbox.env, **self.env, 'FAKE_DIB': 'hang'},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        hanging = self.root / 'home' / 'hanging'
        while not hanging.exists() and process.poll() is None:
            time.sleep(0.05)
        hanging.unlink()
        return process

    def test_an_interrupted_build_leaves_nothing_behind(self):
        self.fake_dib()
        for number in (signal.SIGINT, signal.SIGTERM):
            process = self.hanging_build()
            process.send_signal(number)
            _, stderr = process.communicate()
            self.assertEqual(128 + number, process.returncode, stderr)
            self.assertIn('Interrupted', stderr)
            self.assertNotIn('Traceback', stderr)
            self.assertEqual(['mine.log'], os.listdir(self.images))
            self.assertEqual([], self.left_over())
            self.assertEqual([], os.listdir(self.root / 'home/.cache/heat-image/builds'))

    def test_a_killed_build_leaves_nothing_behind(self):
        self.fake_dib()
        process = self.hanging_build()
        work = self.left_over()
        self.assertEqual(1, len(work))
        process.kill()
        process.wait()
        while self.left_over() or os.listdir(self.images) != ['mine.log']:
            time.sleep(0.05)
        self.assertEqual([], self.working_in(work[0]))

    def working_in(self, folder: str) -> 'list[str]':
        """The processes of a build, by the variable that all of them have."""
        variable = f'TMP_DIR={self.root / "tmp" / folder}'.encode()
        found = []
        for path in pathlib.Path('/proc').glob('[0-9]*/environ'):
            try:
                if variable in path.read_bytes().split(b'\0'):
                    found.append(path.parent.name)
            except OSError:  # of another user, or at its end
                pass
        return found

    def test_what_was_left_when_the_machine_went_down_is_removed_by_the_next_build(self):
        self.fake_dib()
        records = self.root / 'home/.cache/heat-image/builds'
        records.mkdir(parents=True)
        left = [self.root / 'tmp' / 'heat-image-1', self.root / 'elsewhere' / '.heat-image-1']
        for folder in left:
            (folder / 'mnt').mkdir(parents=True)
        (records / 'heat-image-1').write_text('\n'.join(map(str, left)))
        done = self.build('-o', 'mine', FAKE_DIB='ok')
        self.assertEqual((0, ''), (done.status, done.stderr))
        self.assertIn(str(left[1]), done.stdout)
        self.assertEqual([], [folder for folder in left if folder.exists()])
        self.assertEqual([], os.listdir(records))

    def test_a_build_leaves_alone_what_another_one_works_in(self):
        self.fake_dib()
        self.hanging_build()
        busy = self.left_over()
        done = self.build('-o', 'other', FAKE_DIB='ok', DIB_IMAGE_CACHE=str(self.root / 'own'))
        self.assertEqual((0, ''), (done.status, done.stderr))
        self.assertEqual(busy, self.left_over())

    def test_an_interruption_before_it_has_begun_is_no_traceback(self):
        for delay in (0, 0.02, 0.05, 0.08, 0.12, 0.2):
            process = subprocess.Popen(
                [COMMAND, '--dry-run'],
                cwd=self.images,
                text=True,
                env={**self.sandbox.env, **self.env},
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
            time.sleep(delay)
            process.send_signal(signal.SIGINT)
            _, stderr = process.communicate()
            self.assertIn(process.returncode, (0, 130, -signal.SIGINT), stderr)
            self.assertNotIn('Traceback', stderr)
            self.assertNotIn('KeyboardInterrupt', stderr)

    def test_what_a_dry_run_prints_does_in_a_shell_what_a_build_does(self):
        self.fake_dib()
        self.env['FAKE_DIB'] = 'ok'
        printed = self.build('--dry-run', '-o', 'mine', PIP_INDEX_URL='http://index.example/simple')
        self.assertEqual((0, ''), (printed.status, printed.stderr))
        built = self.build('-o', 'other', PIP_INDEX_URL='http://index.example/simple')
        self.assertEqual((0, ''), (built.status, built.stderr))
        wanted = self.dib_environment()
        pasted = self.run_program(
            ['bash', '-c', printed.stdout],
            env={**self.env, 'PIP_INDEX_URL': 'http://index.example/simple'},
            cwd=self.images,
        )
        self.assertEqual((0, ''), (pasted.status, pasted.stderr))
        self.assertTrue((self.images / 'mine.qcow2').exists())
        self.assertEqual(wanted, self.dib_environment())

    def dib_environment(self) -> 'dict[str, str]':
        """What disk-image-create got, without what is not the same in two runs."""
        lines = (self.root / 'home' / 'dib-environment').read_text().splitlines()
        env = dict(line.split('=', 1) for line in lines if '=' in line)
        for name in ('TMP_DIR', 'PWD', 'OLDPWD', 'SHLVL', '_'):
            env.pop(name, None)
        return env

    def test_an_unknown_architecture_is_refused(self):
        for how in ({'ARCH': 'bogus'}, {}):
            options = () if how else ('--arch', 'bogus')
            self.assert_refused(self.build('--dry-run', *options, **how), "'bogus'", 'arm64')

    def test_an_architecture_that_the_distribution_lacks_is_refused(self):
        self.assert_refused(
            self.build('--dry-run', '--distro', 'opensuse', '--arch', 'arm64'), 'arm64', 'amd64'
        )

    def test_an_arm64_disk_boots_by_efi(self):
        words = self.dry_run('--arch', 'arm64')
        self.assertIn('block-device-efi', words)
        self.assertNotIn('block-device-efi', self.dry_run('--arch', 'arm64', '-t', 'tar'))
        words = self.dry_run('--arch', 'arm64', 'block-device-efi-lvm')
        self.assertNotIn('block-device-efi', words)

    def test_a_dry_run_refuses_what_a_build_refuses(self):
        for options, env, text in (
            (('--hook', 'nix'), {}, "no hook 'nix'"),
            ((), {'DEPLOYMENT_TOOL': 'heat-config-nix'}, "no element 'heat-config-nix'"),
            ((), {'BASE_ELEMENTS': 'centos7'}, '30 June 2024'),
            ((), {'HEAT_IMAGE_BUILD_GIB': '99999', 'DIB_NO_TMPFS': '1'}, 'Too little disk'),
            ((), {'DIB_LOCAL_IMAGE': '/no/such'}, '/no/such'),
        ):
            self.assert_refused(self.build('--dry-run', *options, **env), text)

    def test_a_hook_that_does_not_exist_is_refused_where_nothing_is_installed_yet(self):
        self.assert_refused(
            self.build(
                '--dry-run', DEPLOYMENT_TOOL='heat-config-nix', HEAT_IMAGE_VENV='/no/such/venv'
            ),
            "no element 'heat-config-nix'",
        )

    def test_a_dry_run_says_what_it_could_not_look_up(self):
        done = self.build('--dry-run', HEAT_IMAGE_VENV='/no/such/venv')
        self.assertEqual(0, done.status)
        self.assertIn('diskimage-builder is not in /no/such/venv yet', done.stderr)

    def test_a_local_image_is_refused_where_nothing_reads_it(self):
        image = self.root / 'base.qcow2'
        image.write_text('')
        for base_elements in ('debian', 'rocky-container', 'opensuse', 'ubuntu-minimal'):
            self.assert_refused(
                self.build('--dry-run', BASE_ELEMENTS=base_elements, DIB_LOCAL_IMAGE=str(image)),
                f"'{base_elements}' does not read it",
                'centos, fedora, rhel, ubuntu',
            )

    def test_a_local_image_is_used_where_it_is_read(self):
        image = self.root / 'base.qcow2'
        image.write_text('')
        for name in ('centos', 'fedora', 'rhel', 'ubuntu'):
            self.dry_run('--distro', name, DIB_LOCAL_IMAGE=str(image))
        # Its release does not matter then, nor what the file is called.
        self.dry_run('--distro', 'fedora', '--release', '45', DIB_LOCAL_IMAGE=str(image))

    def test_a_failed_download_names_the_variables_of_the_base_element(self):
        self.fake_dib()
        image = self.root / 'base.qcow2'
        image.write_text('')
        done = self.build('--distro', 'centos', FAKE_DIB='fail', DIB_LOCAL_IMAGE=str(image))
        self.assertIn('DIB_CLOUD_IMAGES', done.stderr)
        self.assertNotIn('DIB_DEBIAN_SECURITY_MIRROR', done.stderr)
        done = self.build(FAKE_DIB='fail')
        self.assertIn('DIB_DISTRIBUTION_MIRROR, DIB_DEBIAN_SECURITY_MIRROR', done.stderr)
        self.assertNotIn('DIB_CLOUD_IMAGES', done.stderr)

    def test_a_release_is_named_by_its_code_name_its_version_or_its_suite(self):
        for name in ('bookworm', '12', 'oldstable'):
            self.assertIn('DIB_RELEASE=bookworm', self.dry_run('--release', name))
        self.assertIn('DIB_RELEASE=9-stream', self.dry_run('--distro', 'centos', '--release', '9'))
        # The option wins.
        self.assertIn('DIB_RELEASE=bookworm', self.dry_run('--release', '12', DIB_RELEASE='trixie'))

    def test_names_of_the_past_are_refused_with_what_replaces_them(self):
        for options, env, text in (
            (('--distro', 'centos7'), {}, '--distro centos with --release 9-stream or 10-stream'),
            (('--distro', 'fedora21'), {}, '--distro fedora with --release'),
            (('--distro', 'jessie'), {}, '--distro debian with --release bookworm or trixie'),
            (('--release', 'jessie'), {}, '--release bookworm or trixie'),
            (('--distro', 'fedora'), {'DIB_RELEASE': '21'}, '1 December 2015'),
            ((), {'BASE_ELEMENTS': 'fedora', 'DIB_RELEASE': '21'}, '1 December 2015'),
            ((), {'BASE_ELEMENTS': 'ubuntu', 'DIB_RELEASE': 'trusty'}, 'noble'),
            ((), {'BASE_ELEMENTS': 'rhel7'}, '30 June 2024'),
        ):
            for dry_run in ((), ('--dry-run',)):
                self.assert_refused(self.build(*dry_run, *options, **env), text)

    def test_a_release_past_its_end_is_warned_of(self):
        done = self.build('--dry-run', '--distro', 'fedora', '--release', '42')
        self.assertEqual(0, done.status)
        for text in ('Fedora 42 came to its end on 27 May 2026', '--release 44'):
            self.assertIn(text, done.stderr)
        self.assertNotIn('Warning', done.stdout)

    def test_an_unknown_release_is_warned_of(self):
        done = self.build('--dry-run', BASE_ELEMENTS='debian-minimal', DIB_RELEASE='sid')
        self.assertEqual(0, done.status)
        self.assertIn("the release 'sid' of Debian", done.stderr)

    def test_what_diskimage_builder_cannot_build_is_refused(self):
        self.assert_refused(
            self.build('--dry-run', '--release', 'testing'), 'software-properties-common', 'trixie'
        )
