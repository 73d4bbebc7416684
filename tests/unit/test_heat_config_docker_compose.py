# SPDX-License-Identifier: Apache-2.0
"""The hook docker-compose, with a fake Compose; with a real one: tests/functional."""

import json
import os

from tests import hooks

NAME = 'Web.app-1'
PROJECT = ['--project-name', 'webapp-1-b2a4da8f']
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
        self.assertIn('not a list', response['deploy_stderr'])

    def test_a_name_cannot_leave_the_folder(self):
        self.deploy('docker-compose', name='../../etc', config=FILE)
        self.assertEqual(['unsafe-'], [path.name[:7] for path in self.working.iterdir()])


class NameTest(ComposeTestCase):
    def projects(self, *names):
        self.fake('docker-compose')
        for name in names:
            self.deploy('docker-compose', name=name, config=FILE)
        return [argv[1] for argv in self.argvs() if argv[2] == 'up']

    def test_different_names_are_different_projects(self):
        names = ['web1', 'web.1', 'Web1', 'web_1', 'w\u00e9b1', '.', '-', 'web1' * 60, '\U0001f600']
        projects = self.projects(*names)
        self.assertEqual(len(names), len(set(projects)))
        for name in projects:
            self.assertRegex(name, '^[a-z0-9][a-z0-9_-]{0,120}$')

    def test_a_name_that_compose_allows_is_kept(self):
        self.assertEqual(['web-1_a'], self.projects('web-1_a'))

    def test_a_project_of_an_older_version_keeps_its_name(self):
        self.folder.mkdir(parents=True)
        self.file.write_text('{}')
        self.assertEqual(['webapp-1'], self.projects(NAME))
        # Also after that.
        self.assertEqual(['webapp-1', 'webapp-1'], self.projects(NAME))


class DollarTest(ComposeTestCase):
    def written(self, config, **fields):
        self.fake('docker-compose')
        self.run_config(config, **fields)
        return self.file.read_text()

    def test_values_of_inputs_arrive_as_they_are(self):
        inputs = {'p': 'a$b', 'm': {'K': ['${x}', 1]}, 'empty': '', 'none': None}
        written = self.written(
            {'services': {'web': {'environment': {'P': 'a$b', 'M': {'K': ['${x}', 1]}}}}},
            inputs=inputs,
        )
        self.assertEqual(
            {'P': 'a$$b', 'M': {'K': ['$${x}', 1]}},
            json.loads(written)['services']['web']['environment'],
        )

    def test_what_the_template_says_is_composes(self):
        config = {'services': {'web': {'image': 'x:${TAG}', 'command': 'echo $$HOME'}}}
        self.assertEqual(config, json.loads(self.written(config, inputs={'p': 'q'})))
        self.assertIn('${TAG}', self.written('services: {web: {image: "x:${TAG}"}}'))

    def test_an_option_makes_all_literal_or_nothing(self):
        config = {'services': {'web': {'image': 'x', 'command': 'echo $HOME'}}}
        self.assertIn('$$HOME', self.written(config, options={'interpolate': False}))
        self.assertIn(
            "command: 'a$$b'",
            self.written("services: {web: {command: 'a$b'}}", options={'interpolate': False}),
        )
        self.assertNotIn(
            '$$',
            self.written(config, inputs={'c': 'echo $HOME'}, options={'interpolate': True}),
        )


class OptionsTest(ComposeTestCase):
    def run_with(self, **options):
        self.fake('docker-compose')
        self.run_config(
            options=options,
            inputs={'env_files': [{'file_name': 'more.yml', 'content': 'services: {}'}]},
        )
        return [argv[2:] for argv in self.argvs()]

    def test_profiles(self):
        checked, up = self.run_with(profiles=['a', 'b'])
        self.assertEqual(['--profile=a', '--profile=b', 'up'], up[:3])
        self.assertIn('--profile=b', checked)

    def test_several_files(self):
        checked, up = self.run_with(files=['more.yml'])
        self.assertEqual(['--file', '.docker-compose.new.yml', '--file=more.yml'], checked[:3])
        self.assertEqual(['--file=docker-compose.yml', '--file=more.yml', 'up'], up[:3])

    def test_pull(self):
        self.assertEqual(['pull'], self.run_with(pull='always')[1])
        self.assertIn('--pull=never', self.run_with(pull='never')[-1])

    def test_build(self):
        up = self.run_with(build=True)[-1]
        self.assertIn('--build', up)
        self.assertNotIn('--no-build', up)

    def test_stop_timeout(self):
        self.assertIn('--timeout=3', self.run_with(stop_timeout=3)[-1])


class RegistriesTest(ComposeTestCase):
    def test_images_are_pulled_with_a_login_that_is_gone_afterwards(self):
        self.fake('docker', {}, {'status': 1})
        self.fake('docker-compose')
        self.run_config(
            options={'registries': {'r.test': {'username': 'u', 'password': 'p'}}},
            inputs={'u': 'me', 'p': 'geheim'},
        )
        # 'docker login', then the question for Compose v2.
        self.assertEqual(
            ['login', '--username=me', '--password-stdin', 'r.test'], self.argvs('docker')[0]
        )
        self.assertEqual('geheim', self.calls('docker')[0].stdin)
        folder = self.calls('docker-compose')[-1].env['DOCKER_CONFIG']
        self.assertEqual(self.calls('docker')[0].env['DOCKER_CONFIG'], folder)
        self.assertFalse(os.path.exists(folder))


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

    def test_they_stay_below_the_projects_folder(self):
        for name in ('/etc/x', '../x', 'a/../../x', '.', '', 'docker-compose.yml', './.project'):
            response = self.run_config(inputs={'env_files': [{'file_name': name, 'content': ''}]})
            self.assertEqual(65, response['deploy_status_code'], name)
            self.assertIn("below the project's folder", response['deploy_stderr'])

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
        self.assertEqual(1, response['deploy_status_code'])
        self.assertIn('in use', response['deploy_stderr'])
        self.assertIn('delete the server first', response['deploy_stderr'])
        self.assertEqual(0, self.delete()['deploy_status_code'])
        self.assertFalse(self.folder.exists())

    def test_delete_without_compose_succeeds_with_a_note(self):
        self.run_config()
        (self.sandbox.bin / 'docker-compose').unlink()
        response = self.delete()
        self.assertEqual(0, response['deploy_status_code'])
        self.assertIn('the tool is not on this server', response['deploy_stderr'])

    def test_an_empty_config_takes_the_project_down(self):
        for config in (None, '', ' \n', {}):
            self.run_config()
            self.assertEqual(0, self.run_config(config)['deploy_status_code'])
            self.assertEqual(DOWN, self.argvs()[-1])


class StaleTest(ComposeTestCase):
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
        self.assertIn('could not look for what Heat no longer has', self.remove_stale('{"half'))
        for metadata in ('', ' \n', 'null'):
            self.assertEqual('', self.remove_stale(metadata))
        self.assertEqual([CHECK, UP], self.argvs())

    def test_one_that_cannot_be_taken_down_does_not_keep_the_deployments_waiting(self):
        self.fake('docker-compose', {}, {}, {'status': 1})
        self.run_config()
        self.assertIn(f'{NAME} could not be taken down', self.remove_stale('[]'))

    def test_a_server_without_projects_has_nothing_to_do(self):
        self.assertEqual('', self.remove_stale('[]'))
