# SPDX-License-Identifier: Apache-2.0
"""The parts of imagebuild that a run of the command on this machine does not reach."""

import gzip
import io
import os
import pathlib
from unittest import mock

import testtools

from imagebuild import build, call, machine, progress, sourcing, tools
from imagebuild.errors import Refusal
from tests import base

DEBIAN = 'ID=debian\nVERSION_CODENAME=bookworm\n'


class AptMirrorsTest(base.TestCase):
    def mirrors(self, release: str, distro: str = 'debian', **sources: str) -> 'dict[str, str]':
        """Return the mirrors of a machine with this os-release and these sources by suffix."""
        folder = self.root / 'etc' / 'apt' / 'sources.list.d'
        folder.mkdir(parents=True, exist_ok=True)
        (self.root / 'etc' / 'os-release').write_text(release)
        for suffix, text in sources.items():
            (folder / f'own.{suffix}').write_text(text)
        return machine.apt_mirrors(distro, self.root / 'etc')

    def test_they_are_read_from_stanzas(self):
        found = self.mirrors(
            DEBIAN,
            sources=(
                '# Types: deb\n'
                'Types: deb\nURIs: http://mirror.example/debian/\n'
                'Suites: bookworm bookworm-updates\n\n'
                'Types: deb\nEnabled: no\nURIs: http://off.example/\nSuites: bookworm-security\n\n'
                'Types: deb\nURIs: http://mirror.example/security\nSuites: bookworm-security\n'
            ),
        )
        self.assertEqual(
            {
                'DIB_DISTRIBUTION_MIRROR': 'http://mirror.example/debian',
                'DIB_DEBIAN_SECURITY_MIRROR': 'http://mirror.example/security',
            },
            found,
        )

    def test_they_are_read_from_lines(self):
        found = self.mirrors(
            DEBIAN,
            list=(
                'deb-src http://source.example/debian bookworm main\n'
                'deb [arch=amd64 signed-by=/k.gpg] http://mirror.example/debian bookworm main\n'
            ),
        )
        self.assertEqual({'DIB_DISTRIBUTION_MIRROR': 'http://mirror.example/debian'}, found)

    def test_another_distribution_has_others(self):
        line = 'deb http://mirror.example/debian bookworm main\n'
        self.assertEqual({}, self.mirrors(DEBIAN, distro='ubuntu', list=line))
        self.assertEqual({}, self.mirrors('ID=fedora\nVERSION_ID=43\n', list=line))

    def test_https_is_left_alone(self):
        # The base system of the image has no certificates yet.
        self.assertEqual({}, self.mirrors(DEBIAN, list='deb https://m.example/ bookworm main\n'))


class EnvironmentTest(base.TestCase):
    #: bash.
    guard_processes = False

    def sourced(self, *texts: str) -> 'dict[str, str]':
        """Return what files of these texts make of a small environment."""
        files = []
        for number, text in enumerate(texts):
            files.append(self.root / f'{number}-file')
            files[-1].write_text(text)
        return sourcing.sourced(files, {'ARCH': 'amd64', 'PATH': os.defpath})

    def test_each_file_sees_what_those_before_it_have_set(self):
        found = self.sourced("export DOUGH='two\nlines'\n", 'export LOAF="$ARCH $DOUGH"\nLOCAL=x\n')
        self.assertEqual(
            {
                'ARCH': 'amd64',
                'DOUGH': 'two\nlines',
                'LOAF': 'amd64 two\nlines',
                'PATH': os.defpath,
            },
            found,
        )

    def test_a_file_that_fails_is_named(self):
        with testtools.ExpectedException(sourcing.BrokenFile, '(?s).*1-file ends with status'):
            self.sourced('', 'echo "$MISSING"\n', 'export LATER=1\n')


class ProgressTest(base.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.stream = io.StringIO()
        self.time = 0
        self.progress = progress.Progress(self.stream, now=lambda: self.time)

    def test_each_phase_is_said_once_with_the_time(self):
        for seconds, line in (
            (5, 'Running /h/root.d/08-debootstrap'),
            (9, 'Running /h/root.d/75-baseinstall'),
            (71, 'Running /tmp/in_target.d/install.d/01-package-installs'),
        ):
            self.time = seconds
            self.progress.feed(f'2026-01-01 00:00:00.000 | dib-run-parts {line}')
        self.time = 100
        self.progress.feed('2026-01-01 00:00:00.000 | Converting image using qemu-img convert')
        self.assertEqual(
            '[ 0:05] base system\n[ 1:11] packages, agents and hooks\n'
            '[ 1:40] compressing the image\n',
            self.stream.getvalue(),
        )

    def test_a_terminal_shows_what_runs_and_is_left_clean(self):
        with mock.patch.object(self.stream, 'isatty', return_value=True):
            shown = progress.Progress(self.stream, now=lambda: 3)
        shown.feed('dib-run-parts Running /h/root.d/08-debootstrap')
        shown.tick()
        self.assertIn('08-debootstrap', self.stream.getvalue().splitlines()[-1])
        shown.close()
        self.assertTrue(self.stream.getvalue().endswith('\r\033[K'))


class RightsTest(base.TestCase):
    def test_without_root_and_sudo_it_is_refused(self):
        with mock.patch.object(machine, 'is_root', return_value=False):
            with mock.patch('shutil.which', return_value=None):
                with testtools.ExpectedException(Refusal, '.*there is no sudo.*as root'):
                    machine.check_rights()

    def test_a_sudo_that_says_no_is_a_refusal(self):
        with mock.patch.object(machine, 'is_root', return_value=False):
            with mock.patch('subprocess.run', return_value=mock.Mock(returncode=1)):
                with mock.patch('shutil.which', return_value='/usr/bin/sudo'):
                    with testtools.ExpectedException(Refusal, '.*sudo gives none'):
                        machine.check_rights()

    def test_a_sudo_that_would_ask_for_a_password_is_refused(self):
        results = [mock.Mock(returncode=0), mock.Mock(returncode=1, stderr='a password')]
        with mock.patch.object(machine, 'is_root', return_value=False):
            with mock.patch('subprocess.run', side_effect=results):
                with mock.patch('shutil.which', return_value='/usr/bin/sudo'):
                    with testtools.ExpectedException(Refusal, '.*run this command itself by sudo'):
                        machine.check_rights()

    def test_a_sudo_that_prints_warnings_is_refused(self):
        # They would end up in the middle of what losetup says.
        results = [mock.Mock(returncode=0), mock.Mock(returncode=0, stderr='cannot resolve host')]
        with mock.patch.object(machine, 'is_root', return_value=False):
            with mock.patch('subprocess.run', side_effect=results):
                with mock.patch('shutil.which', return_value='/usr/bin/sudo'):
                    with testtools.ExpectedException(Refusal, '.*cannot resolve host.*mend'):
                        machine.check_rights()


class SudoStandInTest(base.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.announce('bash', 'dirname', 'readlink')
        self.fake('real-sudo', {})
        self.fake('mount', {})

    def sudo(self, *args: str, uid: int) -> 'list[list[str]]':
        """Call the stand-in as a user; return the commands that were run."""
        self.fake('id', {'stdout': str(uid)})
        path = [str(call.SHIMS / 'partitions'), str(call.SHIMS / 'sudo'), str(self.sandbox.bin)]
        done = self.run_program(
            [call.SHIMS / 'sudo' / 'sudo', *args],
            env={'PATH': ':'.join(path), 'HEAT_IMAGE_SUDO': str(self.sandbox.bin / 'real-sudo')},
        )
        self.assertEqual((0, '', ''), done)
        return [[call.tool, *call.argv] for call in self.calls() if call.tool != 'id']

    def test_root_needs_none(self):
        self.assertEqual([['mount', 'a', 'b']], self.sudo('-E', 'mount', 'a', 'b', uid=0))

    def test_a_user_goes_through_the_real_one(self):
        self.assertEqual(
            [['real-sudo', '-E', 'mount', 'a']], self.sudo('-E', 'mount', 'a', uid=1000)
        )

    def test_the_real_one_runs_the_stand_ins(self):
        # Its own PATH would find the kpartx that cannot work.
        self.assertEqual(
            [['real-sudo', str(call.SHIMS / 'partitions' / 'kpartx'), '-d', 'x']],
            self.sudo('kpartx', '-d', 'x', uid=1000),
        )


class SystemPackagesTest(base.TestCase):
    def test_missing_ones_are_named_where_they_may_not_be_installed(self):
        with mock.patch.dict('os.environ', HEAT_IMAGE_INSTALL='0'):
            with testtools.ExpectedException(Refusal, '.*debootstrap qemu-utils'):
                tools.install_packages(['debootstrap', 'qemu-utils'], self.root / 'log', print)

    def test_missing_ones_are_named_where_installing_fails(self):
        with (
            mock.patch('shutil.which', return_value='/usr/bin/dnf'),
            mock.patch('subprocess.run', return_value=mock.Mock(returncode=1)),
        ):
            with testtools.ExpectedException(Refusal, '.*could not be installed: qemu-img'):
                tools.install_packages(['qemu-img'], self.root / 'log', lambda text: None)


class PipTest(base.TestCase):
    def settings(self, listed: str, **environ: str) -> 'dict[str, str]':
        with mock.patch('subprocess.run', return_value=mock.Mock(stdout=listed)):
            return tools.pip_variables(pathlib.Path('venv'), environ)

    def test_its_files_become_variables(self):
        self.assertEqual(
            {'PIP_INDEX_URL': 'http://index.example/simple', 'PIP_CERT': '/ca.pem'},
            self.settings(
                "global.cert='/ca.pem'\n"
                "global.index-url='http://index.example/simple'\n"
                "global.disable-pip-version-check='1'\n"
            ),
        )

    def test_variables_win(self):
        self.assertEqual({}, self.settings("global.cert='/ca.pem'\n", PIP_CERT='/other.pem'))

    def test_folders_of_this_machine_are_left_out(self):
        self.assertEqual({}, self.settings("global.extra-index-url='file:///a file:///b'\n"))


class FailureTest(base.TestCase):
    def test_the_log_tells_what_may_help(self):
        for line, hint in (
            ('tar: x: No space left on device', 'room'),
            ('E: Could not connect to 192.0.2.1:3128', 'http_proxy'),
            ('[SSL: CERTIFICATE_VERIFY_FAILED] certificate', 'PIP_CERT'),
        ):
            self.assertIn(hint, build.explain(line))
        self.assertIsNone(build.explain('Segmentation fault'))

    def test_a_tarball_that_was_cut_short_is_not_kept(self):
        whole = self.root / 'debootstrap-debian-trixie-amd64.tar.gz'
        cut = self.root / 'debootstrap-debian-sid-amd64.tar.gz'
        with mock.patch.object(machine, 'as_root', side_effect=lambda command: command):
            self.announce('rm')
            with testtools.ExpectedException(Refusal):
                with build._whole_caches(self.root):
                    whole.write_bytes(gzip.compress(b'x' * 100000))
                    cut.write_bytes(whole.read_bytes()[:-20])
                    raise Refusal('the disk is full')
        self.assertEqual([True, False], [whole.exists(), cut.exists()])
