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

    def run_config(self, config, more=None, **fields):
        inputs = dict(RESOURCE, **(more or {}))
        return self.deploy('docker-cmd', id='id-1', config=config, inputs=inputs, **fields)

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
                '--net=host',
                '--pid=host',
                '--publish=80:80',
                '--privileged=true',
                '--restart=always',
                '--user=root',
                '--volume=/run:/run',
                '--volume=db:/var/lib/db',
                '--volumes-from=data',
                '--env=A',
                '--env=B',
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
                'cc': {'image': 'x', 'start_order': 2},
                'aa': {'image': 'x'},
                'bb': {'image': 'x', 'start_order': 10},
            }
        )
        self.assertEqual(['aa', 'cc', 'bb'], [argv[1] for argv in self.commands('run')])

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
            ['--env-file=x', '--user=0', '--env=A', '--env=B', 'nginx'],
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


class SecretsTest(DockerCmdTestCase):
    """Every user of a server can read what stands on command lines."""

    def environment(self, environment, **config):
        """The variables as the container would get them: by name, by the tool's own, by file."""
        self.fake('docker')
        # A copy, for the file is gone afterwards.
        (self.sandbox.bin / 'docker').rename(self.sandbox.bin / 'real-docker')
        (self.sandbox.bin / 'docker').write_text(
            '#!/bin/sh\nfor word; do case $word in --env-file=*) '
            f'cat "${{word#*=}}" >> {self.root}/env-file; stat -c %a "${{word#*=}}" >> '
            f'{self.root}/env-mode ;; esac; done\n'
            f'FAKE_NAME=docker exec python3 {self.sandbox.bin}/real-docker "$@"\n'
        )
        (self.sandbox.bin / 'docker').chmod(0o755)
        self.sandbox.announce('cat', 'stat')
        response = self.run_config({'web': dict(config, image='nginx', environment=environment)})
        self.assertEqual(0, response['deploy_status_code'], response)
        call = next(call for call in self.calls('real-docker') if call.argv[0] == 'run')
        path = self.root / 'env-file'
        return call, path.read_text() if path.exists() else ''

    def test_values_reach_docker_by_its_environment(self):
        call, lines = self.environment({'DB_PASSWORD': 'geheim $x\nline', 'N': 1, 'E': ''})
        self.assertEqual('', lines)
        self.assertEqual('geheim $x\nline', call.env['DB_PASSWORD'])
        self.assertEqual(('1', ''), (call.env['N'], call.env['E']))
        self.assertNotIn('geheim', ' '.join(call.argv))
        self.assertEqual(
            ['--env=DB_PASSWORD', '--env=N', '--env=E'],
            [word for word in call.argv if word.startswith('--env')],
        )

    def test_variables_that_would_change_docker_itself_come_by_a_file(self):
        call, lines = self.environment(
            {'PATH': '/app', 'https_proxy': 'http://u:geheim@p', 'DOCKER_HOST': 'x', 'A.b*': '1'}
        )
        self.assertEqual('PATH=/app\nhttps_proxy=http://u:geheim@p\nDOCKER_HOST=x\nA.b*=1\n', lines)
        self.assertEqual('600\n', (self.root / 'env-mode').read_text())
        self.assertNotIn('geheim', ' '.join(call.argv) + str(call.env))
        self.assertNotEqual('/app', call.env['PATH'])

    def test_those_cannot_have_several_lines(self):
        self.assert_refused(
            'PATH is a variable of the tool itself',
            {'web': {'image': 'x', 'environment': {'PATH': 'a\nb'}}},
        )

    def test_variables_must_have_names(self):
        for environment in ({'': 'x'}, ['=x'], {'a\nb': 'x'}, {'A': 'x\0y'}):
            self.assert_refused(
                'a variable cannot be called',
                {'web': {'image': 'x', 'environment': environment}},
            )

    def test_secrets_are_files_by_the_names_of_inputs_while_the_container_is_there(self):
        self.fake('docker')
        inputs = dict(RESOURCE, password='geheim')
        config = {'web': {'image': 'nginx', 'secrets': {'db-password': 'password'}}}
        self.deploy('docker-cmd', id='id-1', config=config, inputs=inputs)
        (option,) = [word for word in self.commands('run')[0] if word.startswith('--volume=')]
        path, inside, mode = option[len('--volume=') :].split(':')
        self.assertEqual(('/run/secrets/db-password', 'ro,z'), (inside, mode))
        with open(path) as file:
            self.assertEqual('geheim', file.read())
        self.assertEqual(0o700, os.stat(os.path.dirname(path)).st_mode & 0o777)
        self.assertNotIn('geheim', str([call.argv for call in self.calls()]))

        self.fake('docker', *[{}] * 4, *found('web', config_id='id-1'), {})
        self.deploy('docker-cmd', id='id-2', inputs=dict(inputs, deploy_action='DELETE'))
        self.assertFalse(os.path.exists(path))

    def test_a_secret_needs_its_input(self):
        self.assert_refused(
            'needs the input password, which is missing',
            {'web': {'image': 'nginx', 'secrets': {'x': 'password'}}},
        )

    def test_a_secret_is_no_path(self):
        for name in ('../x', 'a/b', '', '..'):
            self.assert_refused(
                'cannot be the name of a file', {'web': {'image': 'nginx', 'secrets': {name: 'p'}}}
            )

    def test_a_registry_is_logged_in_to_by_names_of_inputs_and_for_this_deployment_only(self):
        self.fake('docker')
        response = self.run_config(
            WEB,
            options={'registries': {'r.test:5000': {'username': 'user', 'password': 'pass'}}},
            more={'user': 'me', 'pass': 'geheim'},
        )
        self.assertEqual(0, response['deploy_status_code'], response)
        login, run = self.calls('docker')[0], self.calls('docker')[-1]
        self.assertEqual(['login', '--username=me', '--password-stdin', 'r.test:5000'], login.argv)
        self.assertEqual('geheim', login.stdin)
        self.assertEqual(login.env['DOCKER_CONFIG'], run.env['DOCKER_CONFIG'])
        self.assertFalse(os.path.exists(login.env['DOCKER_CONFIG']))
        self.assertNotIn('geheim', str([call.argv for call in self.calls()]))

    def test_a_registry_that_refuses_fails_before_anything_is_removed(self):
        self.fake('docker', {'status': 1, 'stderr': 'unauthorized: geheim'})
        response = self.run_config(
            WEB,
            options={'registries': {'r.test': {'username': 'user', 'password': 'pass'}}},
            more={'user': 'me', 'pass': 'geheim'},
        )
        self.assertEqual(1, response['deploy_status_code'])
        self.assertIn('r.test could not be logged in to: unauthorized', response['deploy_stderr'])
        self.assertNotIn('geheim', response['deploy_stderr'])
        self.assertEqual(1, len(self.calls('docker')))

    def test_registries_must_name_inputs(self):
        self.fake('docker')
        for value, expected in (
            ({'r': 'me'}, 'r must be a map with username and password'),
            ({'r': {'username': 'u'}}, 'r must be a map with username and password'),
            ({'r': {'username': 'u', 'password': 'gone'}}, 'needs the input u'),
        ):
            response = self.run_config(WEB, options={'registries': value})
            self.assertEqual(65, response['deploy_status_code'])
            self.assertIn(expected, response['deploy_stderr'])
        self.assertEqual([], self.calls('docker'))


class KeysTest(DockerCmdTestCase):
    """The keys of a container's config, and what docker gets for them."""

    def arguments(self, **config):
        self.fake('docker')
        response = self.run_config({'web': dict(config, image='nginx')})
        self.assertEqual(0, response['deploy_status_code'], response)
        return self.commands('run')[-1][8:]

    def test_what_docker_calls_alike(self):
        self.assertEqual(
            [
                '--cap-add=NET_ADMIN',
                '--cap-drop=ALL',
                '--cap-drop=CHOWN',
                '--cpus=0.5',
                '--hostname=h',
                '--label=a=b',
                '--log-driver=none',
                '--memory=64m',
                '--pull=never',
                'nginx',
            ],
            self.arguments(
                cap_add='NET_ADMIN',
                cap_drop=['ALL', 'CHOWN'],
                cpus=0.5,
                hostname='h',
                labels={'a': 'b'},
                log_driver='none',
                memory='64m',
                pull='never',
            )[-10:],
        )

    def test_ulimits(self):
        self.assertEqual(
            ['--ulimit=nofile=9', '--ulimit=nproc=1:2', 'nginx'],
            self.arguments(ulimits={'nofile': 9, 'nproc': {'soft': 1, 'hard': 2}})[-3:],
        )
        self.assertEqual(['--ulimit=core=0', 'nginx'], self.arguments(ulimits=['core=0'])[-2:])

    def test_an_entrypoint_may_have_several_words(self):
        self.assertEqual(
            ['--entrypoint=sh', 'nginx', '-c', 'x y', 'z'],
            self.arguments(entrypoint=['sh', '-c', 'x y'], command='z')[-5:],
        )
        self.assertEqual(
            ['--entrypoint=', 'nginx', 'z'], self.arguments(entrypoint='', command='z')[-3:]
        )

    def test_a_healthcheck(self):
        self.assertEqual(
            [
                "--health-cmd=test -e '/a b'",
                '--health-interval=5s',
                '--health-timeout=1m',
                '--health-retries=3',
                'nginx',
            ],
            self.arguments(
                healthcheck={
                    'test': ['CMD', 'test', '-e', '/a b'],
                    'interval': 5,
                    'timeout': '1m',
                    'retries': 3,
                }
            )[-5:],
        )
        for test in ('true', ['CMD-SHELL', 'true'], {'test': 'true'}, ['true']):
            self.assertIn('--health-cmd=true', self.arguments(healthcheck=test))
        for none in (False, {'disable': True}, ['NONE']):
            self.assertIn('--no-healthcheck', self.arguments(healthcheck=none))

    def test_a_wrong_type_is_refused_in_a_sentence(self):
        for key, value, expected in (
            ('privileged', [1], 'web: privileged must be true or false, not a list'),
            ('privileged', 'maybe', "web: privileged must be true or false, not 'maybe'"),
            ('ports', {'80': 80}, 'web: ports must be a string or a list, not a map'),
            ('ports', [{'a': 'b'}], 'web: ports must be a string or a list'),
            ('memory', ['64m'], 'web: memory must be a string, not a list'),
            ('image', {'name': 'x'}, 'web: image must be a string, not a map'),
            ('detach', 'no thanks', 'web: detach must be true or false'),
            ('healthcheck', 5, 'web: healthcheck must be a map'),
            ('healthcheck', {'tset': 'x'}, 'web: healthcheck: tset is not known'),
            ('ulimits', {'nofile': {'soft': 1}}, 'nofile must have soft and hard'),
            ('labels', {'config_id': 'x'}, 'the hook itself sets config_id'),
            ('secrets', ['x'], 'secrets must be a map'),
        ):
            self.assert_refused(expected, {'web': {'image': 'nginx', key: value}})

    def test_a_key_that_is_not_known_is_told_of_with_what_was_meant(self):
        self.fake('docker')
        config = {
            'web': {'image': 'nginx', 'volume': '/x:/x'},
            'look': {'action': 'exec', 'command': 'web ls', 'ports': '80:80'},
        }
        said = self.run_config(config)['deploy_stderr']
        self.assertTrue(
            said.startswith(
                'Warning: web: volume is not a known key, and has no effect. '
                'Did you mean volumes?\n'
                'Warning: look: ports has no effect together with "action: exec".\n'
            ),
            said,
        )
        self.fake('docker')
        response = self.run_config(config, options={'strict_options': True})
        self.assertEqual(65, response['deploy_status_code'])
        self.assertEqual([], self.commands('run')[2:])

    def test_names_that_docker_does_not_allow_are_changed_and_stay_different(self):
        self.fake('docker')
        names = ['web app', 'web/app', 'web_app', 'w', '\u00e9', '-']
        self.run_config({name: {'image': 'nginx'} for name in names})
        given = [argv[1] for argv in self.commands('run')]
        self.assertEqual(len(names), len(set(given)))
        for name in given:
            self.assertRegex(name, '^[a-zA-Z0-9][a-zA-Z0-9_.-]+$')
        self.assertEqual('web_app', given[2])


class ReplaceTest(DockerCmdTestCase):
    def test_what_the_resource_ran_before_is_removed_first(self):
        self.fake('docker', {}, *found('web', config_id='id-0'), {}, {}, {})
        self.run_config(WEB)
        asked = [call.argv for call in self.calls('docker')]
        self.assertEqual(['ps', 'ps', 'container', 'rm', 'ps', 'run'], [argv[0] for argv in asked])
        self.assertIn('--filter=label=deploy_stack_id=stack/1', asked[1])
        self.assertIn('--filter=label=deploy_resource_name=web_deployment', asked[1])
        self.assertIn('--filter=label=managed_by=docker-cmd', asked[1])
        # By whatever deployment of the resource it was run.
        self.assertNotIn('config_id', ' '.join(asked[1]))
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

    def delete(self):
        return self.deploy('docker-cmd', config=WEB, inputs={'deploy_action': 'DELETE'})

    def test_delete_fails_when_the_container_cannot_be_removed_and_says_what_to_do(self):
        self.fake(
            'docker', *found('web'), {'status': 1, 'stderr': 'device is busy'}, found('web')[0]
        )
        response = self.delete()
        self.assertEqual(1, response['deploy_status_code'])
        self.assertIn('device is busy', response['deploy_stderr'])
        self.assertIn('delete the server first', response['deploy_stderr'])

    def test_delete_of_a_container_that_is_gone_meanwhile_succeeds_with_a_note(self):
        self.fake('docker', *found('web'), {'status': 1, 'stderr': 'No such container: x'}, {})
        response = self.delete()
        self.assertEqual(0, response['deploy_status_code'])
        self.assertIn('gone already: No such container: x', response['deploy_stderr'])

    def test_delete_without_docker_succeeds_with_a_note(self):
        response = self.delete()
        self.assertEqual(0, response['deploy_status_code'])
        self.assertIn('the tool is not on this server', response['deploy_stderr'])

    def test_delete_with_a_broken_docker_says_what_to_do(self):
        self.fake('docker', {'status': 1, 'stderr': 'Cannot connect to the Docker daemon'})
        response = self.delete()
        self.assertEqual(1, response['deploy_status_code'])
        self.assertIn('delete the server first', response['deploy_stderr'])

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
            "web: action must be run or exec, not 'stop'",
            {'web': {'image': 'nginx', 'action': 'stop'}},
        )

    def test_a_container_must_be_a_map(self):
        self.assert_refused('web: must be a map, not a string', {'web': 'nginx'})

    def test_a_container_must_have_an_image(self):
        self.assert_refused('web: needs an image', {'web': {'command': 'ls'}})

    def test_exec_must_have_a_command(self):
        self.assert_refused(
            'web: the command to exec must begin with the name of a container',
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
        self.assert_refused('The config must be a map, not a list', [WEB])


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
        for metadata in ('{"half', '{}', '5'):
            self.assertIn('could not look for what Heat no longer has', self.remove_stale(metadata))
        # No warning at each poll of a server without software configuration.
        for metadata in ('', '\n', 'null'):
            self.assertEqual('', self.remove_stale(metadata))
        (self.root / 'metadata').unlink()
        self.assertEqual('', self.remove_stale(None))
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
