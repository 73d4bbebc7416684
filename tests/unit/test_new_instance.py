# SPDX-License-Identifier: Apache-2.0
"""new-instance: a server made from another server's disk has nothing of that one's stack."""

import json
import pathlib
import stat
from typing import Any

from tests import base

PROGRAM = base.ELEMENTS / 'os-collect-config/static/usr/libexec/heat-agent/new-instance'
CONFIG = """\
[DEFAULT]
collectors = ec2
collectors = cfn
command = os-refresh-config
polling_interval = 30

[cfn]
secret_access_key = geheim
"""


class NewInstanceTest(base.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.write('var/lib/cloud/data/instance-id', 'one\n')
        self.config = self.write('etc/os-collect-config.conf', CONFIG)
        self.cached = [
            self.write(f'var/lib/os-collect-config/{name}', '{"geheim": 1}')
            for name in ('cfn.json', 'cfn.json.last', 'cfn.json.orig', 'os_config_files.json')
        ]
        self.local = self.write('var/lib/os-collect-config/local-data/mine.json', '{}')
        self.first = self.write('var/lib/heat-cfntools/cfn-init-data', '{"stack": "A"}')
        self.record = self.root / 'var/lib/os-collect-config/instance'
        self.start()

    def write(self, name: str, content: str) -> pathlib.Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        return path

    def start(self, instance: 'str | None' = None) -> Any:
        if instance is not None:
            self.write('var/lib/cloud/data/instance-id', instance)
        done = self.run_script(PROGRAM, env={'HEAT_AGENT_ROOT': str(self.root)})
        self.assertEqual((0, ''), (done.status, done.stderr))
        return done

    def assert_kept(self) -> None:
        self.assertEqual(CONFIG, self.config.read_text())
        for path in (*self.cached, self.local, self.first):
            self.assertTrue(path.exists(), path)

    def test_a_reboot_loses_nothing(self) -> None:
        self.assertEqual('', self.start('one').stdout)
        self.assert_kept()

    def test_a_boot_without_metadata_service_loses_nothing(self) -> None:
        for unknown in ('iid-datasource-none', 'nocloud', ''):
            self.start(unknown)
            self.assert_kept()
        (self.root / 'var/lib/cloud/data/instance-id').unlink()
        self.start()
        self.assert_kept()
        self.start('one')
        self.assert_kept()

    def test_a_clone_drops_credentials_and_cached_metadata_and_says_so(self) -> None:
        done = self.start('two')
        self.assertIn('this is the instance two, made from one', done.stdout)
        self.assertEqual(
            '[DEFAULT]\ncommand = os-refresh-config\npolling_interval = 30\n\n',
            self.config.read_text(),
        )
        self.assertEqual(0o600, stat.S_IMODE(self.config.stat().st_mode))
        self.assertEqual([], [path for path in self.cached if path.exists()])
        self.assertTrue(self.local.exists())

    def test_a_clone_without_user_data_of_heats_gets_none_of_the_others(self) -> None:
        self.start('two')
        self.assertFalse(self.first.exists())

    def test_a_clone_keeps_its_own_first_metadata(self) -> None:
        self.first.write_text('{"stack": "B"}')
        self.start('two')
        self.assertEqual('{"stack": "B"}', self.first.read_text())

    def test_first_metadata_that_a_rebuild_brought_are_known_as_that_servers(self) -> None:
        self.first.write_text('{"stack": "A, rebuilt"}')
        self.start('one')
        self.start('two')
        self.assertFalse(self.first.exists())

    def test_a_clone_is_one_only_once(self) -> None:
        self.start('two')
        self.config.write_text(CONFIG)
        self.assertEqual('', self.start('two').stdout)
        self.assert_config_kept()

    def assert_config_kept(self) -> None:
        self.assertEqual(CONFIG, self.config.read_text())

    def test_a_damaged_record_loses_nothing(self) -> None:
        for rubbish in ('', '{', '[]', '{"instance"', 'null'):
            self.record.write_text(rubbish)
            self.start('one')
            self.assert_kept()
        self.assertEqual('one', json.loads(self.record.read_text())['instance'])
        self.assertEqual(0o600, stat.S_IMODE(self.record.stat().st_mode))

    def test_help_says_what_it_is(self) -> None:
        done = self.run_script(PROGRAM, '--help')
        self.assertEqual((0, ''), (done.status, done.stderr))
        self.assertIn('Usage: new-instance', done.stdout)
