# SPDX-License-Identifier: Apache-2.0
"""The command of os-collect-config.service, which sleeps in the agent's place."""

import shlex

from tests import base

UNIT = base.ELEMENTS / 'os-collect-config/static/etc/systemd/system/os-collect-config.service'
CONF = '/etc/os-collect-config.conf'


class OsCollectConfigServiceTest(base.TestCase):

    def start(self, conf: str) -> None:
        """Run what systemd would run, with this configuration."""
        (self.root / 'conf').write_text(conf)
        lines = UNIT.read_text().replace('\\\n', ' ').splitlines()
        [command] = [line for line in lines if line.startswith('ExecStart=')]
        command = command.split('=', 1)[1].replace('$$', '$').replace('%%', '%')
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
