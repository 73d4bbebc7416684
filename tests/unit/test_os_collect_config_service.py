# SPDX-License-Identifier: Apache-2.0
"""The commands of os-collect-config.service: what it does in the agent's place."""

import json
import re
import shlex
import stat

from tests import base

UNIT = base.ELEMENTS / 'os-collect-config/static/etc/systemd/system/os-collect-config.service'
CONF = '/etc/os-collect-config.conf'
TEMPLATE = base.ELEMENTS / 'os-collect-config/os-apply-config/etc/os-collect-config.conf'


class OsCollectConfigServiceTest(base.TestCase):
    def command(self, name: str) -> str:
        """A setting of the unit, as systemd takes it."""
        lines = UNIT.read_text().replace('\\\n', ' ').splitlines()
        [command] = [line for line in lines if re.match(f'{name}=-?/bin/sh', line)]
        return command.split('=', 1)[1].replace('$$', '$').replace('%%', '%')

    def start(self, conf: str) -> None:
        """Run what systemd would run, with this configuration."""
        (self.root / 'conf').write_text(conf)
        command = self.command('ExecStart')
        self.announce('sed', 'shuf')
        self.fake('sleep', {})
        self.fake('os-collect-config', {})
        _, *arguments = shlex.split(command.replace(CONF, str(self.root / 'conf')))
        done = self.run_program(['sh', *arguments])
        self.assertEqual((0, ''), (done.status, done.stderr))
        self.assertEqual(['sleep', 'os-collect-config'], [call.tool for call in self.calls()])

    def slept(self) -> int:
        [argument] = self.calls('sleep')[0].argv
        return int(argument)

    def test_without_splay_the_agent_starts_at_once(self):
        self.start('[DEFAULT]\ncommand = os-refresh-config\n')
        self.assertEqual(0, self.slept())

    def test_with_splay_it_sleeps_up_to_so_many_seconds(self):
        self.start('[DEFAULT]\nstart_splay = 30.5\n')
        self.assertIn(self.slept(), range(31))

    def prepare(self, conf: str, first_metadata: str) -> str:
        """Run what systemd would run before the agent; the configuration that is there then."""
        etc = self.root / 'etc'
        etc.mkdir()
        path = etc / 'os-collect-config.conf'
        path.write_text(conf)
        (self.root / 'cfn-init-data').write_text(first_metadata)
        command = self.command('ExecStartPre')
        for name, replacement in (
            ('/usr/libexec/os-apply-config/templates/etc/os-collect-config.conf', TEMPLATE),
            ('/var/lib/heat-cfntools', self.root),
            ('/etc ', f'{etc} '),
        ):
            command = command.replace(name, str(replacement))
        self.announce('env', 'grep', 'mv')
        _, *arguments = shlex.split(command)
        self.run_program(['sh', *arguments], env={'OS_COLLECT_CONFIG_FILE': str(path)})
        if path.read_text() != conf:
            self.assertEqual(0o600, stat.S_IMODE(path.stat().st_mode))
        return path.read_text()

    def test_the_first_look_is_one_at_heat(self):
        conf = self.prepare(
            '[DEFAULT]\ncommand = mine\n',
            json.dumps(
                {
                    'os-collect-config': {
                        'collectors': ['ec2', 'cfn'],
                        'cfn': {'secret_access_key': 'geheim'},
                    }
                }
            ),
        )
        self.assertEqual(
            '[DEFAULT]\ncollectors = ec2\ncollectors = cfn\ncommand = mine\n\n'
            '[cfn]\nsecret_access_key = geheim\n',
            conf,
        )

    def test_credentials_that_are_there_stay(self):
        conf = '[cfn]\nsecret_access_key = new\n'
        self.assertEqual(
            conf,
            self.prepare(
                conf, json.dumps({'os-collect-config': {'cfn': {'secret_access_key': 'old'}}})
            ),
        )

    def test_first_metadata_that_cannot_be_read_change_nothing(self):
        self.assertEqual('[DEFAULT]\n', self.prepare('[DEFAULT]\n', 'rubbish'))
