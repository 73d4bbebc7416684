# SPDX-License-Identifier: Apache-2.0
"""The config drive has what Nova's has."""

import base64
import json
import os
import shutil

from localheat.compute import config_drive
from tests import base

USER_DATA = b'#!/bin/sh\necho \xc3\xa9\n'


def instance(**fields):
    return config_drive.Instance(
        **{
            'id': '0f2d1c7e-2f0b-4c5e-9a43-6f9d7c1e2b3a',
            'name': 'My server_1',
            'project': 'p1',
            'address': '10.0.2.15',
            'mac': 'fa:16:3e:00:00:01',
            'network': 'n1',
            'metadata': {'purpose': 'test'},
            'keys': {'mine': 'ssh-ed25519 AAAA'},
            'user_data': USER_DATA,
            **fields,
        }
    )


class ContentsTest(base.TestCase):
    def document(self, path, **fields):
        return json.loads(config_drive.contents(instance(**fields))[path])

    def test_each_version_has_what_came_with_it_and_with_earlier_ones(self):
        names = {}
        for path in config_drive.contents(instance()):
            top, version, name = path.split('/')
            names.setdefault(f'{top} {version}', set()).add(name)
        self.assertEqual({'meta_data.json', 'user_data'}, names['openstack 2012-08-10'])
        self.assertEqual(
            {'meta_data.json', 'user_data', 'vendor_data.json', 'network_data.json'},
            names['openstack 2015-10-15'],
        )
        self.assertEqual(
            {
                'meta_data.json',
                'user_data',
                'vendor_data.json',
                'network_data.json',
                'vendor_data2.json',
            },
            names['openstack latest'],
        )
        self.assertEqual({'meta-data.json', 'user-data'}, names['ec2 latest'])

    def test_user_data_are_the_same_bytes(self):
        contents = config_drive.contents(instance())
        self.assertEqual(USER_DATA, contents['openstack/latest/user_data'])
        self.assertEqual(USER_DATA, contents['ec2/latest/user-data'])

    def test_a_server_without_user_data_has_no_file_of_them(self):
        contents = config_drive.contents(instance(user_data=None))
        self.assertEqual([], [path for path in contents if 'user' in path])

    def test_meta_data_tell_who_the_server_is(self):
        data = self.document('openstack/latest/meta_data.json')
        self.assertEqual('0f2d1c7e-2f0b-4c5e-9a43-6f9d7c1e2b3a', data['uuid'])
        self.assertEqual('My server_1', data['name'])
        self.assertEqual('my-server-1', data['hostname'])
        self.assertEqual({'purpose': 'test'}, data['meta'])
        self.assertEqual({'mine': 'ssh-ed25519 AAAA'}, data['public_keys'])
        self.assertEqual(
            [{'name': 'mine', 'type': 'ssh', 'data': 'ssh-ed25519 AAAA'}], data['keys']
        )
        self.assertEqual(512, len(base64.b64decode(data['random_seed'])))

    def test_a_server_without_metadata_and_keys_has_no_empty_ones(self):
        data = self.document('openstack/latest/meta_data.json', metadata={}, keys={})
        self.assertEqual(set(), {'meta', 'keys', 'public_keys'} & set(data))

    def test_a_name_without_letters_still_gives_a_hostname(self):
        data = self.document('openstack/latest/meta_data.json', name='\u6771\u4eac')
        self.assertEqual('server-0f2d1c7e-2f0b-4c5e-9a43-6f9d7c1e2b3a', data['hostname'])

    def test_the_network_is_by_dhcp_and_keeps_metadata_requests_to_itself(self):
        data = self.document('openstack/latest/network_data.json')
        (link,) = data['links']
        (network,) = data['networks']
        self.assertEqual('fa:16:3e:00:00:01', link['ethernet_mac_address'])
        self.assertEqual(('ipv4_dhcp', link['id']), (network['type'], network['link']))
        (route,) = network['routes']
        self.assertEqual('169.254.169.254', route['network'])
        self.assertNotEqual('10.0.2.2', route['gateway'])

    def test_ec2_meta_data_have_the_address(self):
        data = self.document('ec2/latest/meta-data.json')
        self.assertEqual('10.0.2.15', data['local-ipv4'])
        self.assertEqual('i-0f2d1c7e', data['instance-id'])


class WriteTest(base.TestCase):
    def test_the_drive_is_an_iso_9660_file_system_that_only_its_owner_reads(self):
        if not shutil.which('genisoimage'):
            self.skipTest('genisoimage is not installed')
        self.announce('genisoimage')
        path = str(self.root / 'config.iso')
        config_drive.write(instance(), path)
        with open(path, 'rb') as stream:
            # the volume descriptor and the label in it
            stream.seek(16 * 2048)
            descriptor = stream.read(2048)
        self.assertEqual(b'CD001', descriptor[1:6])
        self.assertEqual(b'config-2', descriptor[40:72].strip())
        self.assertEqual(0o600, os.stat(path).st_mode & 0o777)
