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
        found = user_data.agent_files(message(('echo', 'cfn-userdata', 'x-cfninitdata')))
        self.assertIn('/var/lib/heat-cfntools/cfn-userdata', found)

    def test_a_plain_script_has_none(self):
        self.assertEqual({}, user_data.agent_files(b'#!/bin/sh\necho hello\n'))

    def test_no_user_data_have_none(self):
        self.assertEqual({}, user_data.agent_files(b''))

    def test_a_name_that_is_a_path_is_not_written(self):
        found = user_data.agent_files(message(('x', '../../etc/passwd', 'x-cfninitdata')))
        self.assertEqual({}, found)
