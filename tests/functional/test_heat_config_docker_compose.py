# SPDX-License-Identifier: Apache-2.0
"""The hook docker-compose with a real Compose; what runs is read back with docker.

With v2 where docker has the plugin, else with v1.
"""

import json
import shutil
import subprocess

from tests import base, containers, hooks


class ComposeTest(hooks.HookTestCase):
    group = 'docker-compose'
    guard_processes = False

    def setUp(self):
        super().setUp()
        containers.require('docker')
        if (
            not shutil.which('docker-compose')
            and subprocess.run(['docker', 'compose', 'version'], capture_output=True).returncode
        ):
            self.skipTest('neither docker compose nor docker-compose installed')
        self.engine = self.useFixture(containers.Docker(self.root))
        self.sandbox.env.update(self.engine.env)
        self.out = self.root / 'out'
        self.out.mkdir()

    def service(self, command, **config):
        return dict(
            config,
            image=containers.IMAGE,
            command=['sh', '-c', command],
            network_mode='host',
            stop_signal='SIGKILL',
            volumes=[f'{self.out}:/out'],
        )

    def run_config(self, config, inputs=None, status=0, name='web.project'):
        response = self.deploy('docker-compose', name=name, config=config, inputs=inputs)
        self.assertEqual(status == 0, response['deploy_status_code'] == 0, response)
        return response

    def services(self):
        """The services of the project that run."""
        return sorted(
            self.engine.ask(
                'ps',
                '--filter',
                'label=com.docker.compose.project=webproject',
                '--format',
                '{{.Label "com.docker.compose.service"}}',
            ).split()
        )

    def test_projects_live_from_create_to_delete(self):
        self.run_config(
            {
                'services': {
                    'web': self.service(
                        'echo $$GREETING > /out/web; sleep 600', env_file='./web.env'
                    ),
                    'db': self.service('sleep 600'),
                }
            },
            {'env_files': [{'file_name': './web.env', 'content': 'GREETING=hello\n'}]},
        )
        self.assertEqual(['db', 'web'], self.services())
        self.assertEqual('hello\n', (self.out / 'web').read_text())

        # As services stood in Compose's first files; db is gone.
        self.run_config(
            f'new:\n  image: {containers.IMAGE}\n  network_mode: host\n'
            '  stop_signal: SIGKILL\n  command: sleep 600\n',
            {'deploy_action': 'UPDATE'},
        )
        self.assertEqual(['new'], self.services())

        response = self.run_config('services:\n  new:\n    image: [', status=1)
        self.assertNotEqual('', response['deploy_stderr'])
        response = self.run_config({'services': {'new': {'imagination': 'x'}}}, status=1)
        self.assertIn('imagination', response['deploy_stderr'])
        self.assertEqual(['new'], self.services())

        self.run_config('', {'deploy_action': 'DELETE'})
        self.assertEqual([], self.engine.all())
        self.assertEqual([], list(self.working.iterdir()))

    def test_only_what_heat_no_longer_has_is_stale(self):
        for name in ('web.project', 'other'):
            self.run_config({'services': {'a': self.service('sleep 600')}}, name=name)
        path = self.root / 'metadata'
        for names, expected in ((('web.project',), ['a']), ((), [])):
            path.write_text(json.dumps([{'id': name, 'name': name} for name in names]))
            done = self.run_script(
                base.ELEMENTS
                / 'heat-config-docker-compose/os-refresh-config/configure.d'
                / '50-heat-config-docker-compose',
                env={'HEAT_CONFIG_HOOKS': str(self.root / 'hooks'), 'HEAT_SHELL_CONFIG': str(path)},
            )
            self.assertEqual(0, done.status, done.stderr)
            self.assertEqual(expected, self.services())
            self.assertEqual(len(expected), len(self.engine.all()))
