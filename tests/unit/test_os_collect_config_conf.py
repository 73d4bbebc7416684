# SPDX-License-Identifier: Apache-2.0
"""The template of /etc/os-collect-config.conf, rendered by the real os-apply-config."""

import configparser
import json
import os
import pathlib
import stat
from typing import Any

import fixtures
from os_apply_config import apply_config

from tests import base

TEMPLATES = base.ELEMENTS / 'os-collect-config' / 'os-apply-config'
IMAGE_CONF = base.ELEMENTS / 'os-collect-config' / 'static' / 'etc' / 'os-collect-config.conf'
METADATA = sorted((base.ROOT / 'tests' / 'fixtures' / 'metadata').glob('*.json'))

HEAT = {
    'auth_url': 'http://192.0.2.1:5000/v3',
    'password': 'secret',
    'project_id': 'p',
    'region_name': 'north',
    'resource_name': 'server',
    'stack_id': 'demo/1',
    'user_id': 'u',
}
#: What os-collect-config 14.1 reads, with a value of each option's type.
OPTIONS = {
    'DEFAULT': {
        'collectors': ['heat', 'local'],
        'command': 'run-me',
        'cachedir': '/c',
        'backup_cachedir': '/b',
        'polling_interval': 12.5,
        'min_polling_interval': 2,
        'deployment_key': ['deployments'],
        'one_time': False,
    },
    'cfn': {
        'metadata_url': 'http://192.0.2.1/v1/',
        'heat_metadata_hint': '/h',
        'ca_certificate': '/ca.pem',
        'stack_name': 's',
        'secret_access_key': 'k',
        'access_key_id': 'i',
        'path': ['server.Metadata'],
        'timeout': 5,
    },
    'ec2': {'metadata_url': 'http://192.0.2.2/', 'timeout': 5},
    'heat': HEAT,
    'heat_local': {'path': ['/a', '/b']},
    'keystone': {'cache_dir': '/k', 'cache_ttl': 60},
    'local': {'path': ['/l']},
    'request': {'metadata_url': 'http://192.0.2.3/?sig=a%2Fb', 'timeout': 5},
    'zaqar': {
        'auth_url': 'http://192.0.2.1:5000/v3',
        'password': 'x',
        'project_id': 'p',
        'user_id': 'u',
        'queue_id': 'q',
        'use_websockets': True,
        'region_name': 'north',
        'ssl_certificate_validation': False,
        'ca_file': '/ca.pem',
    },
}


class OsCollectConfigConfTest(base.TestCase):
    #: os-apply-config starts the template.
    guard_processes = False

    def setUp(self) -> None:
        super().setUp()
        self.conf = self.root / 'etc' / 'os-collect-config.conf'
        self.conf.parent.mkdir()
        self.conf.write_text(IMAGE_CONF.read_text())
        self.useFixture(fixtures.EnvironmentVariable('OS_COLLECT_CONFIG_FILE', str(self.conf)))

    def apply(self, metadata: Any) -> str:
        """Do what one pass of os-apply-config does; return the file's text."""
        source = self.root / 'metadata.json'
        source.write_text(json.dumps(metadata))
        apply_config.install_config([str(source)], str(TEMPLATES), str(self.root), False)
        return self.conf.read_text()

    def configure(self, **os_collect_config: Any) -> 'dict[str, dict[str, str]]':
        """Apply a map of settings; return the file's sections, the last of repeated keys."""
        parser = configparser.RawConfigParser(strict=False, default_section='none')
        parser.read_string(self.apply({'os-collect-config': os_collect_config}))
        return {name: dict(parser[name]) for name in parser.sections()}

    def test_every_option_of_the_agent_is_taken_over(self):
        default = OPTIONS['DEFAULT']
        text = self.apply(
            {
                'os-collect-config': {
                    **default,
                    **{name: keys for name, keys in OPTIONS.items() if keys is not default},
                }
            }
        )
        for section, keys in OPTIONS.items():
            part = text.split(f'[{section}]\n')[1].split('\n\n')[0]
            wanted = [
                f'{key} = {item if isinstance(item, str) else json.dumps(item)}'
                for key, value in keys.items()
                for item in (value if isinstance(value, list) else [value])
            ]
            self.assertEqual(sorted(wanted), sorted(part.splitlines()))

    def test_only_root_can_read_it(self):
        os.chmod(self.conf, 0o644)
        self.configure(heat=HEAT)
        self.assertEqual(0o600, stat.S_IMODE(self.conf.stat().st_mode))

    def test_a_pass_without_settings_wipes_nothing(self):
        before = self.apply({'os-collect-config': {'heat': HEAT}})
        for metadata in (
            {},
            {'os-collect-config': None},
            {'os-collect-config': {}},
            {'os-collect-config': 'rubbish'},
            {'deployments': []},
        ):
            self.assertEqual(before, self.apply(metadata))

    def test_what_the_metadata_do_not_mention_stays(self):
        self.configure(polling_interval=5, heat=HEAT)
        sections = self.configure(heat={'password': 'new'}, collectors=['local'])
        self.assertEqual({**HEAT, 'password': 'new'}, sections['heat'])
        self.assertEqual(
            {'collectors': 'local', 'command': 'os-refresh-config', 'polling_interval': '5'},
            sections['DEFAULT'],
        )

    def test_nulls_remove_keys_and_sections(self):
        self.configure(polling_interval=5, heat=HEAT, cfn={'path': ['server.Metadata']})
        sections = self.configure(
            polling_interval=None, heat=None, cfn={'path': None, 'stack_name': None}, ec2=None
        )
        self.assertEqual({'DEFAULT': {'command': 'os-refresh-config'}}, sections)

    def test_the_same_metadata_give_the_same_text(self):
        # The agent executes itself again whenever the text differs.
        metadata = {'os-collect-config': {'splay': 30, 'heat': HEAT, 'collectors': ['b', 'a']}}
        self.assertEqual(self.apply(metadata), self.apply(metadata))

    def test_the_order_of_collectors_is_kept(self):
        text = self.apply({'os-collect-config': {'collectors': ['zaqar', 'ec2', 'local']}})
        self.assertIn('collectors = zaqar\ncollectors = ec2\ncollectors = local\n', text)

    def test_splay_is_left_to_the_service(self):
        # random.randrange(0, 30.0) is a TypeError since Python 3.12.
        sections = self.configure(splay=30)
        self.assertEqual('30', sections['DEFAULT']['start_splay'])
        self.assertNotIn('splay', sections['DEFAULT'])

    def test_splay_can_be_removed(self):
        self.configure(splay=30)
        self.assertNotIn('start_splay', self.configure(splay=None)['DEFAULT'])

    def test_a_dollar_does_not_name_another_option(self):
        self.assertEqual('a$$b', self.configure(heat={'password': 'a$b'})['heat']['password'])

    def test_a_value_cannot_add_lines(self):
        sections = self.configure(heat={'password': 'a\ncommand = rm'})
        self.assertEqual({'password': 'a command = rm'}, sections['heat'])

    def test_names_may_have_dashes(self):
        sections = self.configure(ec2={'metadata-url': 'http://192.0.2.2/'})
        self.assertEqual({'metadata_url': 'http://192.0.2.2/'}, sections['ec2'])

    def test_without_a_file_one_is_made(self):
        self.conf.unlink()
        self.assertEqual('[DEFAULT]\ncommand = os-refresh-config\n', self.apply({}))

    def test_what_heat_sent_is_rendered(self):
        for path in METADATA:
            wanted = json.loads(path.read_text()).get('os-collect-config') or {}
            sections = self.configure(**wanted)
            for name, keys in wanted.items():
                if isinstance(keys, dict):
                    for key, value in keys.items():
                        if isinstance(value, str):
                            self.assertEqual(
                                value.replace('$', '$$'),
                                sections[name][key],
                                pathlib.Path(path).name,
                            )
