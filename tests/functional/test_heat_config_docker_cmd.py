# SPDX-License-Identifier: Apache-2.0
"""The hook docker-cmd with a real docker; what runs is read back by commands of its own."""

import json

from tests import base, containers, hooks


class DockerCmdTest(hooks.HookTestCase):
    group = 'docker-cmd'
    guard_processes = False

    def setUp(self):
        super().setUp()
        self.engine = self.useFixture(containers.Docker(self.root))
        self.sandbox.env.update(self.engine.env)
        self.out = self.root / 'out'
        self.out.mkdir()

    def run_config(self, id, config, action='CREATE', resource='web'):
        inputs = {
            'deploy_action': action,
            'deploy_stack_id': 'stack/1',
            'deploy_resource_name': resource,
        }
        return self.deploy('docker-cmd', id=id, config=config, inputs=inputs)

    def container(self, command='sleep 600', **config):
        return dict(
            config,
            image=containers.IMAGE,
            command=command,
            net='host',
            volumes=[f'{self.out}:/out'],
        )

    def remove_stale(self, *ids):
        path = self.root / 'metadata'
        path.write_text(json.dumps([{'id': id} for id in ids]))
        done = self.run_script(
            base.ELEMENTS
            / 'heat-config-docker-cmd/os-refresh-config/configure.d'
            / '50-heat-config-docker-cmd',
            env={'HEAT_CONFIG_HOOKS': str(self.root / 'hooks'), 'HEAT_SHELL_CONFIG': str(path)},
        )
        self.assertEqual((0, ''), (done.status, done.stdout), done.stderr)

    def test_containers_live_from_create_to_delete(self):
        response = self.run_config(
            'a',
            {
                'web': self.container(start_order=1, environment={'GREETING': 'hello there'}),
                'look': {
                    'action': 'exec',
                    'start_order': 2,
                    'command': "web sh -c 'echo $GREETING > /out/exec'",
                },
                'once': self.container(
                    "sh -c 'echo done; exit 3'", start_order=3, detach=False, exit_codes=[3]
                ),
            },
        )
        self.assertEqual(0, response['deploy_status_code'], response['deploy_stderr'])
        self.assertEqual(['web'], self.engine.running())
        self.assertEqual('hello there\n', (self.out / 'exec').read_text())
        self.assertTrue(response['deploy_stdout'].endswith('done\n'))

        self.run_config('b', {'db': self.container()}, 'UPDATE')
        self.assertEqual(['db'], self.engine.all())

        self.run_config('c', {'db': self.container()}, 'DELETE')
        self.assertEqual([], self.engine.all())

    def test_failures_names_and_what_is_stale(self):
        # One test, for it takes a while to start the daemon.
        self.engine.ask(
            'run', '--detach', '--net=host', '--name', 'web', containers.IMAGE, 'sleep', '600'
        )
        response = self.run_config(
            'a', {'bad': self.container('no-such-program'), 'web': self.container()}
        )
        self.assertEqual(127, response['deploy_status_code'])
        self.assertIn('no-such-program', response['deploy_stderr'])
        self.run_config('b', {'other': self.container()}, resource='other')
        other, web, renamed = self.engine.running()
        self.assertEqual(('other', 'web'), (other, web))
        self.assertRegex(renamed, '^web-[0-9a-f]{8}$')

        self.engine.ask('rm', '--force', 'web')
        self.remove_stale('a')
        self.assertEqual(['web'], self.engine.running())
        self.remove_stale()
        self.assertEqual([], self.engine.all())
