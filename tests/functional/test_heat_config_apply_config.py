# SPDX-License-Identifier: Apache-2.0
"""The hook apply-config, with the real os-apply-config."""

import json

from tests import hooks


class ApplyConfigTest(hooks.HookTestCase):
    guard_processes = False
    group = 'apply-config'

    def setUp(self):
        super().setUp()
        self.made = self.root / 'made'
        metadata = self.root / 'metadata.json'
        metadata.write_text(json.dumps({'foo': 'b\u00e4r'}))
        templates = self.root / 'templates'
        self.template = templates / self.made.relative_to('/')
        self.template.parent.mkdir(parents=True)
        self.environment = {
            'OS_CONFIG_FILES': str(metadata),
            'OS_CONFIG_APPLIER_TEMPLATES': str(templates),
        }

    def test_templates_are_applied(self):
        self.template.write_text('foo={{foo}}')
        response = self.deploy('apply-config', env=self.environment)
        self.assertEqual(0, response['deploy_status_code'], response)
        self.assertEqual('foo=b\u00e4r', self.made.read_text(encoding='utf-8'))

    def test_a_template_that_fails_is_a_failure(self):
        self.template.write_text('#!/bin/sh\nexit 3\n')
        self.template.chmod(0o755)
        response = self.deploy('apply-config', env=self.environment)
        self.assertNotEqual(0, response['deploy_status_code'])
        self.assertIn(str(self.template), response['deploy_stderr'])
