# SPDX-License-Identifier: Apache-2.0
"""Elements, judged by diskimage-builder's own code: what it would resolve, copy, run and install.

Every folder below elements/ and test-image/elements/ is tested by itself.
"""

import json
import os
import pathlib
import re
from typing import Any

import yaml

from imagebuild import distros
from tests import base, dib, repository

load_tests = base.load_scenarios

#: The element that brings the operating system, and the release.
DISTRIBUTIONS = tuple(
    (distro.elements[0], release.name)
    for distro in distros.known().values()
    for release in distro.releases.values()
    if release.image
)

#: What may lie in an element beside folders of phases, and which element makes use of it. A folder
#: that is named as an element is that element's.
CONSUMERS = {
    'README.rst': None,
    'bin': 'install-bin',
    'element-deps': None,
    'element-provides': None,
    'environment.d': None,
    'heat-agent-requirements': 'heat-agent-venv',
    'package-installs.yaml': 'package-installs',
    'static': 'install-static',
}
#: os-refresh-config runs these with dib-run-parts, too.
REFRESH_PHASES = ('pre-configure.d', 'configure.d', 'post-configure.d', 'migration.d')
PROGRAM = re.compile(r'\d\d-[a-z0-9-]+$')
ENVIRONMENT = re.compile(r'\d\d-[a-z0-9-]+(\.bash)?$')
MODULE = re.compile(r'[a-z]+_[a-z_]+\.py$')
PACKAGE = re.compile(r'[A-Za-z0-9][\w.+-]*$')
FAMILIES = {distro.family for distro in distros.known().values()}
DISTRO_NAMES = set(distros.known())


def content(folder: pathlib.Path) -> 'list[pathlib.Path]':
    return sorted(folder.iterdir()) if folder.is_dir() else []


class ElementTest(base.TestCase):
    #: dib-run-parts calls find, grep, sort and others.
    guard_processes = False

    scenarios = [(path.name, {'element': path}) for path in repository.elements()]

    def test_it_has_a_readme_with_a_title(self):
        readme = self.element / 'README.rst'
        self.assertTrue(readme.exists(), f'{readme} is missing')
        self.assertRegex(
            readme.read_text(),
            rf'(?m)^{re.escape(self.element.name)}\n[=~-]+$',
            'the title must be the name of the element',
        )

    def test_its_dependencies_are_sorted_and_exist(self):
        path = self.element / 'element-deps'
        names = path.read_text().splitlines() if path.exists() else []
        self.assertEqual(sorted(set(names)), names)
        self.assertEqual([], [name for name in names if name not in dib.all_elements()])

    def test_nothing_stray_lies_in_it(self):
        known = dib.phases() | set(CONSUMERS) | set(dib.all_elements())
        self.assertEqual(
            [], [path.name for path in content(self.element) if path.name not in known]
        )

    def test_whatever_it_holds_is_used_by_an_element_it_depends_on(self):
        name = self.element.name
        image = (name,) if dib.brings_system(name) else ('debian', name)
        names = {path.name for path in content(self.element)}
        needed = {CONSUMERS[name] for name in names & set(CONSUMERS) if CONSUMERS[name]}
        needed |= names & set(dib.all_elements())
        if any(path.is_dir() for path in content(self.element / 'install.d')):
            needed.add('install-types')
        self.assertEqual(set(), needed - set(dib.closure(*image)), 'element-deps lacks')

    def test_dib_run_parts_runs_all_of_its_programs(self):
        folders = [self.element / name for name in dib.phases()]
        folders += [self.element / 'os-refresh-config' / name for name in REFRESH_PHASES]
        for folder in folders:
            names = [
                path.name
                for path in content(folder)
                if not path.is_dir() and not self.is_payload(path)
            ]
            self.assertEqual(
                [],
                [name for name in names if not PROGRAM.match(name)],
                f'{folder.name}: wants names such as 50-what-it-does',
            )
            if folder.is_dir():
                done = self.run_program([dib.RUN_PARTS, '--list', folder])
                self.assertEqual(0, done.status, done.stderr)
                listed = [os.path.basename(line) for line in done.stdout.splitlines()]
                self.assertEqual(sorted(names), sorted(listed), f'{folder.name}: executable?')

    def is_payload(self, path: pathlib.Path) -> bool:
        """Whether a file is no program of the build, but one that a program takes.

        heat-config's installer takes the hook of an element, named as the element is, and the
        modules that hooks share; others name what they take.
        """
        if path.parent.name != 'install.d':
            return False
        programs = [item for item in content(path.parent) if PROGRAM.match(item.name)]
        if path.suffix == '.py' and any(f'/{path.name}"' in item.read_text() for item in programs):
            return True
        hook = self.element.name.replace('heat-config-', 'hook-', 1) + '.py'
        return path.name == hook or (
            self.element.name.startswith('heat-config') and MODULE.match(path.name) is not None
        )

    def test_os_refresh_config_knows_its_phases(self):
        folder = self.element / 'os-refresh-config'
        self.assertEqual(
            [], [path.name for path in content(folder) if path.name not in REFRESH_PHASES]
        )

    def test_its_environment_files_are_sourced(self):
        for path in content(self.element / 'environment.d'):
            self.assertRegex(path.name, ENVIRONMENT)

    def test_its_packages_and_their_map_are_well_formed(self):
        installs = self.element / 'package-installs.yaml'
        packages = yaml.safe_load(installs.read_text()) if installs.exists() else {}
        mapping = self.element / 'pkg-map'
        names = json.loads(mapping.read_text()) if mapping.exists() else {}
        self.assertEqual(set(), set(names) - {'release', 'distro', 'family', 'default'})
        self.assertEqual(set(), set(names.get('family', {})) - FAMILIES)
        self.assertEqual(set(), set(names.get('distro', {})) - DISTRO_NAMES)
        self.assertEqual(set(), set(names.get('release', {})) - DISTRO_NAMES)
        tables = [
            names.get('default', {}),
            *names.get('family', {}).values(),
            *names.get('distro', {}).values(),
            *(
                table
                for releases in names.get('release', {}).values()
                for table in releases.values()
            ),
        ]
        mapped = {name for table in tables for name in table}
        self.assertEqual(set(), mapped - set(packages), 'mapped, but never installed')


def distributions() -> 'list[tuple[str, dict[str, Any]]]':
    """Each element with each distribution, or only with the one that it brings itself."""
    scenarios = []
    for element in repository.elements():
        own = dib.brings_system(element.name)
        for system, release in DISTRIBUTIONS:
            if not own or system in dib.closure(element.name):
                names = (element.name,) if own else (system, element.name)
                scenarios.append(
                    (f'{element.name},{system},{release}', {'names': names, 'release': release})
                )
    return scenarios


class DistributionTest(base.TestCase):
    #: The build's environment is what a shell makes of environment.d.
    guard_processes = False

    scenarios = distributions()

    def test_no_two_elements_have_a_file_in_common(self):
        # diskimage-builder stops at some of these, and lets the last one win with others.
        owners: dict[pathlib.Path, set[str]] = {}
        for name, folder in dib.closure(*self.names).items():
            for path in dib.copied(folder):
                if len(path.parts) > 1:
                    owners.setdefault(path, set()).add(name)
        ours = {element.name for element in repository.elements()}
        self.assertEqual(
            {},
            {str(path): names for path, names in owners.items() if len(names) > 1 and ours & names},
        )

    def test_its_packages_resolve(self):
        for install_type in ('source', 'package'):
            resolved = dib.packages(dib.closure(*self.names), self.release, install_type)
            for (phase, element), names in resolved.items():
                self.assertIn(phase, dib.phases(), element)
                self.assertEqual([], [name for name in names if not PACKAGE.match(name)], element)
