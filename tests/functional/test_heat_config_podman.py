# SPDX-License-Identifier: Apache-2.0
"""The hook podman with a real podman; what runs is read back by commands of its own."""

import json

from tests import containers, hooks, proc_reader

SLEEP = 'sleep 600'
RESOURCE = {'deploy_stack_id': 'stack/1', 'deploy_resource_name': 'web'}
POD = {
    'apiVersion': 'v1',
    'kind': 'Pod',
    'metadata': {'name': 'web'},
    'spec': {
        'hostNetwork': True,
        'containers': [{'name': 'main', 'image': containers.IMAGE, 'command': ['sleep', '600']}],
    },
}


class PodmanTest(hooks.HookTestCase):
    group = 'podman'
    guard_processes = False

    def setUp(self):
        super().setUp()
        self.engine = self.useFixture(containers.Podman(self.root))
        self.sandbox.env.update(self.engine.env)
        self.out = self.root / 'out'
        self.out.mkdir()

    def run_config(self, id, config, inputs=None, status=0, **fields):
        response = self.deploy(
            'docker-cmd', id=id, config=config, inputs=dict(RESOURCE, **(inputs or {})), **fields
        )
        self.assertEqual(status, response['deploy_status_code'], response['deploy_stderr'])
        return response

    def container(self, command=SLEEP, **config):
        return dict(config, image=containers.IMAGE, command=command, volumes=[f'{self.out}:/out'])

    def remove_all_but(self, *ids):
        self.remove_stale(json.dumps([{'id': id} for id in ids]))

    def test_containers_live_from_create_to_delete(self):
        self.run_config(
            'a',
            {
                'web': self.container(start_order=1, environment={'GREETING': 'hello there'}),
                'look': {
                    'action': 'exec',
                    'start_order': 2,
                    'command': "web sh -c 'echo $GREETING > /out/exec'",
                },
                'once': self.container(
                    "sh -c 'echo done > /out/once; exit 3'",
                    start_order=3,
                    detach=False,
                    exit_codes=[3],
                ),
            },
        )
        self.assertEqual(['web'], self.engine.running())
        self.assertEqual('hello there\n', (self.out / 'exec').read_text())
        self.assertEqual('done\n', (self.out / 'once').read_text())

        self.run_config('b', {'db': self.container()}, {'deploy_action': 'UPDATE'})
        self.assertEqual(['db'], self.engine.all())

        self.run_config('c', {'db': self.container()}, {'deploy_action': 'DELETE'})
        self.assertEqual([], self.engine.all())

    def test_all_keys_of_a_container_and_none_of_its_secrets_can_be_read_by_others(self):
        config = self.container(**containers.KEYS)
        with proc_reader.ProcReader(self.root, *containers.SECRETS) as reader:
            self.run_config('a', {'web': config}, containers.INPUTS)
        self.assertEqual([], reader.seen())
        (found,) = json.loads(self.engine.ask('container', 'inspect', 'web'))
        containers.assert_has_keys(self, found, self.out)
        self.run_config('c', {}, {'deploy_action': 'DELETE'})
        self.assertEqual([], list((self.working / 'secrets').iterdir()))

    def test_podmans_own_secrets(self):
        self.engine.ask('secret', 'create', 'mine', '-', stdin=b'geheim')
        config = self.container("sh -c 'cat /run/secrets/mine > /out/mine'", detach=False)
        self.run_config('a', {'web': dict(config, secrets=['mine'])})
        self.assertEqual('geheim', (self.out / 'mine').read_text())

    def test_an_image_of_a_registry_that_wants_a_password(self):
        registry = self.useFixture(containers.Registry(self.root))
        config = dict(self.container(), image=registry.push(self.engine), pull='always')
        self.run_config('a', {'web': config}, status=125)
        with proc_reader.ProcReader(self.root, registry.PASSWORD) as reader:
            self.run_config(
                'b', {'web': config}, registry.inputs, options={'registries': registry.option}
            )
        self.assertEqual([], reader.seen())
        self.assertEqual(['web'], self.engine.running())

    def test_what_cannot_run_fails_with_podmans_own_error(self):
        response = self.run_config(
            'a', {'bad': self.container('no-such-program'), 'good': self.container()}, status=127
        )
        self.assertIn('no-such-program', response['deploy_stderr'])
        self.assertEqual(['good'], self.engine.running())

    def test_a_taken_name_is_given_over_when_it_becomes_free(self):
        self.engine.ask('run', '--detach', '--name', 'web', containers.IMAGE, 'sleep', '600')
        self.run_config('a', {'web': self.container()})
        names = self.engine.running()
        self.assertRegex(names[1], '^web-[0-9a-f]{8}$')
        self.engine.ask('rm', '--force', '--time=0', 'web')
        self.remove_all_but('a')
        self.assertEqual(['web'], self.engine.running())

    def test_only_what_heat_no_longer_has_is_stale(self):
        self.engine.ask('run', '--detach', '--name', 'mine', containers.IMAGE, 'sleep', '600')
        self.run_config('a', {'old': self.container()}, {'deploy_resource_name': 'other'})
        self.run_config('b', {'new': self.container()})
        self.run_config('c', dict(POD, metadata={'name': 'pod'}), {'deploy_resource_name': 'pod'})
        self.remove_all_but('b', 'c')
        self.assertEqual(
            {'mine', 'new', 'pod-main'}, {name for name in self.engine.all() if 'infra' not in name}
        )
        self.remove_all_but('b')
        self.assertEqual(['mine', 'new'], self.engine.all())

    def test_pods_live_from_create_to_delete(self):
        self.run_config('a', POD)
        self.assertIn('web-main', self.engine.running())
        self.assertEqual('web\n', self.engine.ask('pod', 'ps', '--format', '{{.Name}}'))

        changed = json.loads(json.dumps(POD).replace('"main"', '"other"'))
        self.run_config('b', changed, {'deploy_action': 'UPDATE'})
        self.assertIn('web-other', self.engine.running())
        self.assertNotIn('web-main', self.engine.all())

        self.run_config('c', changed, {'deploy_action': 'DELETE'})
        self.assertEqual(('', []), (self.engine.ask('pod', 'ps', '--quiet'), self.engine.all()))

    def test_a_kubernetes_deployment_is_found_again_by_its_pods(self):
        self.run_config(
            'a',
            {
                'apiVersion': 'apps/v1',
                'kind': 'Deployment',
                'metadata': {'name': 'web'},
                'spec': {
                    'selector': {'matchLabels': {'app': 'web'}},
                    'template': {'metadata': {'labels': {'app': 'web'}}, 'spec': POD['spec']},
                },
            },
        )
        self.assertEqual(2, len(self.engine.running()))
        self.remove_all_but()
        self.assertEqual([], self.engine.all())

    def test_documents_of_yaml_belong_together(self):
        if self.run_program(['python3', '-c', 'import yaml']).status:
            self.skipTest('the Python that runs the hook has no PyYAML')
        pod = json.loads(json.dumps(POD))
        pod['spec']['containers'][0].update(
            command=['sh', '-c', 'echo $GREETING > /out/pod; sleep 600'],
            env=[
                {
                    'name': 'GREETING',
                    'valueFrom': {'configMapKeyRef': {'name': 'words', 'key': 'greeting'}},
                }
            ],
            volumeMounts=[{'name': 'out', 'mountPath': '/out'}],
        )
        pod['spec']['volumes'] = [{'name': 'out', 'hostPath': {'path': str(self.out)}}]
        self.run_config(
            'a',
            'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: words\n'
            'data:\n  greeting: hello\n---\n' + json.dumps(pod),
        )
        self.assertEqual('hello\n', (self.out / 'pod').read_text())
