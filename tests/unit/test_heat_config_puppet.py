# SPDX-License-Identifier: Apache-2.0
"""The hook puppet, with a fake puppet."""

import json
import socket

from tests import deployments, hooks

ID = '06a5191c-f231-41cd-9a7d-8c536a26abe9'
TYPED = {'text': 'x', 'number': 3, 'truth': True, 'map': {'a': [1]}, 'list': ['a', 'b']}


class PuppetTest(hooks.HookTestCase):
    group = 'puppet'
    paths = {
        'HEAT_PUPPET_LOGDIR': 'logs',
        'HEAT_PUPPET_VERBOSE_LOGDIR': 'verbose',
        'HEAT_PUPPET_HIERA_DATADIR': 'hieradata',
    }

    def apply(self, *answers, **changes):
        self.fake('puppet', *answers)
        changes.setdefault('options', {})
        response = self.deploy('puppet', **changes)
        self.call = self.calls('puppet')[-1]
        return response

    def test_the_manifest_is_applied_without_colours_and_with_detailed_exit_codes(self):
        self.apply(config='notice("\u00e9")')
        manifest = self.working / f'{ID}.pp'
        self.assertEqual(
            [
                'apply',
                '--color',
                'false',
                '--detailed-exitcodes',
                '--logdest',
                'console',
                str(manifest),
            ],
            self.call.argv,
        )
        self.assertEqual('notice("\u00e9")', manifest.read_text(encoding='utf-8'))
        self.assertEqual('C.UTF-8', self.call.env['LC_ALL'])

    def test_options_are_arguments_before_the_manifest(self):
        self.apply(
            options={
                'modulepath': '/etc/m',
                'tags': 'package,file',
                'enable_debug': True,
                'enable_verbose': True,
            }
        )
        logs = self.root / 'verbose'
        self.assertEqual(
            [
                'console',
                '--modulepath',
                '/etc/m',
                '--tags',
                'package,file',
                '--debug',
                '--logdest',
                f'{logs}/heat-debug.log',
                '--verbose',
                '--logdest',
                f'{logs}/heat-verbose.log',
                f'{self.working}/{ID}.pp',
            ],
            self.call.argv[5:],
        )

    def test_tags_and_module_path_may_be_lists(self):
        self.apply(options={'modulepath': ['/a', '/b'], 'tags': ['x', 'y']})
        self.assertEqual(['--modulepath', '/a:/b', '--tags', 'x,y'], self.call.argv[6:10])

    def test_null_options_are_defaults(self):
        self.assertEqual(0, self.apply(options=None)['deploy_status_code'])
        self.assertEqual('baa', self.call.env['FACTER_bar'])

    def test_texts_are_facts_in_the_environment(self):
        self.apply(inputs={'foo': 'a b', 'nothing': None})
        self.assertEqual('a b', self.call.env['FACTER_foo'])
        self.assertEqual('', self.call.env['FACTER_nothing'])
        self.assertEqual('CREATE', self.call.env['FACTER_deploy_action'])
        self.assertEqual(f'{self.outputs}/{ID}', self.call.env['FACTER_heat_outputs_path'])

    def test_other_inputs_are_structured_facts(self):
        # In the environment, 1333992 and later, they were the end of the hook.
        self.apply(inputs=TYPED)
        folder = self.call.argv[self.call.argv.index('--pluginfactdest') + 1]
        with open(f'{folder}/heat.json', encoding='utf-8') as facts:
            self.assertEqual(
                {key: TYPED[key] for key in ('number', 'truth', 'map', 'list')}, json.load(facts)
            )
        self.assertNotIn('FACTER_map', self.call.env)

    def test_the_full_name_is_what_the_resolver_says(self):
        # 1447497: facter has other ideas of it.
        self.apply()
        names = socket.getaddrinfo(
            socket.gethostname(), None, 0, socket.SOCK_DGRAM, 0, socket.AI_CANONNAME
        )
        self.assertEqual(names[0][3], self.call.env['FACTER_fqdn'])

    def test_without_facter_inputs_are_no_facts(self):
        self.apply(options={'enable_facter': False}, inputs=TYPED)
        self.assertNotIn('FACTER_bar', self.call.env)
        self.assertNotIn('--pluginfactdest', self.call.argv)
        self.assertIn('FACTER_heat_outputs_path', self.call.env)

    def test_with_hiera_inputs_are_its_data(self):
        self.apply(options={'enable_hiera': True}, inputs=TYPED)
        data = self.root / 'hieradata' / 'heat_config_puppet.json'
        self.assertEqual(0o600, data.stat().st_mode & 0o777)
        self.assertEqual(TYPED, {key: json.loads(data.read_text())[key] for key in TYPED})
        self.assertEqual('puppet', self.call.env['FACTER_deploy_config_name'])

    def test_hiera_expands_nothing_in_inputs(self):
        inputs = {'text': 'a%{b}c %%{d}', 'map': {'%{k}': ['%{v}', 1]}}
        data = self.root / 'hieradata' / 'heat_config_puppet.json'
        self.apply(options={'use_hiera': True}, inputs=inputs)
        found = json.loads(data.read_text())
        self.assertEqual("a%{literal('%')}{b}c %%{literal('%')}{d}", found['text'])
        self.assertEqual({"%{literal('%')}{k}": ["%{literal('%')}{v}", 1]}, found['map'])
        self.apply(options={'use_hiera': True, 'template_inputs': True}, inputs=inputs)
        self.assertEqual(inputs['map'], json.loads(data.read_text())['map'])

    def test_texts_that_are_no_variables_are_facts_too(self):
        self.apply(inputs={'my-var': 'x', 'long': 'y' * 200000})
        folder = self.call.argv[self.call.argv.index('--pluginfactdest') + 1]
        with open(f'{folder}/heat.json', encoding='utf-8') as facts:
            self.assertEqual({'my-var': 'x', 'long': 'y' * 200000}, json.load(facts))
        self.assertNotIn('FACTER_my-var', self.call.env)

    def test_names_that_are_one_fact_are_told(self):
        response = self.apply(inputs={'Foo': 'x', 'foo': 'y'})
        self.assertIn('the inputs Foo and foo are one fact', response['deploy_stderr'])

    def test_environment_certname_and_noop_are_arguments(self):
        self.apply(options={'environment': 'test', 'certname': 'me', 'noop': True})
        self.assertEqual(
            ['--environment', 'test', '--certname', 'me', '--noop'], self.call.argv[6:11]
        )

    def test_modules_of_a_puppetfile_are_installed_by_r10k(self):
        self.fake('r10k')
        self.apply(options={'puppetfile': "mod 'puppetlabs/stdlib'"})
        self.assertEqual(
            [
                'puppetfile',
                'install',
                '--puppetfile',
                f'{self.working}/Puppetfile',
                '--moduledir',
                f'{self.working}/modules',
            ],
            self.calls('r10k')[0].argv,
        )
        self.assertEqual("mod 'puppetlabs/stdlib'", (self.working / 'Puppetfile').read_text())
        self.assertEqual(
            ['--modulepath', f'{self.working}/modules:$basemodulepath'], self.call.argv[6:8]
        )

    def test_a_puppetfile_without_r10k_or_with_a_mistake_is_a_failure(self):
        response = self.apply_nothing(options={'puppetfile': 'mod'})
        self.assertEqual(65, response['deploy_status_code'])
        self.assertIn('needs r10k, which is not on this server', response['deploy_stderr'])
        self.fake('r10k', {'status': 1, 'stderr': 'no such module'})
        response = self.deploy('puppet', options={'puppetfile': 'mod'})
        self.assertEqual(1, response['deploy_status_code'])
        self.assertIn('no such module', response['deploy_stderr'])
        self.assertEqual([], self.calls('puppet'))

    def test_the_name_of_hiera_data_stays_in_its_folder(self):
        self.fake('puppet')
        deployment = deployments.load('puppet', options={'enable_hiera': True})
        self.run_hook(dict(deployment, name='../../etc/x'))
        name = self.calls('puppet')[0].env['FACTER_deploy_config_name']
        self.assertNotIn('/', name)
        self.assertEqual(
            [f'heat_config_{name}.json'],
            [path.name for path in (self.root / 'hieradata').iterdir()],
        )

    def test_changes_are_success(self):
        self.assertEqual(0, self.apply({'status': 2})['deploy_status_code'])

    def test_other_codes_are_failures(self):
        for status in (1, 4, 6):
            response = self.apply({'status': status, 'stderr': 'Error: no such class'})
            self.assertEqual(status, response['deploy_status_code'])
            self.assertEqual('Error: no such class', response['deploy_stderr'])

    def test_outputs_are_read_from_files(self):
        response = self.apply({'files': {'$FACTER_heat_outputs_path.result': 'made'}})
        self.assertEqual('made', response['result'])

    def test_an_output_of_an_earlier_run_is_none(self):
        self.apply({'files': {'$FACTER_heat_outputs_path.result': 'made'}})
        self.assertNotIn('result', self.apply({}))

    def test_its_whole_output_is_kept_on_the_server(self):
        # 1536009, and rhbz 1242396: Heat takes no more than the end of it.
        response = self.apply({'stdout': 'y' * 1024, 'stderr': 'oops', 'repeat': 1024})
        self.assertIn('bytes cut', response['deploy_stdout'])
        stdout = self.root / 'logs' / f'2026-11-21-20-38-01Z-{ID}-stdout.log'
        self.assertEqual(1024 * 1024, stdout.stat().st_size)
        self.assertEqual(0o600, stdout.stat().st_mode & 0o777)
        stderr = self.root / 'logs' / f'2026-11-21-20-38-01Z-{ID}-stderr.log'
        self.assertEqual('oops' * 1024, stderr.read_text())

    def test_a_shorter_manifest_leaves_nothing_of_a_longer_one(self):
        # 1434187, 1391072
        self.apply(config='notice("a long one")')
        self.apply(config='short')
        self.assertEqual('short', (self.working / f'{ID}.pp').read_text())

    def test_a_manifest_that_is_a_map_is_refused(self):
        response = self.apply_nothing(config={'a': 1})
        self.assertEqual(65, response['deploy_status_code'])
        self.assertIn('must be a string, not a map', response['deploy_stderr'])

    def apply_nothing(self, **changes):
        self.fake('puppet')
        response = self.deploy('puppet', **changes)
        self.assertEqual([], self.calls())
        return response

    def test_another_command_may_be_named(self):
        self.fake('other')
        self.deploy('puppet', env={'HEAT_PUPPET_CMD': str(self.sandbox.bin / 'other')})
        self.assertEqual(1, len(self.calls('other')))
