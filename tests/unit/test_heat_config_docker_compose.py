# SPDX-License-Identifier: Apache-2.0
"""The hook docker-compose, with a fake Compose; with a real one: tests/functional."""

import json

from tests import base, hooks

NAME = 'Web.app-1'
PROJECT = ['--project-name', 'webapp-1']
CHECK = [*PROJECT, '--file', '.docker-compose.new.yml', 'config', '--quiet']
UP = [*PROJECT, 'up', '-d', '--no-build', '--remove-orphans']
DOWN = [*PROJECT, 'down', '--remove-orphans']
FILE = {'services': {'web': {'image': 'nginx'}}}


class ComposeTestCase(hooks.HookTestCase):
    group = 'docker-compose'

    def setUp(self):
        super().setUp()
        self.folder = self.working / NAME
        self.file = self.folder / 'docker-compose.yml'

    def run_config(self, config=FILE, inputs=None, **fields):
        return self.deploy('docker-compose', name=NAME, config=config, inputs=inputs, **fields)

    def delete(self):
        return self.run_config(inputs={'deploy_action': 'DELETE'})

    def argvs(self, tool='docker-compose'):
        return [call.argv for call in self.calls(tool)]


class CommandTest(ComposeTestCase):
    def test_compose_v2_is_used_where_it_is(self):
        self.fake('docker')
        self.fake('docker-compose')
        self.run_config()
        self.assertEqual(
            [['compose', 'version'], ['compose', *CHECK], ['compose', *UP]], self.argvs('docker')
        )
        self.assertEqual([], self.calls('docker-compose'))

    def test_compose_v1_is_used_where_docker_has_no_v2(self):
        self.fake('docker', {'status': 1})
        self.fake('docker-compose')
        self.run_config()
        self.assertEqual([['compose', 'version']], self.argvs('docker'))
        self.assertEqual([CHECK, UP], self.argvs())

    def test_another_command_can_be_named(self):
        self.fake('podman')
        self.run_config(env={'HEAT_DOCKER_COMPOSE_CMD': 'podman compose'})
        self.assertEqual([['compose', *CHECK], ['compose', *UP]], self.argvs('podman'))

    def test_no_compose_is_a_failure(self):
        response = self.run_config()
        self.assertEqual(127, response['deploy_status_code'])
        self.assertIn('heat-config-docker-compose', response['deploy_stderr'])


class UpTest(ComposeTestCase):
    def setUp(self):
        super().setUp()
        self.fake('docker-compose')

    def test_it_runs_in_the_projects_folder(self):
        self.run_config()
        self.assertEqual({str(self.folder)}, {call.cwd for call in self.calls()})
        self.assertEqual(0o700, self.folder.stat().st_mode & 0o777)
        self.assertEqual(0o600, self.file.stat().st_mode & 0o777)

    def test_what_compose_prints_is_in_the_response_and_nowhere_else(self):
        self.fake('docker-compose', {}, {'stdout': 'out', 'stderr': 'Creating web_1'})
        response = self.run_config()
        self.assertEqual(
            ('out', 'Creating web_1', 0),
            (response['deploy_stdout'], response['deploy_stderr'], response['deploy_status_code']),
        )

    def test_a_failure_is_reported(self):
        self.fake('docker-compose', {}, {'stderr': 'no such image', 'status': 1})
        response = self.run_config()
        self.assertEqual(
            (1, 'no such image'), (response['deploy_status_code'], response['deploy_stderr'])
        )

    def test_a_map_becomes_the_file(self):
        self.run_config()
        self.assertEqual(FILE, json.loads(self.file.read_text()))

    def test_what_is_not_ascii_is_written(self):
        # Public bugs 1333992, 1382031 and 1392802.
        self.run_config({'services': {'web': {'image': 'nginx', 'command': 'echo \u20ac'}}})
        self.assertIn('echo \u20ac', self.file.read_text(encoding='utf-8'))

    def test_text_becomes_the_file_as_it_is(self):
        text = '# mine\nversion: "3"\nservices:\n  web:\n    image: nginx\n'
        self.run_config(text)
        self.assertEqual(text, self.file.read_text())

    def test_services_at_the_top_of_a_map_get_their_place(self):
        self.run_config(FILE['services'])
        self.assertEqual(FILE, json.loads(self.file.read_text()))

    def test_services_at_the_top_of_a_text_get_their_place(self):
        self.run_config('---\nweb:\n  image: nginx\n')
        self.assertEqual('services:\n  \n  web:\n    image: nginx\n', self.file.read_text())

    def test_services_at_the_top_of_json_text_get_their_place(self):
        self.run_config(json.dumps(FILE['services']))
        self.assertEqual(FILE, json.loads(self.file.read_text()))

    def test_a_shorter_file_leaves_nothing_of_a_longer_one(self):
        # Public bugs 1434187 and 1391072.
        self.run_config('services: {web: {image: nginx}}  # and many more words\n')
        self.run_config('services: {}\n')
        self.assertEqual('services: {}\n', self.file.read_text())

    def test_a_file_with_mistakes_is_never_brought_up(self):
        self.fake('docker-compose', {'status': 15, 'stderr': 'unsupported option'})
        response = self.run_config()
        self.assertEqual(
            (15, 'unsupported option'), (response['deploy_status_code'], response['deploy_stderr'])
        )
        self.assertEqual([CHECK], self.argvs())
        self.assertFalse(self.folder.exists())

    def test_a_file_with_mistakes_leaves_the_project_as_it_was(self):
        self.run_config()
        self.fake('docker-compose', {}, {}, {'status': 15})
        self.run_config('services: []')
        self.assertEqual(FILE, json.loads(self.file.read_text()))

    def test_a_list_is_no_file(self):
        response = self.run_config(['web'])
        self.assertEqual(65, response['deploy_status_code'])
        self.assertIn('is a list', response['deploy_stderr'])

    def test_a_name_cannot_leave_the_folder(self):
        self.deploy('docker-compose', name='../../etc', config=FILE)
        self.assertEqual(['unsafe-'], [path.name[:7] for path in self.working.iterdir()])


class EnvFilesTest(ComposeTestCase):
    FILES = [
        {'file_name': './common.env', 'content': 'A=1\n'},
        {'file_name': 'apps/web.env', 'content': 'B=2\n'},
    ]

    def setUp(self):
        super().setUp()
        self.fake('docker-compose')

    def assert_written(self, value):
        self.run_config(inputs={'env_files': value})
        self.assertEqual('A=1\n', (self.folder / 'common.env').read_text())
        self.assertEqual('B=2\n', (self.folder / 'apps/web.env').read_text())
        self.assertEqual(0o600, (self.folder / 'common.env').stat().st_mode & 0o777)

    def test_a_list(self):
        self.assert_written(self.FILES)

    def test_json_text(self):
        self.assert_written(json.dumps(self.FILES))

    def test_text_in_pythons_notation(self):
        self.assert_written(repr(self.FILES))

    def test_none(self):
        for value in (None, '', []):
            self.assertEqual(0, self.run_config(inputs={'env_files': value})['deploy_status_code'])

    def test_anything_else_is_refused(self):
        for value in ('x', 1, {'a': 'b'}, [{'file_name': 'x'}], ['x']):
            response = self.run_config(inputs={'env_files': value})
            self.assertEqual(65, response['deploy_status_code'])
            self.assertIn('env_files must be a list of maps', response['deploy_stderr'])


class DownTest(ComposeTestCase):
    def setUp(self):
        super().setUp()
        self.fake('docker-compose')

    def test_delete_takes_the_project_down(self):
        self.run_config()
        self.assertEqual(0, self.delete()['deploy_status_code'])
        self.assertEqual(DOWN, self.argvs()[-1])
        self.assertEqual(str(self.folder), self.calls()[-1].cwd)
        self.assertFalse(self.folder.exists())

    def test_delete_of_what_never_was_succeeds(self):
        self.assertEqual(0, self.delete()['deploy_status_code'])
        self.assertEqual([], self.calls())

    def test_delete_that_fails_can_be_tried_again(self):
        self.run_config()
        self.fake('docker-compose', {}, {}, {'status': 1, 'stderr': 'in use'}, {})
        response = self.delete()
        self.assertEqual((1, 'in use'), (response['deploy_status_code'], response['deploy_stderr']))
        self.assertEqual(0, self.delete()['deploy_status_code'])
        self.assertFalse(self.folder.exists())

    def test_an_empty_config_takes_the_project_down(self):
        for config in (None, '', ' \n', {}):
            self.run_config()
            self.assertEqual(0, self.run_config(config)['deploy_status_code'])
            self.assertEqual(DOWN, self.argvs()[-1])


class StaleTest(ComposeTestCase):
    def remove_stale(self, metadata):
        path = self.root / 'metadata'
        path.write_text(metadata)
        done = self.run_script(
            base.ELEMENTS
            / 'heat-config-docker-compose/os-refresh-config/configure.d'
            / '50-heat-config-docker-compose',
            env={'HEAT_CONFIG_HOOKS': str(self.root / 'hooks'), 'HEAT_SHELL_CONFIG': str(path)},
        )
        # Another status would keep the deployments waiting that come next.
        self.assertEqual((0, ''), (done.status, done.stdout))
        return done.stderr

    def test_projects_of_deployments_that_are_gone_are_taken_down(self):
        self.fake('docker-compose')
        self.run_config()
        self.remove_stale('[{"id": "x", "name": "another"}]')
        self.assertEqual(DOWN, self.argvs()[-1])
        self.assertFalse(self.folder.exists())

    def test_projects_of_deployments_that_are_there_stay(self):
        self.fake('docker-compose')
        self.run_config()
        self.assertEqual('', self.remove_stale(json.dumps([{'id': 'x', 'name': NAME}])))
        self.assertEqual([CHECK, UP], self.argvs())

    def test_nothing_is_taken_down_when_it_is_not_known_what_is_wanted(self):
        self.fake('docker-compose')
        self.run_config()
        self.assertIn('stale projects are left', self.remove_stale('{"half'))
        self.assertEqual([CHECK, UP], self.argvs())

    def test_one_that_cannot_be_taken_down_does_not_keep_the_deployments_waiting(self):
        self.fake('docker-compose', {}, {}, {'status': 1})
        self.run_config()
        self.assertIn(f'{NAME} could not be taken down', self.remove_stale('[]'))

    def test_a_server_without_projects_has_nothing_to_do(self):
        self.assertEqual('', self.remove_stale('[]'))
