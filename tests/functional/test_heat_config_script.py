# SPDX-License-Identifier: Apache-2.0
"""The hook script as another user of this machine."""

import grp
import os
import pwd

from tests import hooks


class ScriptTest(hooks.HookTestCase):
    guard_processes = False
    group = 'script'

    def setUp(self):
        super().setUp()
        if os.geteuid():
            self.skipTest('root alone can become another user')
        for folder in (self.root, self.root / 'tmp'):  # as /tmp is
            folder.chmod(0o755)

    def script(self, text, inputs=None, **options):
        return self.deploy(
            'script-create', inputs, config='#!/bin/sh\n' + text, options=dict(options)
        )

    def test_it_runs_as_a_user_who_can_do_what_a_script_does(self):
        response = self.script(
            'id -un; id -gn; echo "$USER $HOME"; cat "$heat_inputs_path/foo"; : > here; umask\n'
            'printf made > "$heat_outputs_path.result"',
            {'foo': 'bar\n'},
            user='nobody',
            umask='0027',
        )
        self.assertEqual(0, response['deploy_status_code'], response)
        entry = pwd.getpwnam('nobody')
        group = grp.getgrgid(entry.pw_gid).gr_name
        self.assertEqual(
            ['nobody', group, f'nobody {entry.pw_dir}', 'bar', '0027'],
            response['deploy_stdout'].splitlines(),
        )
        self.assertEqual('made', response['result'])

    def test_it_runs_as_a_group(self):
        response = self.script('id -un; id -gn', group='daemon')
        self.assertEqual('root\ndaemon\n', response['deploy_stdout'], response)
        response = self.script('id -un; id -gn', user='nobody', group='daemon')
        self.assertEqual('nobody\ndaemon\n', response['deploy_stdout'], response)

    def test_such_a_user_reads_no_file_of_root_by_an_output(self):
        secret = self.root / 'secret'
        secret.write_text('Hush')
        secret.chmod(0o600)
        response = self.script(f'ln -s {secret} "$heat_outputs_path.result"', user='nobody')
        self.assertNotEqual(0, response['deploy_status_code'])
        self.assertNotIn('Hush', str(response))
