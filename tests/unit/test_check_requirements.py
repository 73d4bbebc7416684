# SPDX-License-Identifier: Apache-2.0
"""test-image/check-requirements, with a package index and an archive that are made up."""

import lzma
import pathlib
import sys
import zipfile

import testtools
from packaging.version import Version

from imagebuild import requirements
from tests import base

COMMAND = base.ROOT / 'test-image' / 'check-requirements'

#: Debian's index of packages: one with an epoch, an old one, one by another name.
PACKAGES = """\
Package: python3-requests
Section: python
Version: 2:2.32.3+dfsg-5+deb13u1
Provides: python3-requests-impl (= 2), http-client

Package: python3-keystoneclient
Version: 1:3.7.0-1
Depends: python3

Package: python3-sourdough
Version: 1.0~rc1-1
"""


class RequirementsTestCase(base.TestCase):
    #: pip.
    guard_processes = False

    def setUp(self) -> None:
        super().setUp()
        self.wheels = self.root / 'wheels'
        self.wheels.mkdir()
        self.mirror = self.root / 'mirror'
        for release in ('bookworm', 'trixie'):
            folder = self.mirror / 'dists' / release / 'main' / 'binary-amd64'
            folder.mkdir(parents=True)
            (folder / 'Packages.xz').write_bytes(lzma.compress(PACKAGES.encode()))
        self.env = {
            'HEAT_IMAGE_VENV': sys.prefix,
            'PIP_CONFIG_FILE': '/dev/null',
            'PIP_NO_INDEX': '1',
            'PIP_FIND_LINKS': str(self.wheels),
            'ARCH': 'x86_64',
            'DIB_DISTRIBUTION_MIRROR': f'file://{self.mirror}',
        }

    def release(self, name: str, *requires: str, python: str = '>=3.9') -> pathlib.Path:
        """Release version 99 of an agent in the package index."""
        stem = name.replace('-', '_')
        wheel = self.wheels / f'{stem}-99-py3-none-any.whl'
        metadata = [
            f'Name: {name}',
            'Version: 99',
            f'Requires-Python: {python}',
            *(f'Requires-Dist: {text}' for text in requires),
        ]
        with zipfile.ZipFile(wheel, 'w') as archive:
            for file, text in (
                ('METADATA', 'Metadata-Version: 2.1\n' + '\n'.join(metadata)),
                ('WHEEL', 'Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any'),
                ('RECORD', ''),
            ):
                archive.writestr(f'{stem}-99.dist-info/{file}', text + '\n')
        return wheel

    def check(self, *args: str, **env: str):
        done = self.run_program([COMMAND, *args], env={**self.env, **env})
        self.assertNotIn('Traceback', done.stderr)
        return done


class CommandTest(RequirementsTestCase):
    def test_help_says_what_it_does(self):
        done = self.check('--help')
        self.assertEqual((0, ''), (done.status, done.stderr))
        for word in ('heat-agent-pkg-requires', 'PIP_INDEX_URL', 'DIB_DISTRIBUTION_MIRROR'):
            self.assertIn(word, done.stdout)

    def test_wrong_usage_ends_with_status_2(self):
        self.assertEqual(2, self.check('--no-such-option').status)

    def test_an_index_without_the_agents_is_said(self):
        done = self.check()
        self.assertEqual(1, done.status)
        self.assertIn('package index does not tell', done.stderr)
        self.assertIn('os-apply-config', done.stderr)

    def test_an_archive_that_cannot_be_read_is_said(self):
        for name in ('os-apply-config', 'os-collect-config', 'os-refresh-config'):
            self.release(name)
        done = self.check(DIB_DISTRIBUTION_MIRROR='file:///no/such')
        self.assertEqual(1, done.status)
        self.assertIn('archive cannot be read: file:///no/such/dists/bookworm', done.stderr)

    def test_each_kind_of_finding_is_named(self):
        self.release(
            'os-apply-config',
            'PyYAML>=3.12',
            'pystache',
            'Sourdough>=0.5',
            'tomli>=2; python_version < "3.11"',
            'flour; extra == "test"',
        )
        self.release('os-collect-config', 'python-keystoneclient>=3.8.0', 'requests>=2.14.2')
        self.release('os-refresh-config')
        done = self.check()
        self.assertEqual((1, ''), (done.status, done.stderr))
        lines = done.stdout.splitlines()

        def found(*texts: str) -> 'list[str]':
            return [line for line in lines if all(text in line for text in texts)]

        # Every release, with the package's name where it is known.
        self.assertEqual(10, len(found('os-apply-config 99 requires Sourdough>=0.5')))
        self.assertIn(
            'the package is python3-sourdough', found('debian trixie', 'requires Sourdough')[0]
        )
        self.assertIn('the package is not known', found('fedora 43', 'requires Sourdough')[0])
        # A requirement of old Pythons only.
        self.assertEqual(
            ['ubuntu jammy', 'centos 9-stream'],
            [line.partition(':')[0] for line in found('requires tomli')],
        )
        self.assertEqual([], found('flour'))
        # What nothing requires any more.
        self.assertEqual(1, len(found('no agent requires psutil any more')))
        self.assertEqual([], found('no agent requires requests'))
        # The archive.
        self.assertEqual(
            2,
            len(
                found(
                    'the archive has no package python3-yaml, which '
                    'heat-agent-pkg-requires installs'
                )
            ),
        )
        self.assertEqual([], found('no package python3-requests'))
        self.assertEqual(
            2,
            len(
                found(
                    'python3-keystoneclient is of version 3.7.0',
                    'os-collect-config 99 requires',
                    '>=3.8.0',
                )
            ),
        )
        self.assertEqual([], found('python3-requests is of version'))


class ArchiveTest(RequirementsTestCase):
    def archive(self) -> requirements.Archive:
        return requirements.Archive(f'file://{self.mirror}/', 'trixie', 'amd64')

    def test_it_has_packages_and_what_they_provide(self):
        archive = self.archive()
        for name in ('python3-requests', 'python3-requests-impl', 'http-client'):
            self.assertIn(name, archive)
        self.assertNotIn('python3-yaml', archive)

    def test_a_version_is_the_one_upstream(self):
        archive = self.archive()
        self.assertEqual(Version('2.32.3'), archive.version('python3-requests'))
        self.assertEqual(Version('3.7.0'), archive.version('python3-keystoneclient'))
        self.assertEqual(Version('1.0'), archive.version('python3-sourdough'))

    def test_what_is_no_index_is_said(self):
        path = self.mirror / 'dists' / 'trixie' / 'main' / 'binary-amd64' / 'Packages.xz'
        path.write_text('<html>')
        with testtools.ExpectedException(requirements.Unknown, '.*cannot be read.*Packages.xz'):
            self.archive()
