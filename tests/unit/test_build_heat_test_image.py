# SPDX-License-Identifier: Apache-2.0
"""test-image/build-heat-test-image.sh: what it asks of diskimage-builder, and its refusals.

What it has in common with ./build-heat-image.sh, such as what becomes of a build that fails, is
tested there.
"""

import collections
import re

from imagebuild import distros
from tests import base, dib, image_command

TEST_IMAGE = base.ROOT / 'test-image'


class BuildHeatTestImageTest(image_command.ImageCommandTestCase):
    command = TEST_IMAGE / 'build-heat-test-image.sh'

    def recipe(self, *args: str, **env: str) -> 'list[str]':
        """Return the arguments of disk-image-create."""
        words = self.dry_run(*args, **env)
        return words[words.index('disk-image-create') + 1 :]

    def packages(self, distro: str, release: str, *args: str, **env: str) -> 'set[str]':
        done = self.build('--list-packages', '--distro', distro, '--release', release, *args, **env)
        self.assertEqual((0, ''), (done.status, done.stderr))
        names = done.stdout.splitlines()
        self.assertEqual(sorted(set(names)), names)
        return set(names)

    def test_help_names_the_options_the_variables_and_the_releases(self):
        done = self.build('--help')
        self.assertEqual((0, ''), (done.status, done.stderr))
        for word in (
            '--distro',
            '--release',
            '--list-packages',
            '--no-tmpfs',
            'IMAGE_NAME',
            'ELEMENTS_PATH',
            'trixie',
            '10-stream',
        ):
            self.assertIn(word, done.stdout)

    def test_by_default_it_builds_fedora(self):
        self.assertEqual(
            [
                '-o',
                str(self.images / 'fedora-heat-test-image'),
                '-t',
                'qcow2',
                'vm',
                'fedora',
                'fedora-heat-test',
            ],
            self.recipe(),
        )

    def test_the_variables_of_the_published_recipe_mean_what_they_meant(self):
        for distro in ('ubuntu', 'ubuntu-heat-test'):
            self.assertEqual(
                [
                    '-o',
                    str(self.images / 'mine'),
                    '-t',
                    'qcow2',
                    'vm',
                    'ubuntu',
                    'apt-cache',
                    'ubuntu-heat-test',
                ],
                self.recipe(DISTRO=distro, IMAGE_NAME='mine', DIB_RELEASE='jammy'),
            )

    def test_options_win_over_variables(self):
        words = self.dry_run(
            '--distro',
            'debian',
            '--release',
            'bookworm',
            '-o',
            'mine',
            DISTRO='fedora',
            DIB_RELEASE='trixie',
            IMAGE_NAME='other',
        )
        self.assertIn('DIB_RELEASE=bookworm', words)
        self.assertIn(str(self.images / 'mine'), words)
        self.assertIn('debian-heat-test', words)

    def test_fedora_is_told_the_name_of_its_image(self):
        self.assertIn(
            'BASE_IMAGE_FILE=Fedora-Cloud-Base-Generic-43-1.6.x86_64.qcow2',
            self.dry_run('-a', 'x86_64', '--release', '43'),
        )
        self.assertIn(
            'BASE_IMAGE_FILE=Fedora-Cloud-Base-Generic-44-1.7.aarch64.qcow2',
            self.dry_run('-a', 'arm64', DIB_RELEASE='44'),
        )

    def test_elements_path_comes_before_our_own(self):
        (self.root / 'own').mkdir()
        self.assertIn(
            f'ELEMENTS_PATH={self.root / "own"}:{TEST_IMAGE / "elements"}:{base.ELEMENTS}',
            self.dry_run(ELEMENTS_PATH=str(self.root / 'own')),
        )

    def test_the_published_path_of_the_command_is_one(self):
        self.command = base.ROOT / 'hot/software-config/test-image/build-heat-test-image.sh'
        self.assertIn('debian-heat-test', self.recipe('--distro', 'debian'))

    def test_an_unknown_distribution_is_refused(self):
        self.assert_refused(self.build('--distro', 'arch'), "'arch'", 'debian: bookworm, trixie')
        self.assert_refused(self.build(DISTRO='opensuse-heat-test'), "'opensuse'", 'fedora: 42')

    def test_an_unknown_release_is_refused(self):
        self.assert_refused(self.build('--release', '37'), "fedora '37'", '42, 43, 44')

    def test_centos_7_is_refused_with_what_to_use_instead(self):
        for name in ('centos7', 'centos7-heat-test'):
            self.assert_refused(self.build(DISTRO=name), '30 June 2024', '9-stream or 10-stream')

    def test_the_packages_of_debian_are_listed(self):
        for release in ('bookworm', 'trixie'):
            self.assertLessEqual(
                {
                    'cloud-init',
                    'gcc',
                    'linux-image-amd64',
                    'openssh-server',
                    'puppet-agent',
                    'python3-dogpile.cache',
                    'python3-oslo.config',
                    'python3-pip',
                    'python3-venv',
                    'python3-yaml',
                },
                self.packages('debian', release, ARCH='amd64'),
            )

    def test_the_packages_of_ubuntu_are_listed(self):
        self.assertLessEqual(
            {'linux-image-generic', 'puppet', 'python3-pystache'}, self.packages('ubuntu', 'jammy')
        )
        self.assertIn('puppet-agent', self.packages('ubuntu', 'noble'))

    def test_the_packages_of_fedora_are_listed(self):
        for release in ('43', '44'):
            self.assertLessEqual(
                {
                    'kernel-modules',
                    'libxslt-devel',
                    'puppet',
                    'python3-oslo-config',
                    'python3-pip',
                    'python3-pyyaml',
                },
                self.packages('fedora', release),
            )

    def test_the_packages_of_centos_are_listed(self):
        nine = self.packages('centos', '9-stream')
        self.assertLessEqual(
            {
                'centos-release-openstack-epoxy',
                'openssl-devel',
                'python3-heatclient',
                'python3-lxml',
            },
            nine,
        )
        ten = self.packages('centos', '10-stream')
        self.assertIn('python3-lxml', ten)
        self.assertNotIn('python3-heatclient', ten)

    def test_packages_and_elements_of_ones_own_are_listed(self):
        element = self.root / 'own' / 'kneader'
        element.mkdir(parents=True)
        (element / 'package-installs.yaml').write_text('dough-hook:\n')
        self.assertLessEqual(
            {'dough-hook', 'flour'},
            self.packages(
                'debian', 'trixie', 'kneader', '-p', 'flour', ELEMENTS_PATH=str(element.parent)
            ),
        )

    def test_packages_are_listed_where_no_image_can_be_written(self):
        self.assertIn('gcc', self.packages('debian', 'trixie', '-o', '/no/such/image'))

    def test_what_cannot_be_resolved_is_said(self):
        element = self.root / 'own' / 'kneader'
        element.mkdir(parents=True)
        (element / 'element-deps').write_text('bakery\n')
        done = self.build(
            '--list-packages', '--distro', 'debian', 'kneader', ELEMENTS_PATH=str(element.parent)
        )
        self.assert_refused(done, "'bakery' not found")
        self.assertEqual('', done.stdout)


class ElementsTest(base.TestCase):
    """What the elements do when disk-image-create is called without our command."""

    #: Elements' scripts are bash.
    guard_processes = False

    def test_each_distribution_has_one(self):
        for distro in distros.known().values():
            element = TEST_IMAGE / 'elements' / f'{distro.name}-heat-test'
            self.assertEqual(bool(distro.with_test_images()), element.is_dir())
            if distro.with_test_images():
                dependencies = (element / 'element-deps').read_text().split()
                self.assertLessEqual({distro.elements[0], 'heat-test-image'}, set(dependencies))

    def test_fedora_sets_what_diskimage_builder_has_to_be_told(self):
        environment = dib.build_environment(dib.closure('fedora-heat-test'), '')
        self.assertEqual(
            ('44', 'Fedora-Cloud-Base-Generic-44-1.7.x86_64.qcow2'),
            (environment['DIB_RELEASE'], environment['BASE_IMAGE_FILE']),
        )

    def test_nobody_waits_for_a_choice_at_boot(self):
        environment = dib.build_environment(dib.closure('debian-heat-test'), 'trixie')
        self.assertEqual('0', environment['DIB_GRUB_TIMEOUT'])

    def test_a_kernel_that_panics_boots_again(self):
        environment = dib.build_environment(dib.closure('debian-heat-test', 'bootloader'), 'trixie')
        self.assertEqual(
            'nofb nomodeset gfxpayload=text panic=10', environment['DIB_BOOTLOADER_DEFAULT_CMDLINE']
        )

    def test_it_does_not_if_told_otherwise(self):
        done = self.run_program(
            [
                '/bin/bash',
                '-eu',
                '-c',
                'source "$0"; echo "$DIB_BOOTLOADER_DEFAULT_CMDLINE"',
                TEST_IMAGE / 'elements/heat-test-image/environment.d/50-heat-test-image',
            ],
            env={'DIB_BOOTLOADER_DEFAULT_CMDLINE': 'quiet panic=0'},
        )
        self.assertEqual(('quiet panic=0\n', ''), (done.stdout, done.stderr))

    def test_the_hook_may_be_in_the_image_too(self):
        elements = dib.closure('debian-heat-test', 'heat-config-puppet', 'os-collect-config')
        owners = collections.Counter(
            path
            for folder in elements.values()
            for path in dib.copied(folder)
            if len(path.parts) > 1
        )
        self.assertEqual([], [path for path, count in owners.items() if count > 1])
        installed = dib.packages(elements, 'trixie', 'source').values()
        self.assertEqual(1, sum(names.count('puppet-agent') for names in installed))

    def test_centos_7_ends_with_what_to_use_instead(self):
        done = self.run_program(
            [TEST_IMAGE / 'elements/centos7-heat-test/root.d' / '00-centos7-heat-test']
        )
        self.assertEqual(1, done.status)
        self.assertIn('DIB_RELEASE=9-stream or 10-stream', done.stderr)

    def test_rdo_is_called_as_for_the_agents_packages(self):
        paths = (
            base.ELEMENTS / 'os-refresh-config/pkg-map',
            TEST_IMAGE / 'elements/centos-heat-test/pkg-map',
        )
        first, second = (
            re.findall('"(centos-release-openstack-.+?)"', path.read_text()) for path in paths
        )
        self.assertEqual(first, second)
