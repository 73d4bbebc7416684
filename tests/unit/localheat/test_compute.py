# SPDX-License-Identifier: Apache-2.0
"""The stand-in answers Heat as Nova, Neutron and Glance would."""

import base64
import io
import json

from localheat.compute import config_drive
from localheat.compute.config import ComputeConfig
from localheat.compute.http import application
from localheat.compute.service import Compute
from localheat.errors import LocalHeatError
from localheat.servers import Machine
from tests import base


class FakeMachine(Machine):
    """A machine that remembers what was done to it."""

    broken = ''

    def __init__(self, spec):
        super().__init__(spec)
        self.calls = []
        self.on = False

    @property
    def running(self):
        return self.on

    def start(self):
        if self.broken:
            raise LocalHeatError(self.broken)
        self.on = True
        self.calls.append('start')

    def power_off(self, hard=False):
        if self.on:
            self.calls.append('cut' if hard else 'shut down')
        self.on = False

    def suspend(self):
        self.calls.append('suspend')

    def resume(self):
        self.calls.append('resume')

    def wipe(self):
        self.calls.append('wipe')


class ComputeTestCase(base.TestCase):
    config = ComputeConfig({'debian': '/images/debian.qcow2'})

    def setUp(self):
        super().setUp()
        self.patch(config_drive, 'write', lambda instance, path: None)
        self.jobs = []
        self.machines = []
        self.start()

    def start(self):
        """Start the stand-in; what it kept is found in the folder again."""
        self.compute = Compute(
            self.config,
            str(self.root / 'servers'),
            make_machine=self.make_machine,
            submit=self.jobs.append,
        )
        self.app = application(self.compute.apis, {'good': 'project-1'}.get)

    def make_machine(self, kind, spec):
        self.machines.append(FakeMachine(spec))
        self.machines[-1].kind = kind
        return self.machines[-1]

    def work(self):
        """Do what requests have left to be done."""
        while self.jobs:
            self.jobs.pop(0)()

    def ask(self, method, path, body=None, token='good'):
        """Send a request; return status and decoded body."""
        content = b'' if body is None else json.dumps(body).encode()
        path, _, query = path.partition('?')
        status = []
        answer = b''.join(
            self.app(
                {
                    'REQUEST_METHOD': method,
                    'PATH_INFO': path,
                    'QUERY_STRING': query,
                    'HTTP_HOST': '127.0.0.1:8774',
                    'HTTP_X_AUTH_TOKEN': token,
                    'CONTENT_LENGTH': str(len(content)),
                    'wsgi.input': io.BytesIO(content),
                },
                lambda text, headers: status.append(int(text.split()[0])),
            )
        )
        return status[0], json.loads(answer) if answer else None

    def create(self, **fields):
        """Ask for a server, as Heat does; return its id."""
        request = {
            'name': 'one',
            'flavorRef': 'chroot',
            'imageRef': 'debian',
            'networks': 'auto',
            'user_data': base64.b64encode(b'#!/bin/sh\n').decode(),
            **fields,
        }
        status, body = self.ask('POST', '/compute/v2.1/servers', {'server': request})
        self.assertEqual(202, status, body)
        return body['server']['id']

    def show(self, server):
        status, body = self.ask('GET', '/compute/v2.1/servers/' + server)
        return body['server'] if status == 200 else status

    def act(self, server, action, arguments=None):
        """Have a server do something, and wait until it is done."""
        status, _ = self.ask('POST', f'/compute/v2.1/servers/{server}/action', {action: arguments})
        self.assertEqual(202, status)
        self.work()


class ServerTest(ComputeTestCase):
    def test_a_new_server_is_built_and_then_active(self):
        server = self.create(name='one', metadata={'purpose': 'test'})
        shown = self.show(server)
        self.assertEqual(('BUILD', 'spawning'), (shown['status'], shown['OS-EXT-STS:task_state']))
        self.work()
        shown = self.show(server)
        self.assertEqual(('ACTIVE', None), (shown['status'], shown['OS-EXT-STS:task_state']))
        self.assertEqual({'purpose': 'test'}, shown['metadata'])

    def test_its_machine_has_what_it_was_asked_for(self):
        self.create(name='My one', flavorRef='qemu')
        self.work()
        (machine,) = self.machines
        self.assertEqual('qemu', machine.kind)
        self.assertEqual('my-one', machine.spec.name)
        self.assertEqual('/images/debian.qcow2', machine.spec.image)
        self.assertEqual(b'#!/bin/sh\n', machine.spec.user_data)
        self.assertEqual(2, machine.spec.vcpus)

    def test_each_server_has_an_address_of_its_own(self):
        addresses = [self.show(self.create())['addresses']['private'][0]['addr'] for _ in range(3)]
        self.assertEqual(['10.0.2.15', '10.0.2.16', '10.0.2.17'], addresses)

    def test_what_keeps_a_machine_from_starting_is_the_servers_fault(self):
        self.patch(FakeMachine, 'broken', 'slirp4netns is not installed.')
        server = self.create()
        self.work()
        shown = self.show(server)
        self.assertEqual('ERROR', shown['status'])
        self.assertEqual('slirp4netns is not installed.', shown['fault']['message'])

    def test_a_deleted_server_is_gone_and_gives_its_address_back(self):
        server = self.create()
        self.work()
        self.assertEqual(204, self.ask('DELETE', '/compute/v2.1/servers/' + server)[0])
        self.assertEqual('deleting', self.show(server)['OS-EXT-STS:task_state'])
        self.work()
        self.assertEqual(404, self.show(server))
        self.assertEqual('cut', self.machines[0].calls[-1])
        again = self.show(self.create())
        self.assertEqual('10.0.2.15', again['addresses']['private'][0]['addr'])

    def test_a_server_that_shuts_itself_down_is_shut_off(self):
        server = self.create()
        self.work()
        self.machines[0].on = False
        self.assertEqual('SHUTOFF', self.show(server)['status'])

    def test_a_server_stops_starts_and_reboots(self):
        server = self.create()
        self.work()
        for action, arguments, calls, status in (
            ('os-stop', None, ['shut down'], 'SHUTOFF'),
            ('os-start', None, ['start'], 'ACTIVE'),
            ('reboot', {'type': 'SOFT'}, ['shut down', 'start'], 'ACTIVE'),
            ('reboot', {'type': 'HARD'}, ['cut', 'start'], 'ACTIVE'),
            ('powerCut', None, ['cut'], 'SHUTOFF'),
        ):
            before = self.calls_of_all_machines()
            self.act(server, action, arguments)
            self.assertEqual(calls, self.calls_of_all_machines()[len(before) :])
            self.assertEqual(status, self.show(server)['status'])

    def test_whoever_reads_the_console_of_one_that_boots_makes_no_other_of_it(self):
        server = self.create()

        def start(machine):
            self.ask('POST', f'/compute/v2.1/servers/{server}/action', {'os-getConsoleOutput': {}})
            machine.on = True

        self.patch(FakeMachine, 'start', start)
        self.work()
        self.assertEqual(1, len(self.machines))

    def calls_of_all_machines(self):
        return [call for machine in self.machines for call in machine.calls]

    def test_a_server_is_suspended_and_resumed(self):
        server = self.create()
        self.work()
        self.act(server, 'suspend')
        self.assertEqual('SUSPENDED', self.show(server)['status'])
        self.act(server, 'resume')
        self.assertEqual('ACTIVE', self.show(server)['status'])
        self.assertEqual(['start', 'suspend', 'resume'], self.machines[0].calls)

    def test_a_rebuilt_server_has_a_new_disk(self):
        server = self.create()
        self.work()
        status, _ = self.ask(
            'POST', f'/compute/v2.1/servers/{server}/action', {'rebuild': {'imageRef': 'debian'}}
        )
        self.assertEqual(200, status)
        self.assertEqual('REBUILD', self.show(server)['status'])
        self.work()
        self.assertEqual('ACTIVE', self.show(server)['status'])
        self.assertIn('wipe', self.calls_of_all_machines())

    def test_servers_are_there_and_booted_again_after_a_restart(self):
        server = self.create()
        self.work()
        self.start()
        self.compute.manager.resume_all()
        self.work()
        self.assertEqual('ACTIVE', self.show(server)['status'])
        self.assertEqual(['start'], self.machines[-1].calls)

    def test_a_server_that_never_was_is_taken_for_one_of_another_cloud(self):
        shown = self.show('b7c0a7de-1111-4c3e-8d0a-1e5d1e0d5a11')
        self.assertEqual('ACTIVE', shown['status'])

    def test_what_heat_changes_is_kept(self):
        server = self.create(metadata={'a': '1', 'b': '2'})
        path = '/compute/v2.1/servers/' + server
        self.assertEqual(200, self.ask('POST', path + '/metadata', {'metadata': {'a': '3'}})[0])
        self.assertEqual(204, self.ask('DELETE', path + '/metadata/b')[0])
        self.assertEqual(200, self.ask('PUT', path, {'server': {'name': 'two'}})[0])
        shown = self.show(server)
        self.assertEqual(({'a': '3'}, 'two'), (shown['metadata'], shown['name']))


class RefusalTest(ComputeTestCase):
    def refuse(self, **fields):
        request = {'name': 'one', 'flavorRef': 'chroot', 'imageRef': 'debian', **fields}
        return self.ask('POST', '/compute/v2.1/servers', {'server': request})

    def test_user_data_over_novas_limit_are_refused(self):
        status, body = self.refuse(user_data='x' * 65536)
        self.assertEqual(400, status)
        self.assertIn('User data too large', body['error']['message'])

    def test_unknown_names_are_refused_with_the_name(self):
        for field in ('flavorRef', 'imageRef', 'key_name'):
            status, body = self.refuse(**{field: 'nonesuch'})
            self.assertEqual(404, status)
            self.assertIn('nonesuch', body['itemNotFound']['message'])

    def test_a_body_without_what_is_needed_is_a_bad_request(self):
        self.assertEqual(400, self.ask('POST', '/compute/v2.1/servers', {})[0])
        self.assertEqual(400, self.ask('POST', '/compute/v2.1/servers', {'server': []})[0])

    def test_nobody_gets_in_without_a_valid_token(self):
        for token in ('', 'bad'):
            self.assertEqual(401, self.ask('GET', '/compute/v2.1/servers', token=token)[0])


class NamesTest(ComputeTestCase):
    config = ComputeConfig({'debian': '/images/debian.qcow2'}, any_name=True)

    def test_any_name_can_be_had_where_that_is_wanted(self):
        _, body = self.ask('GET', '/image/v2/images?name=fedora')
        (image,) = body['images']
        self.assertEqual('fedora', image['name'])
        self.assertEqual(200, self.ask('GET', '/compute/v2.1/flavors/huge')[0])
        _, body = self.ask('GET', '/network/v2.0/networks?name=public')
        self.assertEqual('public', body['networks'][0]['name'])
        self.create(flavorRef='huge', imageRef=image['id'])
        self.work()
        self.assertEqual('/images/debian.qcow2', self.machines[0].spec.image)


class NetworkTest(ComputeTestCase):
    def test_a_port_made_before_is_given_to_the_server_and_outlives_it(self):
        _, body = self.ask('GET', '/network/v2.0/networks?name=private')
        network = body['networks'][0]['id']
        status, body = self.ask(
            'POST', '/network/v2.0/ports', {'port': {'network_id': network, 'name': 'mine'}}
        )
        self.assertEqual(201, status)
        port = body['port']
        server = self.create(networks=[{'port': port['id']}])
        self.assertEqual(
            port['fixed_ips'][0]['ip_address'], self.show(server)['addresses']['private'][0]['addr']
        )
        self.work()
        self.ask('DELETE', '/compute/v2.1/servers/' + server)
        self.work()
        _, body = self.ask('GET', '/network/v2.0/ports/' + port['id'])
        self.assertEqual('', body['port']['device_id'])

    def test_heats_resources_of_other_kinds_can_be_made_and_deleted(self):
        for kind, fields in (
            ('network', {'name': 'n'}),
            ('subnet', {'cidr': '192.0.2.0/24'}),
            ('router', {'name': 'r'}),
            ('security_group', {'name': 's'}),
            ('floatingip', {}),
        ):
            path = '/network/v2.0/{}s'.format(kind.replace('_', '-'))
            status, body = self.ask('POST', path, {kind: fields})
            self.assertEqual(201, status)
            path += '/' + body[kind]['id']
            self.assertEqual(200, self.ask('GET', path)[0])
            self.assertEqual(204, self.ask('DELETE', path)[0])
            self.assertEqual(404, self.ask('GET', path)[0])
