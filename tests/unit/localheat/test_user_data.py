# SPDX-License-Identifier: Apache-2.0
"""The agent's files are found in Heat's user data."""

from email.mime import multipart, text

from localheat.servers import user_data
from tests import base


def message(*parts):
    """Return user data as Heat makes them: contents, file names and types of the parts."""
    whole = multipart.MIMEMultipart()
    for content, name, subtype in parts:
        part = text.MIMEText(content, subtype, 'us-ascii')
        part.add_header('Content-Disposition', 'attachment', filename=name)
        whole.attach(part)
    return whole.as_bytes()


class AgentFilesTest(base.TestCase):
    def test_first_metadata_go_where_heats_part_handler_writes_them(self):
        found = user_data.agent_files(
            message(
                ('#!/bin/sh\n', 'boothook.sh', 'cloud-boothook'),
                ('{"deployments": []}', 'cfn-init-data', 'x-cfninitdata'),
            )
        )
        self.assertEqual(
            {
                '/var/lib/heat-cfntools/cfn-init-data': '{"deployments": []}',
                '/var/lib/cloud/data/cfn-init-data': '{"deployments": []}',
            },
            found,
        )

    def test_other_parts_of_that_type_are_written_too(self):
        found = user_data.agent_files(message(('a', 'cfn-userdata', 'x-cfninitdata')))
        self.assertIn('/var/lib/heat-cfntools/cfn-userdata', found)

    def test_a_plain_script_has_none(self):
        self.assertEqual({}, user_data.agent_files(b'#!/bin/sh\necho hello\n'))

    def test_no_user_data_have_none(self):
        self.assertEqual({}, user_data.agent_files(b''))

    def test_a_name_that_is_a_path_is_not_written(self):
        found = user_data.agent_files(message(('x', '../../etc/passwd', 'x-cfninitdata')))
        self.assertEqual({}, found)


class ForCloudInitTest(base.TestCase):
    def test_what_heat_adds_is_not_the_users(self):
        data = message(
            ('output: {}', 'cloud-config', 'cloud-config'),
            ('#!/bin/bash', 'boothook.sh', 'cloud-boothook'),
            ('#part-handler', 'part-handler.py', 'part-handler'),
            ('{}', 'cfn-init-data', 'x-cfninitdata'),
            ('', '', 'plain'),
        )
        self.assertFalse(user_data.for_cloud_init(data))

    def test_any_other_part_is(self):
        self.assertTrue(user_data.for_cloud_init(message(('echo', 'mine.sh', 'x-shellscript'))))
        self.assertTrue(user_data.for_cloud_init(message(('a', 'cfn-userdata', 'x-cfninitdata'))))

    def test_user_data_of_one_piece_are(self):
        self.assertTrue(user_data.for_cloud_init(b'#cloud-config\nruncmd: []\n'))
        # compressed
        self.assertTrue(user_data.for_cloud_init(b'\x1f\x8b\x08\xff\xfe'))

    def test_no_user_data_are_not(self):
        self.assertFalse(user_data.for_cloud_init(b''))
