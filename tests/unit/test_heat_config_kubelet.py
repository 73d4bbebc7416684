# SPDX-License-Identifier: Apache-2.0
"""The hook kubelet, with a fake crictl.

There is no kubelet to be had from the archives that the tests use: nothing proves that a real one
takes the manifests.
"""

import json

from tests import hooks

POD = {
    'apiVersion': 'v1',
    'kind': 'Pod',
    'metadata': {'name': 'web'},
    'spec': {'containers': [{'name': 'web', 'image': 'nginx'}, {'name': 'db', 'image': 'x'}]},
}
OPTIONS = {'poll_period': 0, 'images_timeout': 60, 'containers_timeout': 60}
RESOURCE = {'deploy_stack_id': 'stack/1', 'deploy_resource_name': 'pod'}
THE_POD = {'stdout': '{"items": [{"id": "sandbox-1"}]}'}
NO_POD = {'stdout': '{"items": []}'}


def containers(**states):
    return {
        'stdout': json.dumps(
            {
                'containers': [
                    {'metadata': {'name': name}, 'state': 'CONTAINER_' + state}
                    for name, state in states.items()
                ]
            }
        )
    }


RUNNING = THE_POD, containers(web='RUNNING', db='RUNNING')


class KubeletTestCase(hooks.HookTestCase):
    group = 'kubelet'
    paths = {'HEAT_KUBELET_MANIFESTS': 'manifests'}

    def setUp(self):
        super().setUp()
        self.manifests = self.root / 'manifests'

    def run_config(self, config=POD, id='id-1', options=OPTIONS, inputs=RESOURCE, **fields):
        return self.deploy(
            'kubelet', id=id, config=config, options=options, inputs=inputs, **fields
        )

    def manifest(self, id='id-1'):
        return json.loads((self.manifests / f'{id}.json').read_text())

    def names(self):
        return sorted(path.name for path in self.manifests.iterdir())

    def assert_refused(self, expected, config=POD, **fields):
        self.fake('crictl')
        response = self.run_config(config, **fields)
        self.assertEqual(65, response['deploy_status_code'])
        self.assertIn(expected, response['deploy_stderr'])
        self.assertFalse(self.manifests.exists())


class ManifestTest(KubeletTestCase):
    def setUp(self):
        super().setUp()
        self.fake('crictl', *RUNNING)

    def test_the_pod_is_written_where_kubelet_looks(self):
        self.fake('crictl', *RUNNING * 2)
        self.assertEqual(0, self.run_config()['deploy_status_code'])
        written = self.manifest()
        self.assertEqual(POD['spec'], written['spec'])
        self.assertEqual('web', written['metadata']['name'])
        self.assertEqual(
            {'managed_by': 'kubelet', 'config_id': 'id-1'}, written['metadata']['labels']
        )
        self.assertEqual(0o600, (self.manifests / 'id-1.json').stat().st_mode & 0o777)

    def test_a_pod_without_envelope_gets_one(self):
        self.fake('crictl', *RUNNING * 2)
        self.run_config(dict(POD['spec'], version='v1beta2', id='pod'))
        written = self.manifest()
        self.assertEqual(
            ('v1', 'Pod', 'heat-id-1', POD['spec']),
            (written['apiVersion'], written['kind'], written['metadata']['name'], written['spec']),
        )

    def test_json_text_is_a_pod(self):
        self.fake('crictl', *RUNNING * 2)
        self.run_config(json.dumps(POD))
        self.assertEqual(POD['spec'], self.manifest()['spec'])

    def test_the_pod_before_goes(self):
        self.fake('crictl', *RUNNING * 4)
        self.run_config(id='id-0')
        self.run_config(id='id-1')
        self.assertEqual(['id-1.json'], self.names())

    def test_other_pods_stay(self):
        self.fake('crictl', *RUNNING * 6)
        self.run_config(id='id-0', inputs=dict(RESOURCE, deploy_resource_name='other'))
        self.run_config(id='id-1', inputs={'deploy_stack_id': '', 'deploy_resource_name': ''})
        self.run_config(id='id-2', inputs={'deploy_stack_id': '', 'deploy_resource_name': ''})
        self.assertEqual(['id-0.json', 'id-1.json', 'id-2.json'], self.names())

    def test_delete_removes_the_pod(self):
        self.fake('crictl', *RUNNING * 2)
        self.run_config(id='id-0')
        response = self.run_config(inputs=dict(RESOURCE, deploy_action='DELETE'))
        self.assertEqual(0, response['deploy_status_code'])
        self.assertEqual([], self.names())

    def test_an_empty_config_removes_the_pod(self):
        self.fake('crictl', *RUNNING * 2)
        self.run_config(id='id-0')
        self.assertEqual(0, self.run_config(None)['deploy_status_code'])
        self.assertEqual([], self.names())


class WaitTest(KubeletTestCase):
    def test_the_runtime_is_asked_for_the_pod_by_its_label(self):
        self.fake('crictl', *RUNNING * 2)
        response = self.run_config()
        self.assertEqual('Running: web, db\n', response['deploy_stdout'])
        self.assertEqual(
            [
                ['pods', '--label', 'config_id=id-1', '--output', 'json'],
                ['ps', '--all', '--pod', 'sandbox-1', '--output', 'json'],
            ],
            [call.argv for call in self.calls('crictl')[:2]],
        )

    def test_it_waits_until_all_containers_run(self):
        self.fake(
            'crictl',
            NO_POD,
            THE_POD,
            containers(web='RUNNING'),
            THE_POD,
            containers(web='RUNNING', db='CREATED'),
            THE_POD,
            containers(web='RUNNING', db='CREATED'),
            *RUNNING,
        )
        self.assertEqual(0, self.run_config()['deploy_status_code'])
        self.assertEqual(9, len(self.calls('crictl')))

    def test_a_container_that_was_started_again_runs(self):
        again = {
            'stdout': json.dumps(
                {
                    'containers': [
                        {'metadata': {'name': 'web'}, 'state': 'CONTAINER_RUNNING'},
                        {'metadata': {'name': 'web'}, 'state': 'CONTAINER_EXITED'},
                        {'metadata': {'name': 'db'}, 'state': 'CONTAINER_RUNNING'},
                    ]
                }
            )
        }
        self.fake('crictl', THE_POD, again, THE_POD, again)
        self.assertEqual(0, self.run_config()['deploy_status_code'])

    def test_a_container_that_never_comes_is_a_failure(self):
        self.fake('crictl', *(THE_POD, containers(web='RUNNING')) * 50)
        response = self.run_config(options=dict(OPTIONS, images_timeout=0))
        self.assertEqual(124, response['deploy_status_code'])
        self.assertIn(
            'After 0 seconds these containers do not exist: db (not created)',
            response['deploy_stderr'],
        )

    def test_a_container_that_never_runs_is_a_failure(self):
        states = THE_POD, containers(web='RUNNING', db='EXITED')
        self.fake('crictl', *states * 2)
        response = self.run_config(options=dict(OPTIONS, containers_timeout=0))
        self.assertEqual(124, response['deploy_status_code'])
        self.assertIn('do not run: db (CONTAINER_EXITED)', response['deploy_stderr'])

    def test_a_runtime_that_starts_late_is_waited_for(self):
        self.fake('crictl', {'status': 1, 'stderr': 'connection refused'}, *RUNNING * 2)
        self.assertEqual(0, self.run_config()['deploy_status_code'])

    def test_a_runtime_that_never_answers_is_told_of(self):
        self.fake('crictl', {'status': 1, 'stderr': 'connection refused'})
        response = self.run_config(options=dict(OPTIONS, images_timeout=0))
        self.assertIn('connection refused', response['deploy_stderr'])

    def test_a_crictl_that_is_not_understood_is_a_failure_at_once(self):
        for stdout in ('', 'no json', '[]', '{}', '{"items": null}'):
            self.fake('crictl', {'stdout': stdout})
            response = self.run_config(options=None)
            self.assertEqual(1, response['deploy_status_code'])
            self.assertIn('crictl pods printed no JSON object', response['deploy_stderr'])

    def test_a_missing_crictl_is_a_failure_that_changes_nothing(self):
        response = self.run_config()
        self.assertEqual(127, response['deploy_status_code'])
        self.assertIn('heat-config-kubelet', response['deploy_stderr'])
        self.assertFalse(self.manifests.exists())

    def test_no_options_are_needed(self):
        self.fake('crictl', *RUNNING * 2)
        self.assertEqual(0, self.run_config(options=None)['deploy_status_code'])


class ConfigTest(KubeletTestCase):
    def test_it_must_be_a_pod(self):
        self.assert_refused('must be one pod', dict(POD, kind='Deployment'))
        self.assert_refused('must be one pod', {'web': {'image': 'nginx'}})

    def test_the_containers_must_have_names(self):
        for spec in (
            None,
            {},
            {'containers': []},
            {'containers': 'web'},
            {'containers': [{'image': 'nginx'}]},
        ):
            self.assert_refused('list of containers, each with a name', dict(POD, spec=spec))

    def test_the_parts_must_be_maps(self):
        self.assert_refused('spec must be a map, not a list', dict(POD, spec=['x']))
        self.assert_refused('metadata must be a map, not a string', dict(POD, metadata='x'))

    def test_the_options_must_be_numbers(self):
        self.assert_refused(
            'images_timeout must be a number', options={'images_timeout': 'a minute'}
        )


class StaleTest(KubeletTestCase):
    def test_pods_of_deployments_that_are_gone_are_removed(self):
        self.fake('crictl', *RUNNING * 4)
        self.run_config(id='id-0')
        self.run_config(id='id-1', inputs={'deploy_resource_name': 'other'})
        (self.manifests / 'foreign.json').write_text('{"kind": "Pod"}')
        self.remove_stale('[{"id": "id-1"}]')
        self.assertEqual(['foreign.json', 'id-1.json'], self.names())

    def test_nothing_is_removed_when_it_is_not_known_what_is_wanted(self):
        self.fake('crictl', *RUNNING * 2)
        self.run_config()
        self.assertIn('could not look for what Heat no longer has', self.remove_stale('{"half'))
        self.assertEqual(['id-1.json'], self.names())
