# SPDX-License-Identifier: Apache-2.0
"""Resources that templates have, in a cloud where nothing boots: created, updated and deleted."""

import contextlib
import functools
import importlib.util
import io
import json
import time
import urllib.request
import uuid
from typing import Any, Optional

import fixtures

from localheat.client import Stack, StackFailed, Stacks
from localheat.services import Cloud
from tests import base
from tests.integration import shared

load_tests = base.load_scenarios

LIMIT = 300  # seconds
#: What the client creates without a name.
UNNAMED = ('floating ip', 'security group rule')
IMAGES = ('one', 'two')
KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJFPzmoXuRQ/D0KfMzhOGEa6O5Lq7D1Oc9CFLe3zp3Yl test'

NET: 'dict[str, Any]' = {
    'net': {'type': 'OS::Neutron::Net'},
    'subnet': {
        'type': 'OS::Neutron::Subnet',
        'properties': {'network': {'get_resource': 'net'}, 'cidr': '10.7.0.0/24'},
    },
}
ROUTED: 'dict[str, Any]' = {
    **NET,
    'router': {
        'type': 'OS::Neutron::Router',
        'properties': {'external_gateway_info': {'network': 'public'}},
    },
    'interface': {
        'type': 'OS::Neutron::RouterInterface',
        'properties': {
            'router': {'get_resource': 'router'},
            'subnet': {'get_resource': 'subnet'},
        },
    },
    'port': {
        'type': 'OS::Neutron::Port',
        'depends_on': 'interface',
        'properties': {'network': {'get_resource': 'net'}},
    },
}
SERVER: 'dict[str, Any]' = {
    'type': 'OS::Nova::Server',
    'properties': {'image': 'one', 'flavor': 'm1.small', 'networks': [{'network': 'private'}]},
}


def server(**properties: Any) -> 'dict[str, Any]':
    return {**SERVER, 'properties': {**SERVER['properties'], **properties}}


@functools.cache
def cloud() -> Cloud:
    """A cloud in which nothing boots, with two images, which are nothing."""
    made = shared.until_exit(
        shared.new_cloud({}, kind='none', services=['cinder', *extra_services()])
    )
    for name in IMAGES:
        path = made.state.path(f'{name}.raw')
        with open(path, 'wb') as stream:
            stream.truncate(1 << 20)
        made.add_image(name, path)
    return made


def extra_services() -> 'list[str]':
    return ['swift'] if importlib.util.find_spec('swift') else []


class ResourceTestCase(base.TestCase):
    guard_processes = False

    def setUp(self) -> None:
        super().setUp()
        self.cloud = cloud()
        self.stacks = Stacks(self.cloud.environment)

    def write(
        self, resources: 'dict[str, Any]', outputs: 'Optional[dict[str, Any]]' = None, **more: Any
    ) -> str:
        """Write a template; return its path."""
        path = self.root / f'{uuid.uuid4().hex}.yaml'
        template = {
            'heat_template_version': '2021-04-16',
            'resources': resources,
            'outputs': {name: {'value': value} for name, value in (outputs or {}).items()},
            **more,
        }
        path.write_text(json.dumps(template))
        return str(path)

    def create(
        self,
        resources: 'dict[str, Any]',
        outputs: 'Optional[dict[str, Any]]' = None,
        wait: bool = True,
        **more: Any,
    ) -> Stack:
        stack = self.stacks.create(
            'test-' + uuid.uuid4().hex[:12], self.write(resources, outputs, **more)
        )
        self.addCleanup(self.delete, stack)
        if wait:
            stack.wait(LIMIT)
        return stack

    def update(
        self,
        stack: Stack,
        resources: 'dict[str, Any]',
        outputs: 'Optional[dict[str, Any]]' = None,
        **more: Any,
    ) -> None:
        stack.update(template=self.write(resources, outputs, **more))
        stack.wait(LIMIT)

    def delete(self, stack: Stack) -> None:
        stack.delete()
        stack.wait(LIMIT)

    def wait_for(self, condition: Any) -> None:
        end = time.monotonic() + LIMIT
        while not condition():
            if time.monotonic() > end:
                self.fail('not so in time')
            time.sleep(0.5)


def change(resources: 'dict[str, Any]', name: str, /, **properties: Any) -> 'dict[str, Any]':
    """Return resources with other properties of one."""
    one = resources[name]
    return {
        **resources,
        name: {**one, 'properties': {**one.get('properties', {}), **properties}},
    }


def cases() -> 'list[tuple[str, dict[str, Any], dict[str, Any]]]':
    """Types, templates with them, and what these are updated to."""
    return [
        ('OS::Neutron::Net', NET, change(NET, 'net', name='other')),
        ('OS::Neutron::Subnet', NET, change(NET, 'subnet', dns_nameservers=['192.0.2.53'])),
        ('OS::Neutron::Router', ROUTED, change(ROUTED, 'router', name='other')),
        ('OS::Neutron::Port', ROUTED, change(ROUTED, 'port', name='other')),
        (
            'OS::Neutron::FloatingIP',
            floating := {
                **ROUTED,
                'address': {
                    'type': 'OS::Neutron::FloatingIP',
                    'depends_on': 'interface',
                    'properties': {
                        'floating_network': 'public',
                        'port_id': {'get_resource': 'port'},
                    },
                },
            },
            change(floating, 'port', name='other'),
        ),
        (
            'OS::Neutron::FloatingIPAssociation',
            associated := {
                **ROUTED,
                'address': {
                    'type': 'OS::Neutron::FloatingIP',
                    'properties': {'floating_network': 'public'},
                },
                'association': {
                    'type': 'OS::Neutron::FloatingIPAssociation',
                    'properties': {
                        'floatingip_id': {'get_resource': 'address'},
                        'port_id': {'get_resource': 'port'},
                    },
                },
            },
            change(associated, 'port', name='other'),
        ),
        (
            'OS::Neutron::SecurityGroup',
            group := {
                'group': {
                    'type': 'OS::Neutron::SecurityGroup',
                    'properties': {
                        'rules': [
                            {'protocol': 'icmp'},
                            {'protocol': 'tcp', 'port_range_min': 22, 'port_range_max': 22},
                            {'remote_mode': 'remote_group_id'},
                        ]
                    },
                }
            },
            change(group, 'group', rules=[{'protocol': 'udp'}]),
        ),
        (
            'OS::Neutron::SecurityGroupRule',
            rule := {
                'group': {'type': 'OS::Neutron::SecurityGroup'},
                'rule': {
                    'type': 'OS::Neutron::SecurityGroupRule',
                    'properties': {
                        'security_group': {'get_resource': 'group'},
                        'protocol': 'tcp',
                        'port_range_min': 80,
                        'port_range_max': 80,
                    },
                },
            },
            change(rule, 'rule', port_range_max=81),
        ),
        (
            'OS::Nova::KeyPair',
            key := {
                'key': {
                    'type': 'OS::Nova::KeyPair',
                    'properties': {'name': 'one-key', 'public_key': KEY},
                }
            },
            change(key, 'key', name='other-key'),
        ),
        (
            'OS::Nova::KeyPair, generated',
            generated := {
                'key': {
                    'type': 'OS::Nova::KeyPair',
                    'properties': {'name': 'made-key', 'save_private_key': True},
                }
            },
            change(generated, 'key', name='other-made-key'),
        ),
        (
            'OS::Nova::ServerGroup',
            servers := {
                'group': {
                    'type': 'OS::Nova::ServerGroup',
                    'properties': {'policies': ['soft-anti-affinity']},
                },
                'server': server(scheduler_hints={'group': {'get_resource': 'group'}}),
            },
            change(servers, 'server', metadata={'a': 'b'}),
        ),
        (
            'OS::Nova::Server',
            one := {'server': server(name='one', metadata={'a': 'b'}, config_drive=True)},
            change(one, 'server', name='other', metadata={'c': 'd'}, flavor='m1.medium'),
        ),
        (
            'OS::Nova::Server with another image',
            one,
            change(one, 'server', image='two', image_update_policy='REBUILD'),
        ),
        (
            'OS::Nova::Server, RAW user data',
            raw := {'server': server(user_data='#!/bin/sh\n', user_data_format='RAW')},
            change(raw, 'server', user_data='#!/bin/bash\n'),
        ),
        (
            'OS::Nova::Server, HEAT_CFNTOOLS',
            cfn := {'server': server(user_data='#!/bin/sh\n', user_data_format='HEAT_CFNTOOLS')},
            change(cfn, 'server', metadata={'a': 'b'}),
        ),
        (
            'OS::Nova::Server with ports that come and go',
            {**ROUTED, 'server': server(networks=[{'port': {'get_resource': 'port'}}])},
            {**ROUTED, 'server': server(networks=[{'network': 'private'}])},
        ),
        (
            'OS::Cinder::Volume',
            volume := {'volume': {'type': 'OS::Cinder::Volume', 'properties': {'size': 1}}},
            change(volume, 'volume', size=2),
        ),
        (
            'OS::Cinder::VolumeAttachment',
            attached := {
                **volume,
                'server': server(),
                'attachment': {
                    'type': 'OS::Cinder::VolumeAttachment',
                    'properties': {
                        'volume_id': {'get_resource': 'volume'},
                        'instance_uuid': {'get_resource': 'server'},
                    },
                },
            },
            change(attached, 'volume', name='other'),
        ),
    ]


class ServiceTest(ResourceTestCase):
    """Each type: created, updated, deleted."""

    scenarios = [
        (name, {'resources': resources, 'changed': changed}) for name, resources, changed in cases()
    ]

    def test_it_lives(self) -> None:
        stack = self.create(self.resources)
        self.update(stack, self.changed)
        self.delete(stack)


class OutsideTest(ResourceTestCase):
    def test_a_container_of_swift_lives(self) -> None:
        if 'swift' not in self.cloud.services:
            self.skipTest('Swift is not installed')
        stack = self.create({'container': {'type': 'OS::Swift::Container'}})
        self.delete(stack)

    def test_servers_of_one_stack_have_addresses_of_their_own(self) -> None:
        stack = self.create(
            {
                'group': {
                    'type': 'OS::Heat::ResourceGroup',
                    'properties': {'count': 3, 'resource_def': SERVER},
                }
            },
            {'addresses': {'get_attr': ['group', 'first_address']}},
        )
        self.assertEqual(3, len(set(stack.outputs()['addresses'])))


class OrchestrationTest(ResourceTestCase):
    def setUp(self) -> None:
        super().setUp()
        if not self.cloud.state.network:
            self.skipTest('URLs for signals are reached where there is a network of servers')

    def test_a_wait_condition_is_signalled_from_this_machine(self) -> None:
        stack = self.create(
            {
                'handle': {'type': 'OS::Heat::WaitConditionHandle'},
                'condition': {
                    'type': 'OS::Heat::WaitCondition',
                    'properties': {'handle': {'get_resource': 'handle'}, 'timeout': LIMIT},
                },
                'cfn_handle': {'type': 'AWS::CloudFormation::WaitConditionHandle'},
                'cfn_condition': {
                    'type': 'AWS::CloudFormation::WaitCondition',
                    'properties': {'Handle': {'get_resource': 'cfn_handle'}, 'Timeout': LIMIT},
                },
            },
            {
                'data': {'get_attr': ['condition', 'data']},
                'endpoint': {'get_attr': ['handle', 'endpoint']},
                'token': {'get_attr': ['handle', 'token']},
                'cfn_url': {'get_resource': 'cfn_handle'},
            },
            wait=False,
        )
        self.wait_for(lambda: all(stack.outputs().get(name) for name in ('token', 'cfn_url')))
        outputs = stack.outputs()
        request = urllib.request.Request(
            outputs['endpoint'],
            data=b'{"status": "SUCCESS", "data": "from here"}',
            headers={'X-Auth-Token': outputs['token'], 'Content-Type': 'application/json'},
        )
        urllib.request.urlopen(request, timeout=60).close()
        body = b'{"Status": "SUCCESS", "UniqueId": "1", "Data": "x", "Reason": "done"}'
        request = urllib.request.Request(
            outputs['cfn_url'],
            data=body,
            headers={'Content-Type': ''},
            method='PUT',
        )
        urllib.request.urlopen(request, timeout=60).close()
        stack.wait(LIMIT)
        self.assertEqual({'1': 'from here'}, json.loads(stack.outputs()['data']))

    def test_a_rolling_deployment_goes_from_server_to_server(self) -> None:
        def template(text: str) -> 'dict[str, Any]':
            return {
                'servers': {
                    'type': 'OS::Heat::ResourceGroup',
                    'properties': {'count': 2, 'resource_def': server()},
                },
                'config': {
                    'type': 'OS::Heat::SoftwareConfig',
                    'properties': {'group': 'script', 'config': text},
                },
                'deployments': {
                    'type': 'OS::Heat::SoftwareDeploymentGroup',
                    'update_policy': {'rolling_update': {'max_batch_size': 1}},
                    'properties': {
                        'config': {'get_resource': 'config'},
                        'servers': {'get_attr': ['servers', 'refs_map']},
                        'signal_transport': 'NO_SIGNAL',
                    },
                },
            }

        stack = self.create(template('#!/bin/sh\necho one\n'))
        self.update(stack, template('#!/bin/sh\necho two\n'))

    def test_values_conditions_and_nested_stacks_work(self) -> None:
        nested = self.root / 'nested.yaml'
        nested.write_text(
            json.dumps(
                {
                    'heat_template_version': '2021-04-16',
                    'parameters': {'word': {'type': 'string'}},
                    'resources': {'random': {'type': 'OS::Heat::RandomString'}},
                    'outputs': {'word': {'value': {'get_param': 'word'}}},
                }
            )
        )
        stack = self.create(
            {
                'value': {'type': 'OS::Heat::Value', 'properties': {'value': 'hello'}},
                'none': {'type': 'OS::Heat::None', 'condition': 'never'},
                'structured': {
                    'type': 'OS::Heat::StructuredConfig',
                    'properties': {'config': {'a': {'get_input': 'b'}}},
                },
                'nested': {
                    'type': nested.name,
                    'properties': {'word': {'get_attr': ['value', 'value']}},
                },
            },
            {'word': {'get_attr': ['nested', 'word']}},
            conditions={'never': False},
        )
        self.assertEqual({'word': 'hello'}, stack.outputs())
        self.assertNotIn('none', [item.resource_name for item in stack.resources()])

    def test_a_stack_is_suspended_resumed_and_checked(self) -> None:
        stack = self.create({'server': SERVER})
        identifier = stack.server('server')
        stack.suspend()
        stack.wait(LIMIT)
        self.assertEqual('SUSPENDED', self.stacks.servers.show(identifier)['status'])
        stack.resume()
        stack.wait(LIMIT)
        self.assertEqual('ACTIVE', self.stacks.servers.show(identifier)['status'])
        self.stacks.heat.actions.check(stack.id)
        self.wait_for(lambda: stack.status == 'CHECK_COMPLETE')

    def test_a_stack_is_abandoned_and_adopted(self) -> None:
        stack = self.create({'server': SERVER})
        identifier = stack.server('server')
        data = self.stacks.heat.stacks.abandon(stack.id)
        self.assertEqual('ACTIVE', self.stacks.servers.show(identifier)['status'])
        made = self.stacks.heat.stacks.create(
            stack_name='adopted-' + uuid.uuid4().hex[:8],
            adopt_stack_data=json.dumps(data),
            template=data['template'],
        )
        adopted = Stack(self.stacks, made['stack']['id'], '')
        self.addCleanup(self.delete, adopted)
        self.wait_for(lambda: adopted.status == 'ADOPT_COMPLETE')
        self.assertEqual(identifier, adopted.server('server'))

    def test_an_update_is_cancelled_and_rolled_back(self) -> None:
        waiting = {
            'value': {'type': 'OS::Heat::Value', 'properties': {'value': 'old'}},
            'handle': {'type': 'OS::Heat::WaitConditionHandle'},
        }
        stack = self.create(waiting)
        stack.update(
            template=self.write(
                {
                    **waiting,
                    'condition': {
                        'type': 'OS::Heat::WaitCondition',
                        'properties': {'handle': {'get_resource': 'handle'}, 'timeout': LIMIT},
                    },
                }
            )
        )
        self.wait_for(lambda: 'condition' in [item.resource_name for item in stack.resources()])
        self.stacks.heat.actions.cancel_update(stack.id)
        self.wait_for(lambda: stack.status == 'ROLLBACK_COMPLETE')

    def test_a_template_that_fails_says_which_resource_and_why(self) -> None:
        stack = self.create({'server': server(user_data='x' * 65536)}, wait=False)
        failed = self.assertRaises(StackFailed, stack.wait, LIMIT)
        self.assertIn('server', str(failed))
        self.assertIn('is too long', str(failed))


class ClientTest(ResourceTestCase):
    """The "openstack" client as it is."""

    def setUp(self) -> None:
        super().setUp()
        from openstackclient import shell

        self.shell = shell

    def openstack(self, *arguments: str, admin: bool = False) -> Any:
        """Run the client in this process, which spares its start; return what it answers."""
        environment = self.cloud.admin_environment if admin else self.cloud.environment
        said, errors = io.StringIO(), io.StringIO()
        for name, value in environment.items():
            self.useFixture(fixtures.EnvironmentVariable(name, value))
        # the others print nothing, or what a console shows
        options = ['-f', 'json'] if {'create', 'list', 'show'} & set(arguments) else []
        if arguments[0] == 'console':
            options = []
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(errors):
            status = self.shell.OpenStackShell().run([*arguments, *options])
        self.assertEqual(0, status, f'{arguments}: {errors.getvalue()}')
        text = said.getvalue()
        return json.loads(text) if options and text.strip() else text

    def live(self, kind: str, *options: str) -> None:
        """Have the client create, list, show and delete something.

        :param options: of its creation; what has no name, has the last one instead
        """
        name = 'by-client-' + uuid.uuid4().hex[:8]
        words = kind.split()
        made = self.openstack(*words, 'create', *options, *([name] if kind not in UNNAMED else []))
        identifier = made.get('id') or made.get('ID') or name
        listed = self.openstack(*words, 'list')
        self.assertIn(identifier, json.dumps(listed) + name)
        self.openstack(*words, 'show', identifier)
        self.openstack(*words, 'delete', identifier)

    def test_networks(self) -> None:
        self.live('network')

    def test_floating_ips(self) -> None:
        self.live('floating ip', 'public')

    def test_security_groups_and_their_rules(self) -> None:
        group = 'by-client-' + uuid.uuid4().hex[:8]
        self.live('security group')
        self.openstack('security', 'group', 'create', group)
        self.live('security group rule', '--proto', 'tcp', '--dst-port', '80', group)
        self.openstack('security', 'group', 'delete', group)

    def test_key_pairs(self) -> None:
        path = self.root / 'key.pub'
        path.write_text(KEY + '\n')
        self.live('keypair', '--public-key', str(path))

    def test_images(self) -> None:
        path = self.root / 'image.raw'
        path.write_bytes(b'\0' * 4096)
        self.live('image', '--file', str(path), '--disk-format', 'raw')

    def test_flavors(self) -> None:
        for words in (
            ('create', '--ram', '64', '--disk', '1', '--vcpus', '1', 'by-client'),
            ('list',),
            ('show', 'by-client'),
            ('delete', 'by-client'),
        ):
            self.openstack('flavor', *words, admin=True)

    def test_hypervisors_and_services(self) -> None:
        self.openstack('hypervisor', 'list', admin=True)
        self.openstack('compute', 'service', 'list', admin=True)
        self.openstack('availability', 'zone', 'list')
