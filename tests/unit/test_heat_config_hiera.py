# SPDX-License-Identifier: Apache-2.0
"""The hook hiera, which drives no tool but asks os-apply-config, if it is there."""

import json

import yaml

from tests import hooks

CONFIG = {'hierarchy': ['%{::hostname}', 'heat'], 'datafiles': {'heat': {'foo': ['b', {'c': 1}]}}}


class HieraTest(hooks.HookTestCase):
    group = 'hiera'
    paths = {'HEAT_HIERA_CONFIG': 'etc/hiera.yaml', 'HEAT_PUPPET_HIERA_DATADIR': 'hieradata'}

    def setUp(self):
        super().setUp()
        self.config = self.root / 'etc' / 'hiera.yaml'
        self.data = self.root / 'hieradata'

    def write(self, config, **changes):
        return self.deploy('hiera', config=config, **changes)

    def refused(self, config, message):
        response = self.write(config)
        self.assertEqual(65, response['deploy_status_code'])
        self.assertIn(message, response['deploy_stderr'])
        self.assertFalse(self.data.exists() or self.config.exists())

    def test_the_hierarchy_is_that_of_hiera_5(self):
        self.assertEqual(0, self.write(CONFIG)['deploy_status_code'])
        self.assertEqual(
            {
                'version': 5,
                'defaults': {'datadir': str(self.data), 'data_hash': 'json_data'},
                'hierarchy': [
                    {'name': '%{::hostname}', 'path': '%{::hostname}.json'},
                    {'name': 'heat', 'path': 'heat.json'},
                ],
            },
            yaml.safe_load(self.config.read_text()),
        )
        self.assertEqual(0o600, self.config.stat().st_mode & 0o777)

    def test_the_hierarchy_may_be_that_of_hiera_3(self):
        self.write(dict(CONFIG, version=3))
        self.assertEqual(
            {
                ':backends': ['json'],
                ':json': {':datadir': str(self.data)},
                ':hierarchy': ['%{::hostname}', 'heat'],
            },
            yaml.safe_load(self.config.read_text()),
        )

    def test_a_config_that_says_nothing_is_refused(self):
        self.refused({'datafile': {'a': 1}}, 'nothing but unknown keys: datafile')

    def test_two_names_of_one_file_are_refused(self):
        self.refused({'datafiles': {'a': 1, './a': 2}}, 'Two data files would be')

    def test_data_are_json_files(self):
        self.write(CONFIG)
        path = self.data / 'heat.json'
        self.assertEqual(CONFIG['datafiles']['heat'], json.loads(path.read_text()))
        self.assertEqual(0o600, path.stat().st_mode & 0o777)

    def test_data_may_lie_in_folders(self):
        self.write({'datafiles': {'nodes/one': {'a': 1}}})
        self.assertEqual({'a': 1}, json.loads((self.data / 'nodes' / 'one.json').read_text()))

    def test_without_a_hierarchy_the_old_one_stays(self):
        self.write(CONFIG)
        before = self.config.read_text()
        self.write({'datafiles': {'more': {}}})
        self.assertEqual(before, self.config.read_text())

    def test_an_empty_hierarchy_is_a_list(self):
        for version, key in ((3, ':hierarchy'), (5, 'hierarchy')):
            self.write({'hierarchy': [], 'version': version})
            self.assertEqual([], yaml.safe_load(self.config.read_text())[key])

    def test_shorter_data_leave_nothing_of_longer_ones(self):
        # 1434187, 1391072
        self.write(CONFIG)
        self.write({'datafiles': {'heat': 1}})
        self.assertEqual('1', (self.data / 'heat.json').read_text())

    def test_an_empty_config_is_nothing_to_do(self):
        for config in (None, '', {}):
            self.assertEqual(0, self.write(config)['deploy_status_code'])
        self.assertFalse(self.config.exists())

    def test_data_outside_of_their_folder_are_refused(self):
        for name in ('../x', '/etc/x', 'a/../../x'):
            self.refused({'datafiles': {name: 1}}, name)

    def test_a_config_of_the_wrong_shape_is_refused(self):
        self.refused({'hierarchy': 'heat'}, 'hierarchy must be a list')
        self.refused({'datafiles': ['heat']}, 'datafiles must be a map')
        self.refused({'version': 4}, 'version must be 3 or 5')
        self.refused('no map', 'config')

    def test_data_of_os_apply_config_stop_it(self):
        self.fake('os-apply-config', {'stdout': '{"a": "b\\udcff"}\n'})
        response = self.write(CONFIG)
        self.assertEqual(1, response['deploy_status_code'])
        self.assertIn('hiera.datafiles', response['deploy_stderr'])
        self.assertFalse(self.config.exists())

    def test_where_os_apply_config_has_no_data_it_goes_on(self):
        self.fake('os-apply-config', {'stdout': 'empty\n'})
        self.assertEqual(0, self.write(CONFIG)['deploy_status_code'])
        self.assertEqual(
            ['--key', 'hiera.datafiles', '--type', 'raw', '--key-default', 'empty'],
            self.calls('os-apply-config')[0].argv,
        )

    def test_a_check_that_fails_is_a_failure(self):
        self.fake('os-apply-config', {'status': 1, 'stderr': 'broken'})
        response = self.write(CONFIG)
        self.assertEqual(1, response['deploy_status_code'])
        self.assertIn('broken', response['deploy_stderr'])

    def test_another_check_may_be_named(self):
        self.fake('other', {'stdout': 'empty'})
        self.write(CONFIG, env={'HEAT_HIERA_ELEMENT_CHECK_CMD': 'other one two'})
        self.assertEqual(['one', 'two'], self.calls('other')[0].argv)
