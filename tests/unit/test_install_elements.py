# SPDX-License-Identifier: Apache-2.0
"""install-elements.py: does on a server what diskimage-builder does in an image."""

import contextlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any
from unittest import mock

from tests import base, dib
from tests.boot_config import INSTALL, elements, module
from tests.unit.test_elements import DISTRIBUTIONS

load_tests = base.load_scenarios


class PackagesTest(base.TestCase):
    """Packages have the names that diskimage-builder gives them in an image of the same system."""

    guard_processes = False
    scenarios = [
        (
            f'{system},{release},{install_type}',
            {'system': system, 'release': release, 'install_type': install_type},
        )
        for system, release in DISTRIBUTIONS
        for install_type in ('source', 'package')
    ]

    def setUp(self) -> None:
        super().setUp()
        self.program = module(INSTALL)
        name = self.system.partition('-')[0]
        version = self.release.partition('-')[0]
        key = 'VERSION_CODENAME' if name in ('debian', 'ubuntu') else 'VERSION_ID'
        os_id = {'opensuse': 'opensuse-leap', 'openeuler': 'openEuler'}.get(name, name)
        # As openEuler writes it: 24.03 (LTS).
        long = re.sub('-(.*)', r' (\1)', self.release)
        self.here = self.program.System(
            f'NAME="X"\nID="{os_id}"\n{key}="{version}"\nVERSION="{long}"\n'
        )

    def packages(self, tree: 'dict[str, str]') -> 'dict[str, set[str]]':
        env = {'DIB_DEFAULT_INSTALLTYPE': self.install_type}
        with (
            mock.patch.dict(os.environ, env),
            mock.patch('platform.machine', return_value='x86_64'),
        ):
            return {
                phase: set(names)
                for phase, names in self.program.packages_of(tree, self.here).items()
            }

    def expected(self, *names: str) -> 'dict[str, set[str]]':
        """What diskimage-builder makes of the elements that the tree is merged from."""
        closure = dib.closure(self.system, *names)
        found: dict[str, set[str]] = {}
        for (phase, _), packages in dib.packages(closure, self.release, self.install_type).items():
            if packages:
                found.setdefault(phase, set()).update(packages)
        return found

    def test_the_system_is_called_as_there(self) -> None:
        closure = dib.closure(self.system)
        environment = dib.build_environment(closure, self.release)
        self.assertEqual(
            (environment['DISTRO_NAME'], self.release), (self.here.name, self.here.release)
        )

    def test_the_agents_packages(self) -> None:
        self.assertEqual(self.expected('heat-config-script'), self.packages(elements()['agent']))

    def test_each_hooks_packages(self) -> None:
        found = elements()
        for hook, tree in found['hooks'].items():
            self.assertEqual(
                self.expected('heat-config-' + hook),
                self.packages(dict(found['agent'], **tree)),
                hook,
            )


class InstallElementsTest(base.TestCase):
    """install-elements.py does in a server what diskimage-builder does in an image."""

    def setUp(self) -> None:
        super().setUp()
        self.program = module(INSTALL)

    @contextlib.contextmanager
    def lock(self) -> 'Iterator[subprocess.Popen[bytes]]':
        """Another process holds self.path until it is killed."""
        self.path = self.root / 'lock'
        self.path.touch()
        self.sandbox._announced.add(sys.executable)
        hold = 'import fcntl, sys; file = open(sys.argv[1], "r+"); fcntl.lockf(file, fcntl.LOCK_EX)'
        command = [
            sys.executable,
            '-c',
            hold + '; print(1, flush=True); sys.stdin.read()',
            self.path,
        ]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            process.stdout.readline()
            try:
                yield process
            finally:
                process.kill()

    def test_it_waits_for_another_package_manager_and_says_so(self) -> None:
        with self.lock() as holder:
            with (
                mock.patch.object(self.program, 'LOCKED', (str(self.path),)),
                mock.patch('builtins.print') as said,
                mock.patch('time.sleep', side_effect=lambda _: (holder.kill(), holder.wait())),
            ):
                self.program.wait_for_lock()
        self.assertIn(
            f'waiting for another package manager, which holds {self.path}', str(said.mock_calls)
        )

    def test_it_gives_another_package_manager_up_and_names_what_it_holds(self) -> None:
        with self.lock():
            with (
                mock.patch.object(self.program, 'LOCKED', (str(self.path),)),
                mock.patch.object(self.program, 'LOCK_PATIENCE', 0),
                mock.patch('builtins.print'),
                mock.patch('time.sleep'),
            ):
                error = self.assertRaises(self.program.Failure, self.program.wait_for_lock)
        self.assertIn(f'it holds {self.path}', str(error))

    def test_the_number_of_a_process_that_has_ended_holds_nothing(self) -> None:
        path = self.root / 'dnf.pid'
        with mock.patch.object(self.program, 'AT_WORK', (str(path),)):
            self.assertFalse(self.program.is_held(str(path)))
            for content, held in ((str(os.getpid()), True), ('99999999', False), ('', False)):
                path.write_text(content)
                self.assertIs(held, self.program.is_held(str(path)), content)

    def test_an_unknown_distribution_is_named(self) -> None:
        error = self.assertRaises(self.program.Failure, self.program.System, 'ID=plan9\n')
        self.assertIn('plan9 is not known', str(error))

    def test_a_release_that_has_ended_is_warned_of(self) -> None:
        for text, warned in (
            ('ID=centos\nVERSION_ID="7"\n', True),
            ('ID=debian\nVERSION_CODENAME=buster\n', True),
            ('ID=debian\nVERSION_CODENAME=trixie\n', False),
        ):
            with mock.patch('builtins.print') as printed:
                self.program.System(text)
            self.assertEqual(warned, 'has ended' in str(printed.mock_calls), text)

    def test_a_release_without_packages_of_the_agents_names_the_other_environment(self) -> None:
        system = self.program.System('ID=debian\nVERSION_CODENAME=bookworm\n')
        self.assertIn('debian_pip_env.yaml', system.lacks_agents())
        system = self.program.System('ID=debian\nVERSION_CODENAME=trixie\n')
        self.assertEqual('', system.lacks_agents())

    def test_scripts_run_in_the_order_of_their_names_whatever_their_folder(self) -> None:
        tree = dict.fromkeys(
            (
                'install.d/60-b',
                'install.d/agent-source-install/50-c',
                'install.d/agent-package-install/50-d',
                'install.d/70-a',
                'install.d/module.py',
                'post-install.d/10-x',
            ),
            '#!/bin/sh\n',
        )
        self.assertEqual(
            ['install.d/agent-source-install/50-c', 'install.d/60-b', 'install.d/70-a'],
            list(self.program.scripts(tree, 'install.d')),
        )
        with mock.patch.dict(os.environ, {'DIB_INSTALLTYPE_agent': 'package'}):
            self.assertIn(
                'install.d/agent-package-install/50-d',
                list(self.program.scripts(tree, 'install.d')),
            )

    def test_programs_are_executable_and_the_agents_own_file_is_kept(self) -> None:
        conf = self.root / 'etc' / 'agent.conf'
        conf.parent.mkdir()
        conf.write_text('credentials')
        with mock.patch.object(
            self.program, 'STATIC', {'bin': f'{self.root}/usr/bin/', 'static': f'{self.root}/'}
        ):
            self.program.install_static(
                {
                    'bin/tool': '#!/bin/sh\n',
                    'static/etc/agent.conf': 'new',
                    'static/a': 'x',
                    'install.d/10-x': '#!/bin/sh\n',
                }
            )
        self.assertEqual('credentials', conf.read_text())
        self.assertTrue(os.access(self.root / 'usr/bin/tool', os.X_OK))
        self.assertEqual(0o644, (self.root / 'a').stat().st_mode & 0o777)
        self.assertEqual(
            {'a', 'etc', 'usr'}, set(os.listdir(self.root)) & {'a', 'etc', 'usr', 'install.d'}
        )

    def install(self, tree: 'dict[str, str]') -> Any:
        """Install a tree without packages, in a process of its own."""
        if not os.path.exists('/etc/os-release'):
            self.skipTest('this system has no /etc/os-release')
        self.announce('bash')
        path = self.root / 'elements.json'
        path.write_text(json.dumps({'agent': tree, 'hooks': {}}))
        return self.run_script(INSTALL, '--no-packages', str(path))

    def test_a_script_finds_its_neighbours_and_the_environment(self) -> None:
        done = self.install(
            {
                'environment.d/10-x': 'export WHO=me\n',
                'data/x': 'data\n',
                'install.d/10-x': '#!/bin/sh\nread x < "${0%/*}/../data/x"; echo "$WHO has $x"\n',
            }
        )
        self.assertIn('install-elements: install.d/10-x\nme has data\n', done.stdout)

    def test_the_first_script_that_fails_ends_it(self) -> None:
        done = self.install(
            {'install.d/10-x': '#!/bin/sh\nexit 7\n', 'install.d/20-x': '#!/bin/sh\necho never\n'}
        )
        self.assertEqual(
            (1, 'install-elements: install.d/10-x failed with status 7\n'),
            (done.status, done.stderr),
        )
        self.assertNotIn('never', done.stdout)

    def test_scripts_that_try_and_enable_what_is_there_run_at_once(self) -> None:
        self.announce('seq', 'sleep', 'touch')
        # Each waits for the other.
        script = (
            '#!/bin/sh\ntouch {0}\nfor i in $(seq 100); do '
            'if [ -e {1} ]; then exit 0; fi; sleep 0.1; done\nexit 1\n'
        )
        one, two = self.root / 'one', self.root / 'two'
        done = self.install(
            {
                'post-install.d/60-a': script.format(one, two),
                'post-install.d/60-b': script.format(two, one),
            }
        )
        self.assertEqual((0, ''), (done.status, done.stderr))

    def test_one_of_them_that_fails_is_named(self) -> None:
        done = self.install(
            {'post-install.d/60-a': '#!/bin/sh\n', 'post-install.d/60-b': '#!/bin/sh\nexit 7\n'}
        )
        self.assertEqual(
            (1, 'install-elements: post-install.d/60-b failed with status 7\n'),
            (done.status, done.stderr),
        )

    def test_an_unknown_hook_is_named_with_those_that_are_known(self) -> None:
        path = self.root / 'elements.json'
        path.write_text(json.dumps({'agent': {}, 'hooks': {'ansible': {}}}))
        done = self.run_script(INSTALL, '--hooks', 'ansibel', str(path))
        self.assertEqual(
            (1, 'install-elements: there is no hook ansibel, only ansible\n'),
            (done.status, done.stderr),
        )

    def test_as_a_deployment_it_reads_its_last_line(self) -> None:
        script = self.root / 'script'
        script.write_text(INSTALL.read_text() + '\n# elements: ' + json.dumps({}) + '\n')
        done = self.run_script(script, env={'hook': 'nonesuch'})
        self.assertEqual(
            (1, 'install-elements: there is no hook nonesuch\n'), (done.status, done.stderr)
        )
