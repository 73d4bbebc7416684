# SPDX-License-Identifier: Apache-2.0
"""The hook docker-cmd with a real docker; what runs is read back by commands of its own."""

import json

from tests import containers, hooks, proc_reader


class DockerCmdTest(hooks.HookTestCase):
    group = 'docker-cmd'
    guard_processes = False

    def setUp(self):
        super().setUp()
        self.engine = self.useFixture(containers.Docker(self.root))
        self.sandbox.env.update(self.engine.env)
        self.out = self.root / 'out'
        self.out.mkdir()

    def run_config(self, id, config, action='CREATE', resource='web', more=None, **fields):
        inputs = {
            'deploy_action': action,
            'deploy_stack_id': 'stack/1',
            'deploy_resource_name': resource,
        }
        inputs.update(more or {})
        return self.deploy('docker-cmd', id=id, config=config, inputs=inputs, **fields)

    def container(self, command='sleep 600', **config):
        return dict(
            config,
            image=containers.IMAGE,
            command=command,
            net='host',
            volumes=[f'{self.out}:/out'],
        )

    def remove_all_but(self, *ids):
        self.remove_stale(json.dumps([{'id': id} for id in ids]))

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

    def test_all_keys_of_a_container_and_none_of_its_secrets_can_be_read_by_others(self):
        # What the kernel here has no support for, docker ignores with a warning.
        config = self.container(**containers.KEYS)
        with proc_reader.ProcReader(self.root, *containers.SECRETS) as reader:
            response = self.run_config('a', {'web': config}, more=containers.INPUTS)
        self.assertEqual([], reader.seen())
        self.assertEqual(0, response['deploy_status_code'], response['deploy_stderr'])
        (found,) = json.loads(self.engine.ask('container', 'inspect', 'web'))
        containers.assert_has_keys(self, found, self.out)
        self.run_config('c', {}, 'DELETE')
        self.assertEqual([], list((self.working / 'secrets').iterdir()))

    def test_an_image_of_a_registry_that_wants_a_password(self):
        registry = self.useFixture(containers.Registry(self.root))
        config = dict(self.container(), image=registry.push(self.engine), pull='always')
        response = self.run_config('a', {'web': config})
        self.assertEqual(125, response['deploy_status_code'])
        with proc_reader.ProcReader(self.root, registry.PASSWORD) as reader:
            response = self.run_config(
                'b', {'web': config}, more=registry.inputs, options={'registries': registry.option}
            )
        self.assertEqual([], reader.seen())
        self.assertEqual(0, response['deploy_status_code'], response['deploy_stderr'])
        self.assertEqual(['web'], self.engine.running())
        self.assertEqual([], [name for name in self.working.iterdir() if 'login' in name.name])

        wrong = dict(registry.inputs, registry_password='wrong')
        response = self.run_config(
            'c', {'web': config}, more=wrong, options={'registries': registry.option}
        )
        self.assertNotEqual(0, response['deploy_status_code'])
        self.assertIn('could not be logged in to', response['deploy_stderr'])
        self.assertEqual(['web'], self.engine.running())

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
        self.remove_all_but('a')
        self.assertEqual(['web'], self.engine.running())
        self.remove_all_but()
        self.assertEqual([], self.engine.all())
