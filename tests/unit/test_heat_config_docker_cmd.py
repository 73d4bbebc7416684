# SPDX-License-Identifier: Apache-2.0
"""The hook docker-cmd, with a fake docker; with a real one: tests/functional.

The numbers of public bugs are Launchpad's.
"""

import json
import os

from tests import base, hooks, interpreters

load_tests = base.load_scenarios

WEB = {'web': {'image': 'nginx'}}
LABELS = [
    '--label=managed_by=docker-cmd',
    '--label=config_id=id-1',
    '--label=deploy_stack_id=stack/1',
    '--label=deploy_resource_name=web_deployment',
]
RESOURCE = {'deploy_stack_id': 'stack/1', 'deploy_resource_name': 'web_deployment'}


def found(*names, **labels):
    """The answers to the two questions for containers: their ids, and what they are."""
    lines = [f'id-of-{name} /{name} {json.dumps(labels)}' for name in names]
    return ({'stdout': ''.join(f'id-of-{name}\n' for name in names)}, {'stdout': '\n'.join(lines)})


class DockerCmdTestCase(hooks.HookTestCase):
    group = 'docker-cmd'
    # Before anything is run: what ran before, twice; then the names that are taken.
    NOTHING_YET = ({}, {}, {})

    def run_config(self, config, **fields):
        return self.deploy('docker-cmd', id='id-1', config=config, inputs=RESOURCE, **fields)

    def commands(self, name):
        return [call.argv[1:] for call in self.calls('docker') if call.argv[0] == name]

    def assert_refused(self, expected, config):
        self.fake('docker')
        response = self.run_config(config)
        self.assertEqual(65, response['deploy_status_code'])
        self.assertIn(expected, response['deploy_stderr'])
        self.assertEqual([], self.calls('docker'))


class RunTest(DockerCmdTestCase):
    def test_a_container_is_run_with_all_that_its_config_says(self):
        self.fake('docker')
        self.run_config(
            {
                'db': {
                    'image': 'mariadb',
                    'net': 'host',
                    'pid': 'host',
                    'restart': 'always',
                    'privileged': True,
                    'user': 'root',
                    'env_file': '/etc/a.env',
                    'ports': ['80:80'],
                    'volumes': ['/run:/run', 'db:/var/lib/db'],
                    'volumes_from': ['data'],
                    'environment': ['A=1', 'B=2'],
                    'command': ['mysqld', '--verbose', '1 2'],
                }
            }
        )
        self.assertEqual(
            [
                '--name',
                'db',
                *LABELS,
                '--label=container_name=db',
                '--detach=true',
                '--env-file=/etc/a.env',
                '--env=A=1',
                '--env=B=2',
                '--net=host',
                '--pid=host',
                '--publish=80:80',
                '--privileged=true',
                '--restart=always',
                '--user=root',
                '--volume=/run:/run',
                '--volume=db:/var/lib/db',
                '--volumes-from=data',
                'mariadb',
                'mysqld',
                '--verbose',
                '1 2',
            ],
            self.commands('run')[0],
        )

    def test_a_container_is_not_privileged_by_itself(self):
        self.fake('docker')
        self.run_config({'web': {'image': 'nginx'}, 'db': {'image': 'x', 'privileged': False}})
        web, db = self.commands('run')
        self.assertEqual([], [word for word in web if 'privileged' in word])
        self.assertIn('--privileged=false', db)

    def test_containers_are_run_in_their_order(self):
        self.fake('docker')
        self.run_config(
            {
                'c': {'image': 'x', 'start_order': 2},
                'a': {'image': 'x'},
                'b': {'image': 'x', 'start_order': 10},
            }
        )
        self.assertEqual(['a', 'c', 'b'], [argv[1] for argv in self.commands('run')])

    def test_a_command_that_is_a_text_is_split_as_a_shell_does(self):
        self.fake('docker')
        self.run_config({'web': {'image': 'nginx', 'command': "sh -c 'echo hello'"}})
        self.assertEqual(['nginx', 'sh', '-c', 'echo hello'], self.commands('run')[0][-4:])

    def test_values_may_be_maps_numbers_and_null(self):
        self.fake('docker')
        self.run_config(
            {
                'web': {
                    'image': 'nginx',
                    'user': 0,
                    'env_file': [None, 'x'],
                    'volumes': None,
                    'environment': {'A': 1, 'B': None},
                }
            }
        )
        self.assertEqual(
            ['--env-file=x', '--env=A=1', '--env=B', '--user=0', 'nginx'],
            self.commands('run')[0][-5:],
        )

    def test_a_container_in_the_foreground_is_waited_for(self):
        self.fake('docker')
        self.run_config({'web': {'image': 'nginx', 'detach': False}})
        self.assertNotIn('--detach=true', self.commands('run')[0])

    def test_a_name_that_somebody_has_is_made_another(self):
        self.fake('docker', {}, {}, {'stdout': 'other\nweb,alias/web\n'}, {})
        self.run_config(WEB)
        name = self.commands('run')[0][1]
        self.assertRegex(name, '^web-[0-9a-f]{8}$')

    def test_what_docker_prints_is_in_the_response_and_nowhere_else(self):
        self.fake('docker', *self.NOTHING_YET, {'stdout': 'abc123\n', 'stderr': 'pulling\n'})
        response = self.run_config(WEB)
        self.assertEqual(
            ('abc123\n', 'pulling\n', 0),
            (response['deploy_stdout'], response['deploy_stderr'], response['deploy_status_code']),
        )

    def test_a_container_that_fails_fails_the_deployment_and_the_others_are_run(self):
        self.fake(
            'docker',
            *self.NOTHING_YET,
            {'stdout': 'id\n', 'stderr': 'no such image\n', 'status': 125},
            {},
        )
        response = self.run_config({'a': {'image': 'x'}, 'b': {'image': 'x'}})
        self.assertEqual(125, response['deploy_status_code'])
        self.assertEqual(
            'no such image\na: run ended with status 125.\n', response['deploy_stderr']
        )
        self.assertEqual(2, len(self.commands('run')))

    def test_other_exit_codes_can_mean_success(self):
        self.fake('docker', *self.NOTHING_YET, {'status': 2})
        response = self.run_config({'a': {'image': 'x', 'detach': False, 'exit_codes': [0, 2]}})
        self.assertEqual(0, response['deploy_status_code'])

    def test_success_is_a_failure_where_another_exit_code_was_expected(self):
        self.fake('docker')
        response = self.run_config({'a': {'image': 'x', 'exit_codes': [2]}})
        self.assertEqual(1, response['deploy_status_code'])

    def test_exec_runs_in_the_deployments_container_whatever_its_name_is(self):
        self.fake('docker', *self.NOTHING_YET, {}, *found('web-1a2b3c4d'), {})
        self.run_config(
            {
                'web': {'image': 'nginx', 'start_order': 1},
                'init': {
                    'action': 'exec',
                    'start_order': 2,
                    'user': 'root',
                    'command': ['web', 'touch', '/a b'],
                },
            }
        )
        self.assertEqual([['--user=root', 'web-1a2b3c4d', 'touch', '/a b']], self.commands('exec'))

    def test_exec_takes_any_other_container_by_its_name(self):
        self.fake('docker')
        self.run_config({'look': {'action': 'exec', 'command': 'other ls'}})
        self.assertEqual([['other', 'ls']], self.commands('exec'))

    def test_docker_gets_no_credentials(self):
        self.fake('docker')
        self.deploy(
            'docker-cmd',
            config=WEB,
            inputs={'deploy_password': 'secret', 'deploy_signal_id': 'https://secret'},
        )
        self.assertNotIn('secret', json.dumps(self.calls('docker')))

    def test_another_program_can_be_named(self):
        self.fake('my-docker')
        self.run_config(WEB, env={'HEAT_DOCKER_CMD': str(self.sandbox.bin / 'my-docker')})
        self.assertEqual('run', self.calls('my-docker')[-1].argv[0])


class ReplaceTest(DockerCmdTestCase):
    def test_what_the_resource_ran_before_is_removed_first(self):
        self.fake('docker', {}, *found('web', config_id='id-0'), {}, {}, {})
        self.run_config(WEB)
        asked = [call.argv for call in self.calls('docker')]
        self.assertEqual(['ps', 'ps', 'container', 'rm', 'ps', 'run'], [argv[0] for argv in asked])
        self.assertIn('--filter=label=deploy_stack_id=stack/1', asked[1])
        self.assertIn('--filter=label=deploy_resource_name=web_deployment', asked[1])
        self.assertIn('--filter=label=managed_by=docker-cmd', asked[1])
        self.assertEqual(['rm', '--force', 'id-of-web'], asked[3])

    def test_deployments_of_no_stack_are_not_taken_for_one(self):
        self.fake('docker')
        self.deploy(
            'docker-cmd',
            id='id-1',
            config=WEB,
            inputs={'deploy_stack_id': None, 'deploy_resource_name': None},
        )
        self.assertEqual(
            [
                [
                    '--all',
                    '--quiet',
                    '--no-trunc',
                    '--filter=label=config_id=id-1',
                    '--filter=label=managed_by=docker-cmd',
                ],
                ['--all', '--format={{.Names}}'],
            ],
            self.commands('ps'),
        )

    def test_delete_removes_and_runs_nothing(self):
        self.fake('docker', *found('web'), {})
        response = self.deploy('docker-cmd', config=WEB, inputs={'deploy_action': 'DELETE'})
        self.assertEqual(0, response['deploy_status_code'])
        self.assertEqual([['--force', 'id-of-web']], self.commands('rm'))
        self.assertEqual([], self.commands('run'))

    def test_delete_fails_when_the_container_cannot_be_removed(self):
        self.fake('docker', *found('web'), {'status': 1, 'stderr': 'device is busy'})
        response = self.deploy('docker-cmd', inputs={'deploy_action': 'DELETE'})
        self.assertEqual(1, response['deploy_status_code'])
        self.assertIn('device is busy', response['deploy_stderr'])

    def test_a_daemon_that_is_not_there_is_told_of(self):
        self.fake('docker', {'status': 1, 'stderr': 'Cannot connect to the Docker daemon'})
        response = self.run_config(WEB)
        self.assertEqual(1, response['deploy_status_code'])
        self.assertIn('Cannot connect to the Docker daemon', response['deploy_stderr'])


class ConfigTest(DockerCmdTestCase):
    def test_an_empty_config_runs_nothing(self):
        # Public bugs 1648249 and 1692899.
        self.fake('docker')
        for config in (None, '', {}, '{}'):
            self.assertEqual(0, self.run_config(config)['deploy_status_code'])
        self.assertEqual([], self.commands('run'))

    def test_nothing_to_do_needs_no_docker(self):
        for fields in ({'config': None}, {'inputs': {'deploy_action': 'DELETE'}}):
            self.assertEqual(0, self.deploy('docker-cmd', **fields)['deploy_status_code'])

    def test_a_missing_docker_is_a_failure(self):
        response = self.run_config(WEB)
        self.assertEqual(127, response['deploy_status_code'])
        self.assertIn('docker: command not found', response['deploy_stderr'])
        self.assertIn('heat-config-docker-cmd', response['deploy_stderr'])

    def test_json_text_is_a_config(self):
        self.fake('docker')
        self.run_config(json.dumps(WEB))
        self.assertEqual('nginx', self.commands('run')[0][-1])

    def test_an_action_must_be_run_or_exec(self):
        self.assert_refused(
            "web: the action is run or exec, and not 'stop'",
            {'web': {'image': 'nginx', 'action': 'stop'}},
        )

    def test_a_container_must_be_a_map(self):
        self.assert_refused('web: must be a map, and is a string', {'web': 'nginx'})

    def test_a_container_must_have_an_image(self):
        self.assert_refused('web: has no image', {'web': {'command': 'ls'}})

    def test_exec_must_have_a_command(self):
        self.assert_refused(
            "web: the command to exec must begin with a container's name",
            {'web': {'action': 'exec'}},
        )

    def test_start_order_must_be_a_number(self):
        self.assert_refused(
            'web: start_order must be a number', {'web': {'image': 'nginx', 'start_order': 'first'}}
        )

    def test_a_command_must_have_its_quotes_in_pairs(self):
        self.assert_refused(
            'cannot be split into words', {'web': {'image': 'nginx', 'command': 'echo "a'}}
        )

    def test_a_list_is_no_config(self):
        self.assert_refused('The config must be a map, and is a list', [WEB])


class YamlTest(DockerCmdTestCase):
    def deploy_with(self, module, config):
        """With PyYAML as the module text says: the tests' Python may have it or not."""
        (self.root / 'hooks' / 'yaml.py').write_text(module)
        return self.run_config(config)

    def test_yaml_text_is_a_config(self):
        self.fake('docker')
        self.deploy_with('def safe_load_all(text): return [{"web": {"image": text}}]', 'web: {')
        self.assertEqual('web: {', self.commands('run')[0][-1])

    def test_yaml_text_without_pyyaml_says_what_is_missing(self):
        self.fake('docker')
        response = self.deploy_with('raise ImportError', 'web:\n  image: nginx\n')
        self.assertEqual(127, response['deploy_status_code'])
        self.assertIn('PyYAML', response['deploy_stderr'])

    def test_text_that_is_no_yaml_is_refused(self):
        self.fake('docker')
        response = self.deploy_with(
            'class YAMLError(Exception): pass\n'
            'def safe_load_all(text): raise YAMLError("line 1: what is that")',
            '{{',
        )
        self.assertEqual(65, response['deploy_status_code'])
        self.assertIn('line 1: what is that', response['deploy_stderr'])


class StaleTest(DockerCmdTestCase):
    def remove_stale(self, metadata):
        path = self.root / 'metadata'
        if metadata is not None:
            path.write_text(metadata)
        done = self.run_script(
            base.ELEMENTS
            / 'heat-config-docker-cmd/os-refresh-config/configure.d'
            / '50-heat-config-docker-cmd',
            env={'HEAT_CONFIG_HOOKS': str(self.root / 'hooks'), 'HEAT_SHELL_CONFIG': str(path)},
        )
        # Another status would keep the deployments waiting that come next.
        self.assertEqual((0, ''), (done.status, done.stdout))
        return done.stderr

    def test_containers_of_deployments_that_are_gone_are_removed(self):
        self.fake('docker', *found('web', config_id='old'), *found('web', config_id='old'), {}, {})
        self.assertIn('old, which Heat no longer has', self.remove_stale('[{"id": "new"}]'))
        self.assertIn('--filter=label=config_id=old', self.commands('ps')[1])
        self.assertEqual([['--force', 'id-of-web']], self.commands('rm'))

    def test_containers_of_deployments_that_are_there_stay(self):
        # Whatever their group is: a component's is "component".
        self.fake(
            'docker',
            *found('web', config_id='a', container_name='web'),
            *found('web', config_id='a', container_name='web'),
            {},
        )
        self.assertEqual('', self.remove_stale('[{"id": "a", "group": "component"}]'))
        self.assertEqual([], self.commands('rm'))

    def test_a_container_gets_the_name_that_has_become_free(self):
        web = found('web-1a2b3c4d', config_id='a', container_name='web')
        self.fake('docker', *web, *web, {'stdout': 'web-1a2b3c4d\n'}, {})
        self.remove_stale('[{"id": "a"}]')
        self.assertEqual([['web-1a2b3c4d', 'web']], self.commands('rename'))

    def test_a_container_keeps_its_name_while_the_wanted_one_is_taken(self):
        web = found('web-1a2b3c4d', config_id='a', container_name='web')
        self.fake('docker', *web, *web, {'stdout': 'web-1a2b3c4d\nweb\n'}, {})
        self.remove_stale('[{"id": "a"}]')
        self.assertEqual([], self.commands('rename'))

    def test_nothing_is_removed_when_it_is_not_known_what_is_wanted(self):
        self.fake('docker', *found('web', config_id='old'))
        for metadata in (None, '', '{"half'):
            self.assertIn('stale containers are left', self.remove_stale(metadata))
        self.assertEqual([], self.calls('docker'))

    def test_a_missing_docker_or_daemon_does_not_keep_the_deployments_waiting(self):
        self.assertIn('docker: command not found', self.remove_stale('[]'))
        self.fake('docker', {'status': 1, 'stderr': 'no daemon'})
        self.assertIn('no daemon', self.remove_stale('[]'))


class PythonTest(DockerCmdTestCase):
    scenarios = interpreters.scenarios()

    def test_it_runs_on_every_python(self):
        # And in the locale C passes on what is not ASCII: public bugs 1333992, 1382031, 1392802.
        self.fake('docker')
        response = self.run_config(
            {'web': {'image': 'nginx', 'command': ['echo', '\u20ac']}}, python=self.python
        )
        self.assertEqual(0, response['deploy_status_code'], response)
        self.assertEqual(
            ['nginx', 'echo', '\u20ac'],
            [os.fsencode(word).decode() for word in self.commands('run')[0][-3:]],
        )
