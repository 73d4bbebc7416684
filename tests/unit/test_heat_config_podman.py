# SPDX-License-Identifier: Apache-2.0
"""The hook podman, with a fake podman; with a real one: tests/functional.

What it has in common with docker-cmd is tested there.
"""

import json

from tests import hooks

POD = {
    'apiVersion': 'v1',
    'kind': 'Pod',
    'metadata': {'name': 'web', 'labels': {'tier': 'front'}},
    'spec': {'containers': [{'name': 'web', 'image': 'nginx'}]},
}


def pod(**labels):
    """The answer to the question for pods."""
    return {'stdout': json.dumps([{'Id': 'id-of-pod', 'Name': 'web', 'Labels': labels}])}


class PodmanTest(hooks.HookTestCase):
    group = 'podman'
    config = {'web': {'image': 'nginx'}}

    def run_config(self, config, **fields):
        return self.deploy(
            'docker-cmd',
            id='id-1',
            config=config,
            inputs={'deploy_stack_id': 'stack/1', 'deploy_resource_name': 'web_deployment'},
            **fields,
        )

    def commands(self, *words):
        return [call for call in self.calls('podman') if call.argv[: len(words)] == list(words)]

    def test_containers_are_run_as_docker_cmd_does(self):
        self.fake('podman')
        self.run_config({'web': {'image': 'nginx', 'net': 'host'}})
        self.assertEqual(
            [
                'run',
                '--name',
                'web',
                '--label=managed_by=podman',
                '--label=config_id=id-1',
                '--label=deploy_stack_id=stack/1',
                '--label=deploy_resource_name=web_deployment',
                '--label=container_name=web',
                '--detach=true',
                '--net=host',
                'nginx',
            ],
            self.calls('podman')[-1].argv,
        )

    def test_a_pod_is_played_with_labels_to_find_it_by(self):
        self.fake('podman')
        response = self.run_config(POD)
        self.assertEqual(0, response['deploy_status_code'])
        (call,) = self.commands('kube')
        self.assertEqual(['kube', 'play', '-'], call.argv)
        played = json.loads(call.stdin)
        self.assertEqual(POD['spec'], played['spec'])
        self.assertEqual(
            {
                'tier': 'front',
                'managed_by': 'podman',
                'config_id': 'id-1',
                'deploy_stack_id': 'stack/1',
                'deploy_resource_name': 'web_deployment',
            },
            played['metadata']['labels'],
        )

    def test_the_pods_of_a_template_get_the_labels_too(self):
        self.fake('podman')
        self.run_config(
            {
                'apiVersion': 'apps/v1',
                'kind': 'Deployment',
                'spec': {'template': {'spec': POD['spec']}},
            }
        )
        template = json.loads(self.commands('kube')[0].stdin)['spec']['template']
        self.assertEqual('id-1', template['metadata']['labels']['config_id'])

    def test_a_pod_that_fails_fails_the_deployment(self):
        self.fake('podman', {}, {}, {}, {}, {'status': 125, 'stderr': 'no such image'})
        response = self.run_config(POD)
        self.assertEqual(
            (125, 'no such image'), (response['deploy_status_code'], response['deploy_stderr'])
        )

    def test_pods_and_containers_of_before_are_removed_first(self):
        self.fake('podman', pod(), {}, {}, {}, {}, {})
        self.run_config(POD)
        self.assertEqual(
            ['pod ps', 'pod rm', 'ps --all', 'pod ps', 'ps --all', 'kube play'],
            [' '.join(call.argv[:2]) for call in self.calls('podman')],
        )
        self.assertEqual(['pod', 'rm', '--force', 'id-of-pod'], self.commands('pod', 'rm')[0].argv)

    def test_pods_and_containers_are_not_mixed(self):
        self.fake('podman')
        (self.root / 'hooks' / 'yaml.py').write_text(
            'import json\n'
            'def safe_load_all(text): return [json.loads(part) for part in text.split("---")]'
        )
        response = self.run_config(json.dumps(POD) + '---' + json.dumps({'web': {'image': 'x'}}))
        self.assertEqual(65, response['deploy_status_code'])
        self.assertIn('one that is none', response['deploy_stderr'])
        self.assertEqual([], self.calls('podman'))

    def test_metadata_that_is_no_map_is_refused(self):
        self.fake('podman')
        for metadata, expected in (
            ('web', 'metadata must be a map, not a string'),
            ({'labels': ['a']}, 'labels must be a map, not a list'),
        ):
            response = self.run_config(dict(POD, metadata=metadata))
            self.assertEqual(65, response['deploy_status_code'])
            self.assertIn(expected, response['deploy_stderr'])
        self.assertEqual([], self.calls('podman'))

    def test_a_missing_podman_is_a_failure(self):
        response = self.run_config(POD)
        self.assertEqual(127, response['deploy_status_code'])
        self.assertIn('heat-config-podman', response['deploy_stderr'])

    def test_pods_of_deployments_that_are_gone_are_removed(self):
        self.fake('podman', {}, pod(config_id='old'), pod(config_id='old'), {}, {})
        self.remove_stale('[{"id": "new"}]')
        self.assertIn('--filter=label=config_id=old', self.commands('pod', 'ps')[1].argv)
        self.assertEqual(['pod', 'rm', '--force', 'id-of-pod'], self.commands('pod', 'rm')[0].argv)
