# SPDX-License-Identifier: Apache-2.0
"""The table of distributions, against diskimage-builder, this project's files and itself."""

import datetime

from imagebuild import distros
from tests import base, dib, modules

load_tests = base.load_scenarios

RELEASES = [
    (f'{distro.name} {release.name}', {'distro': distro, 'release': release})
    for distro in distros.known().values()
    for release in distro.releases.values()
]
UPDATE_TABLES = modules.load(base.ROOT / 'imagebuild' / 'update-tables')
VERIFIED = {'ci', 'hand', 'unit', ''}


class DistroTest(base.TestCase):
    scenarios = [(name, {'distro': distro}) for name, distro in distros.known().items()]

    def test_its_elements_exist(self):
        self.assertEqual(
            set(), {*self.distro.elements, *self.distro.mirrors} - set(dib.all_elements())
        )

    def test_its_base_elements_read_the_variables_that_are_named(self):
        for name, variables in self.distro.mirrors.items():
            source = ''.join(
                path.read_text(errors='replace')
                for folder in dib.closure(name).values()
                for path in folder.rglob('*')
                if path.is_file() and path.name != 'README.rst'
            )
            for variable in variables:
                self.assertIn(variable, source, name)

    def test_the_elements_that_read_a_local_image_are_known(self):
        for name in self.distro.mirrors:
            scripts = (dib.OWN_ELEMENTS / name / 'root.d').glob('*')
            reads = any('DIB_LOCAL_IMAGE' in path.read_text() for path in scripts)
            self.assertEqual(reads, name in self.distro.local_image, name)

    def test_its_default_is_a_release_that_can_be_built(self):
        self.assertEqual('', self.distro.releases[self.distro.default].no_image)

    def test_what_has_ended_is_not_among_what_can_be_built(self):
        self.assertEqual(set(), set(self.distro.ended) & set(self.distro.releases))
        for date in self.distro.ended.values():
            self.assertLess(datetime.date.fromisoformat(date), datetime.date.today())


class ReleaseTest(base.TestCase):
    scenarios = RELEASES

    def test_its_verification_is_of_a_known_kind(self):
        found = {self.release.image, self.release.test_image, self.release.boot_config}
        self.assertEqual(set(), found - VERIFIED)

    def test_it_has_no_image_and_a_reason_or_an_image(self):
        self.assertEqual(bool(self.release.no_image), not self.release.image)

    def test_a_test_image_has_a_python_to_ask_the_index_for(self):
        if self.release.test_image:
            self.assertRegex(self.release.python, r'^3\.\d+$')

    def test_each_of_its_ways_of_installing_has_an_environment(self):
        for kind in self.release.install_types:
            path = base.ROOT / 'boot-config' / f'{self.distro.name}_{kind}_env.yaml'
            self.assertTrue(path.exists(), path)


class TablesTest(base.TestCase):
    scenarios = [(name, {'name': name}) for name in UPDATE_TABLES.TARGETS]

    def test_what_is_written_from_it_is_up_to_date(self):
        if (base.ROOT / self.name).read_text() != UPDATE_TABLES.written(self.name):
            self.fail(f'{self.name}: run imagebuild/update-tables')
