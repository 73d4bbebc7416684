# SPDX-License-Identifier: Apache-2.0
"""The hook json-file, which drives no tool."""

import json
import os

from tests import hooks


class JsonFileTest(hooks.HookTestCase):
    group = 'json-file'

    def setUp(self):
        super().setUp()
        self.path = self.root / 'etc' / 'app' / 'x.json'

    def write(self, content, **changes):
        return self.deploy('json-file', config={str(self.path): content}, **changes)

    def mode(self):
        return self.path.stat().st_mode & 0o777

    def test_each_file_holds_its_json(self):
        other = self.root / 'other.json'
        content = {'b': [1, None], 'a': '\u00e9'}
        response = self.deploy('json-file', config={str(self.path): content, str(other): 5})
        self.assertEqual(0, response['deploy_status_code'])
        self.assertEqual(
            '{\n    "a": "\\u00e9",\n    "b": [\n        1,\n        null\n    ]\n}',
            self.path.read_text(),
        )
        self.assertEqual('5', other.read_text())

    def test_the_config_may_be_text(self):
        self.deploy('json-file', config=json.dumps({str(self.path): {'a': 1}}))
        self.assertEqual({'a': 1}, json.loads(self.path.read_text()))

    def test_a_new_file_can_be_read_by_services(self):
        self.write({})
        self.assertEqual(0o644, self.mode())

    def test_the_mode_is_an_option(self):
        for mode in ('0600', '640'):
            self.write({}, options={'mode': mode})
            self.assertEqual(int(mode, 8), self.mode())

    def test_an_existing_file_keeps_its_mode(self):
        self.write({})
        self.path.chmod(0o640)
        self.write({'a': 1})
        self.assertEqual(0o640, self.mode())

    def test_an_existing_file_keeps_its_owner(self):
        if os.geteuid() != 0:
            self.skipTest('only root can give files to others')
        self.write({})
        os.chown(self.path, 12, 34)
        self.write({'a': 1})
        self.assertEqual((12, 34), (self.path.stat().st_uid, self.path.stat().st_gid))

    def test_a_link_stays_a_link(self):
        self.path.parent.mkdir(parents=True)
        target = self.root / 'target.json'
        self.path.symlink_to(target)
        self.write(1)
        self.assertTrue(self.path.is_symlink())
        self.assertEqual('1', target.read_text())

    def test_readers_never_see_half_a_file(self):
        self.write('old')
        with self.path.open() as reader:
            self.write('new')
            self.assertEqual('"old"', reader.read())
        self.assertEqual(['x.json'], [path.name for path in self.path.parent.iterdir()])

    def test_shorter_json_leaves_nothing_of_longer(self):
        # 1434187, 1391072
        self.write('a long text')
        self.write(1)
        self.assertEqual('1', self.path.read_text())

    def test_nothing_is_written_if_one_path_is_wrong(self):
        response = self.deploy('json-file', config={str(self.path): 1, 'x.json': 2})
        self.assertEqual(65, response['deploy_status_code'])
        self.assertIn("'x.json' is not the absolute path", response['deploy_stderr'])
        self.assertFalse(self.path.exists())

    def test_two_paths_of_one_file_are_refused(self):
        path = str(self.root / 'a')
        response = self.deploy('json-file', config={path: 1, path.replace('/a', '//a'): 2})
        self.assertEqual(65, response['deploy_status_code'])
        self.assertFalse((self.root / 'a').exists())

    def test_a_mode_that_is_none_is_refused(self):
        for mode in ('rw', '0999', -1, '10644'):
            response = self.write(1, options={'mode': mode})
            self.assertEqual(65, response['deploy_status_code'])
            self.assertIn('mode', response['deploy_stderr'])

    def test_a_path_that_cannot_be_written_fails_and_says_so(self):
        self.path.mkdir(parents=True)
        response = self.write(1)
        self.assertEqual(1, response['deploy_status_code'])
        self.assertIn(str(self.path), response['deploy_stderr'])
        self.assertNotIn('Traceback', response['deploy_stderr'])
