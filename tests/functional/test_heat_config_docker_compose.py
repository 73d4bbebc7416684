# SPDX-License-Identifier: Apache-2.0
"""The hook docker-compose with a real Compose; what runs is read back with docker.

With v2 where docker has the plugin, else with v1.
"""

import json
import shutil
import subprocess

from tests import containers, hooks, proc_reader


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

    def run_config(self, config, inputs=None, status=0, name='web.project', **fields):
        response = self.deploy('docker-compose', name=name, config=config, inputs=inputs, **fields)
        self.assertEqual(status == 0, response['deploy_status_code'] == 0, response)
        return response

    def services(self):
        """The services of the project that run."""
        return sorted(
            self.engine.ask(
                'ps',
                '--filter',
                'label=com.docker.compose.project=webproject-568f2d15',
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

    def test_values_arrive_as_they_are_and_names_that_are_alike_are_two_projects(self):
        value = 'a$b ${c} $$d'
        with proc_reader.ProcReader(self.root, value) as reader:
            self.run_config(
                {
                    'services': {
                        'a': self.service(
                            'echo "$$V" > /out/a; sleep 600', environment={'V': value}
                        )
                    }
                },
                {'value': value},
            )
        self.assertEqual([], reader.seen())
        self.run_config({'services': {'b': self.service('sleep 600')}}, name='webproject')
        self.run_config({'services': {'b': self.service('sleep 600')}}, name='webproject')
        self.assertEqual(2, len(self.engine.running()))
        self.assertEqual(value + '\n', (self.out / 'a').read_text())

    def test_options(self):
        other = self.service('echo $$WHO > /out/other; sleep 600', profiles=['more'])
        more = {'services': {'web': {'environment': {'WHO': 'file'}}}}
        files = [
            {'file_name': 'more.yml', 'content': json.dumps(dict(more, version='3.8'))},
            {
                'file_name': 'image/Dockerfile',
                'content': f'FROM {containers.IMAGE}\nENV WHO=built\n',
            },
        ]
        web = self.service('echo $$WHO > /out/web; sleep 600')
        built = dict(
            self.service('echo $$WHO > /out/built; sleep 600'),
            image='localhost/built:1',
            build={'context': './image', 'network': 'host'},
        )
        self.run_config(
            {'version': '3.8', 'services': {'web': web, 'other': other, 'built': built}},
            {'env_files': files},
            options={'files': ['more.yml'], 'profiles': 'more', 'build': True, 'stop_timeout': 1},
        )
        self.assertEqual(['built', 'other', 'web'], self.services())
        self.assertEqual('file\n', (self.out / 'web').read_text())
        self.assertEqual('built\n', (self.out / 'built').read_text())

    def test_an_image_of_a_registry_that_wants_a_password(self):
        registry = self.useFixture(containers.Registry(self.root))
        image = registry.push(self.engine)
        service = dict(self.service('sleep 600'), image=image)
        self.run_config({'services': {'web': service}}, status=1)
        with proc_reader.ProcReader(self.root, registry.PASSWORD) as reader:
            self.run_config(
                {'services': {'web': service}},
                registry.inputs,
                options={'registries': registry.option, 'pull': 'always'},
            )
        self.assertEqual([], reader.seen())
        self.assertEqual(['web'], self.services())

    def test_only_what_heat_no_longer_has_is_stale(self):
        for name in ('web.project', 'other'):
            self.run_config({'services': {'a': self.service('sleep 600')}}, name=name)
        for names, expected in ((('web.project',), ['a']), ((), [])):
            self.remove_stale(json.dumps([{'id': name, 'name': name} for name in names]))
            self.assertEqual(expected, self.services())
            self.assertEqual(len(expected), len(self.engine.all()))
