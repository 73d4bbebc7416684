# SPDX-License-Identifier: Apache-2.0
"""heat-agent-install, in systems of Debian that have nothing but python3.

HEAT_INSTALLER_RELEASES='trixie bookworm' tries it on more than one release.
"""

import contextlib
import functools
import json
import os
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from typing import Any, Optional

from tests import base, chroots, deployments, signal_server

load_tests = base.load_scenarios

RELEASES = os.environ.get('HEAT_INSTALLER_RELEASES', 'trixie').split()
DISPATCHER = '/usr/libexec/os-refresh-config/configure.d/55-heat-config'
METADATA = 'run/heat-config/heat-config'
DEPLOYED = 'var/lib/heat-config/deployed'


@functools.cache
def installer(*options: str) -> pathlib.Path:
    """The file, as it is built with these options."""
    path = pathlib.Path(tempfile.mkdtemp(prefix='heat-agent-install-')) / 'heat-agent-install'
    subprocess.run(
        [sys.executable, '-m', 'installer.build', '-o', path, *options],
        cwd=base.ROOT,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return path


class ChrootTestCase(base.TestCase):
    guard_processes = False
    scenarios = [(release, {'release': release}) for release in RELEASES]

    def setUp(self) -> None:
        super().setUp()
        reason = chroots.why_not()
        if reason:
            self.skipTest(reason)
        self.system = self.root / 'system'
        chroots.unpack(self.release, self.system)
        self.heat = self.useFixture(signal_server.SignalServer())

    def install(self, *options: str, root: Optional[pathlib.Path] = None) -> Any:
        done = self.run_program(
            [installer(), '--root', root or self.system, *options],
            env={
                name: value
                for name, value in os.environ.items()
                if name.startswith('PIP_') or name.lower().endswith('_proxy')
            },
            timeout=900,
        )
        self.assertNotIn('Traceback', done.stdout + done.stderr)
        return done

    def inside(self, *words: str) -> Any:
        return self.run_program(chroots.command(self.system, *words))

    def deployment(self, name: str, config: str) -> 'dict[str, Any]':
        return deployments.load(
            'script-cfn-signal',
            id=name,
            name=name,
            config='#!/bin/sh\n' + config,
            inputs={'deploy_signal_id': self.heat.signed(name)},
        )

    def give(self, *found: 'dict[str, Any]') -> None:
        """Have Heat's deployments be these."""
        path = self.system / METADATA
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(found))

    def work(self) -> None:
        """Carry out what there is, twice, as the agent does at its next look."""
        for _ in range(2):
            done = self.inside(DISPATCHER)
            self.assertEqual(0, done.status, done.stderr)

    def runs(self) -> 'list[str]':
        """The names of the deployments whose scripts have run, in order."""
        path = self.system / 'runs'
        return path.read_text().split() if path.exists() else []


class AgentInstallerTest(ChrootTestCase):
    def test_it_installs_upgrades_and_uninstalls_an_agent_that_deploys(self) -> None:
        before = self.files()
        with self.package_manager_at_work():
            done = self.install()
        self.assertEqual(0, done.status, done.stdout + done.stderr)
        self.assertIn('waiting for another package manager', done.stdout)
        self.assertIn('is installed, with the hooks script', done.stdout)
        wants = self.system / 'etc/systemd/system/multi-user.target.wants'
        self.assertTrue((wants / 'os-collect-config.service').is_symlink())
        self.assertEqual('', self.mounts())
        one = self.deployment('one', 'echo one >> /runs; echo hello')
        self.give(one)
        self.work()
        (body,) = self.heat.bodies('one')
        self.assertEqual(('hello\n', 0), (body['deploy_stdout'], body['deploy_status_code']))

        conf = self.system / 'etc/os-collect-config.conf'
        conf.write_text('[cfn]\nsecret_access_key = geheim\n')
        again = self.install('--hooks', 'json-file')
        self.assertEqual(0, again.status, again.stdout + again.stderr)
        self.assertIn('is installed; installing', again.stdout)
        self.assertIn('json-file  (installed)\n', self.install('--list').stdout)
        self.assertIn('geheim', conf.read_text())
        self.give(one, self.deployment('two', 'echo two >> /runs'))
        self.work()
        self.assertEqual(['one', 'two'], self.runs())
        self.assertEqual((1, 1), (len(self.heat.bodies('one')), len(self.heat.bodies('two'))))

        done = self.install('--uninstall')
        self.assertEqual(0, done.status, done.stdout + done.stderr)
        for path in ('/var/lib/heat-config/deployed', '/etc/os-collect-config.conf'):
            self.assertIn(f'left in {path}: ', done.stdout)
        self.assertTrue((self.system / DEPLOYED / 'one.json').exists())
        left = {path for path in self.files() - before if path.is_relative_to('opt')}
        left |= {path for path in self.files() - before if 'heat' in str(path)}
        kept = (
            'var/lib/heat-agent/lock',
            'var/lib/heat-config/deployed',
            'var/lib/heat-config/heat-config-script',
            'var/log/heat-config',
        )
        self.assertEqual(set(), {path for path in left if not str(path).startswith(kept)})
        self.assertFalse((wants / 'os-collect-config.service').is_symlink())
        self.assertIn('nothing to uninstall', self.install('--uninstall').stdout)

    @contextlib.contextmanager
    def package_manager_at_work(self) -> 'Iterator[None]':
        """One that holds apt's lists for some seconds, which apt itself would not wait for."""
        lock = self.system / 'var/lib/apt/lists/lock'
        hold = (
            'import fcntl, sys, time; file = open(sys.argv[1], "w"); '
            'fcntl.lockf(file, fcntl.LOCK_EX); print(1, flush=True); time.sleep(5)'
        )
        with subprocess.Popen(
            [sys.executable, '-c', hold, lock], stdout=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()
            yield

    def files(self) -> 'set[pathlib.Path]':
        return {
            path.relative_to(self.system)
            for folder in ('etc', 'opt', 'usr/local', 'usr/libexec', 'var/lib', 'var/log')
            for path in (self.system / folder).rglob('*')
            if not path.is_dir()
        }

    def mounts(self) -> str:
        with open('/proc/mounts') as file:
            return ''.join(line for line in file if str(self.system) in line)

    def test_an_index_that_is_not_reached_is_said_and_a_second_try_goes_on(self) -> None:
        done = self.run_program(
            [installer(), '--root', self.system],
            env={'PIP_INDEX_URL': 'http://127.0.0.1:9/simple', 'PIP_RETRIES': '0'},
            timeout=900,
        )
        self.assertEqual(1, done.status)
        self.assertIn('install.d/30-heat-agent-venv failed with status', done.stderr)
        self.assertNotIn('Traceback', done.stderr)
        self.assertEqual(0, self.install('--uninstall').status)

    def test_with_all_inside_it_needs_no_network(self) -> None:
        version = self.inside(
            'python3', '-c', 'import sys; print("%d.%d" % sys.version_info[:2])'
        ).stdout.strip()
        file = installer('--offline', '--python', version)
        command = ['unshare', '--net', file, '--root', self.system]
        done = self.run_program(command, timeout=600)
        self.assertEqual(0, done.status, done.stdout + done.stderr)
        done = self.inside('os-collect-config', '--version')
        self.assertEqual(0, done.status, done.stderr)
