# SPDX-License-Identifier: Apache-2.0
"""missing-requirements.py of heat-agent-venv, in an environment over another one's packages."""

import os
import sys

from tests import base
from tests.tiny_wheel import write_wheel

SCRIPT = base.ELEMENTS / 'heat-agent-venv' / 'install.d' / 'missing-requirements.py'


class MissingRequirementsTest(base.TestCase):
    #: pip.
    guard_processes = False

    def missing(
        self, own: 'dict[str, str]', system: 'dict[str, tuple[str, str]]', constraints: str = ''
    ) -> 'list[str]':
        """What is missing.

        :param own: what the environment's packages require, by name.
        :param system: the distribution's packages: version and what they require, by name.
        """
        folders = {name: self.root / name for name in ('own', 'system')}
        for folder in folders.values():
            folder.mkdir()
        for name, requires in own.items():
            self.install(folders['own'], name, '1.0', requires)
        for name, (version, requires) in system.items():
            self.install(folders['system'], name, version, requires)
        (self.root / 'constraints').write_text(constraints)
        # The environment's own folder, as Python would tell it.
        code = (
            f'import runpy, sys, sysconfig\n'
            f'sysconfig.get_path = lambda _: {str(folders["own"])!r}\n'
            f'sys.argv = ["it", {str(self.root / "constraints")!r}]\n'
            f'runpy.run_path({str(SCRIPT)!r}, run_name="__main__")\n'
        )
        done = self.run_program(
            [sys.executable, '-c', code],
            env={'PYTHONPATH': os.pathsep.join(map(str, folders.values()))},
        )
        self.assertEqual((0, ''), (done.status, done.stderr))
        return done.stdout.splitlines()

    def install(self, folder, name: str, version: str, requires: str) -> None:
        wheel = write_wheel(self.root, name, version, '', requires)
        self.run_program([sys.executable, '-m', 'zipfile', '-e', wheel, folder])

    def test_what_the_distribution_has_is_not_missing(self):
        self.assertEqual([], self.missing({'agent': 'some-lib>=2'}, {'some-lib': ('2.1', '')}))

    def test_what_is_too_old_or_not_there_is(self):
        self.assertEqual(
            ['Some.Lib>=2', 'absent'],
            self.missing({'agent': 'Some.Lib>=2', 'other': 'absent'}, {'some-lib': ('1.9', '')}),
        )

    def test_what_is_for_another_python_is_not(self):
        self.assertEqual([], self.missing({'agent': 'absent; python_version < "3"'}, {}))

    def test_what_only_the_distributions_packages_require_is_not(self):
        self.assertEqual(
            [], self.missing({'agent': 'some-lib'}, {'some-lib': ('1.0', 'tzdata>=2022.4')})
        )

    def test_a_version_other_than_the_constraints_want_is_wherever_it_is_used(self):
        self.assertEqual(
            ['deep==3.1.dev2'],
            self.missing(
                {'agent': 'some-lib'},
                {'some-lib': ('1.0', 'Deep'), 'deep': ('3.0', ''), 'unused': ('1', '')},
                constraints='# a remark\n\ndeep==3.1.dev2\nunused==2\nabsent==1\nagent==1.0\n',
            ),
        )
