# SPDX-License-Identifier: Apache-2.0
"""A systemd service is run as systemd would."""

from localheat.errors import LocalHeatError
from localheat.servers.unit import Unit
from tests import base


class UnitTest(base.TestCase):
    def unit(self, text, **drop_ins):
        folder = self.root / 'etc/systemd/system'
        (folder / 'agent.service.d').mkdir(parents=True)
        (folder / 'agent.service').write_text(text)
        for name, content in drop_ins.items():
            (folder / 'agent.service.d' / (name + '.conf')).write_text(content)
        return Unit(str(self.root), 'agent.service')

    def test_the_command_is_split_as_by_systemd(self):
        unit = self.unit('[Service]\nExecStart=-/bin/sh -c \'echo "$$HOME" 100%%\'\n')
        self.assertEqual([['/bin/sh', '-c', 'echo "$HOME" 100%']], unit.commands)

    def test_a_line_goes_on_after_a_backslash(self):
        unit = self.unit('[Service]\nExecStart=/bin/agent \\\n  --debug\n')
        self.assertEqual([['/bin/agent', '--debug']], unit.commands)

    def test_what_comes_before_the_service_is_run_before_it(self):
        unit = self.unit('[Service]\nExecStart=/bin/agent\nExecStartPre=/bin/prepare\n')
        self.assertEqual([['/bin/prepare'], ['/bin/agent']], unit.commands)

    def test_the_environment_is_collected_from_all_settings(self):
        (self.root / 'etc/default').mkdir(parents=True)
        (self.root / 'etc/default/agent').write_text('# comment\nA=file\nB="two words"\n')
        unit = self.unit(
            '[Service]\nEnvironment=A=1 "C=x y"\nEnvironment=D=2\n'
            'EnvironmentFile=-/etc/default/agent\nEnvironmentFile=-/etc/default/missing\n'
        )
        self.assertEqual({'A': 'file', 'B': 'two words', 'C': 'x y', 'D': '2'}, unit.environment)

    def test_a_drop_in_adds_and_an_empty_value_forgets(self):
        unit = self.unit(
            '[Unit]\nEnvironment=NOT=this\n[Service]\nExecStart=/bin/agent\nRestartSec=5\n',
            override='[Service]\nExecStart=\nExecStart=/bin/other\nRestartSec=2s\n',
        )
        self.assertEqual([['/bin/other']], unit.commands)
        self.assertEqual({}, unit.environment)
        self.assertEqual(2.0, unit.restart_after)

    def test_an_image_without_the_unit_is_named_with_what_provides_it(self):
        error = self.assertRaises(LocalHeatError, Unit, str(self.root), 'os-collect-config.service')
        self.assertIn('no systemd unit os-collect-config.service', str(error))
        self.assertIn('element os-collect-config', str(error))
