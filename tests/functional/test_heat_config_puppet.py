# SPDX-License-Identifier: Apache-2.0
"""The hook puppet, with the real puppet."""

from tests import hooks

#: Keeps the machine's own configuration and state out of it.
PUPPET = """#!/bin/sh
command=$1
shift
exec puppet "$command" --confdir {root}/etc --vardir {root}/var --rundir {root}/run "$@"
"""


class PuppetTest(hooks.HookTestCase):
    guard_processes = False
    group = 'puppet'
    paths = {
        'HEAT_PUPPET_CMD': 'puppet',
        'HEAT_PUPPET_LOGDIR': 'logs',
        'HEAT_PUPPET_VERBOSE_LOGDIR': 'verbose',
        'HEAT_PUPPET_HIERA_DATADIR': 'hieradata',
    }

    def setUp(self):
        super().setUp()
        puppet = self.root / 'puppet'
        puppet.write_text(PUPPET.format(root=self.root))
        puppet.chmod(0o755)
        self.made = self.root / 'made'

    def apply(self, manifest, inputs=None, **changes):
        changes.setdefault('options', {})
        return self.deploy(
            'puppet', dict(inputs or {}, path=str(self.made)), config=manifest, **changes
        )

    def test_a_file_is_made_and_the_second_time_there_is_nothing_to_do(self):
        manifest = 'file { $facts["path"]: content => "$bar \u00e9" }'
        for _ in range(2):
            response = self.apply(manifest)
            self.assertEqual(0, response['deploy_status_code'], response)
            self.assertEqual('baa \u00e9', self.made.read_text(encoding='utf-8'))
            self.assertNotIn('\x1b', response['deploy_stdout'] + response['deploy_stderr'])

    def test_facts_keep_their_types(self):
        inputs = {'map': {'a': ['x', 7]}, 'number': 3, 'truth': False, 'none': None, 'list': ['b']}
        response = self.apply(
            """
            $types = [$facts['map']['a'][1], $facts['number'], $facts['truth'], $facts['list']]
            if $types =~ Tuple[Integer, Integer, Boolean, Array] and $facts['none'] == '' {
                file { $facts['path']: content => "${facts['map']['a'][0]}${facts['number'] + 1}" }
            }""",
            inputs,
        )
        self.assertEqual(0, response['deploy_status_code'], response)
        self.assertEqual('x4', self.made.read_text())

    def test_outputs_are_what_the_manifest_writes(self):
        response = self.apply('file { "${heat_outputs_path}.result": content => "made" }')
        self.assertEqual('made', response['result'], response)

    def test_inputs_can_be_looked_up_in_hiera(self):
        (self.root / 'etc').mkdir()
        (self.root / 'etc' / 'hiera.yaml').write_text(f"""
version: 5
defaults: {{datadir: {self.root}/hieradata, data_hash: json_data}}
hierarchy: [{{name: heat, path: "heat_config_%{{deploy_config_name}}.json"}}]
""")
        response = self.apply(
            'file { lookup("path"): content => lookup("map")["a"] }',
            {'map': {'a': 'deep'}},
            options={'enable_hiera': True, 'enable_facter': False},
        )
        self.assertEqual(0, response['deploy_status_code'], response)
        self.assertEqual('deep', self.made.read_text())

    def test_hiera_expands_nothing_in_inputs(self):
        (self.root / 'etc').mkdir()
        (self.root / 'etc' / 'hiera.yaml').write_text(f"""
version: 5
defaults: {{datadir: {self.root}/hieradata, data_hash: json_data}}
hierarchy: [{{name: heat, path: "heat_config_%{{deploy_config_name}}.json"}}]
""")
        for options, expected in (
            ({}, 'a%{b}c%%{facts.path}'),
            ({'template_inputs': True}, f'ac%{self.made}'),
        ):
            response = self.apply(
                'file { lookup("path"): content => lookup("map")["%{k}"][0] }'
                if not options
                else 'file { lookup("path"): content => lookup("map")["k"][0] }',
                {'map': {'k' if options else '%{k}': ['a%{b}c%%{facts.path}']}},
                options=dict(options, use_hiera=True),
            )
            self.assertEqual(0, response['deploy_status_code'], response)
            self.assertEqual(expected, self.made.read_text())

    def test_any_text_is_a_fact(self):
        response = self.apply(
            'file { $facts["path"]: content => "${facts["my-var"]} ${length($facts["long"])}" }',
            {'my-var': 'x', 'long': 'y' * 200000},
        )
        self.assertEqual(0, response['deploy_status_code'], response)
        self.assertEqual('x 200000', self.made.read_text())

    def test_noop_changes_nothing(self):
        response = self.apply('file { $facts["path"]: content => "x" }', options={'noop': True})
        self.assertEqual(0, response['deploy_status_code'], response)
        self.assertIn('noop', response['deploy_stdout'])
        self.assertFalse(self.made.exists())

    def test_the_environment_and_the_certificates_name_are_chosen(self):
        (self.root / 'etc/environments/other/manifests').mkdir(parents=True)
        (self.root / 'etc/puppet.conf').write_text(
            f'[main]\nenvironmentpath = {self.root}/etc/environments\n'
        )
        response = self.apply(
            'file { $facts["path"]: content => "${environment} ${trusted["certname"]}" }',
            options={'environment': 'other', 'certname': 'some.node'},
        )
        self.assertEqual(0, response['deploy_status_code'], response)
        self.assertEqual('other some.node', self.made.read_text())

    def test_modules_tags_and_logs_are_as_the_options_say(self):
        classes = self.root / 'modules' / 'some' / 'manifests'
        classes.mkdir(parents=True)
        (classes / 'init.pp').write_text('class some { file { $facts["path"]: content => "m" } }')
        response = self.apply(
            f'include some\nfile {{ "{self.root}/other": content => "" }}',
            options={
                'modulepath': str(self.root / 'modules'),
                'tags': 'some',
                'enable_debug': True,
                'enable_verbose': True,
            },
        )
        self.assertEqual(0, response['deploy_status_code'], response)
        self.assertEqual('m', self.made.read_text())
        self.assertFalse((self.root / 'other').exists())
        for name in ('heat-debug.log', 'heat-verbose.log'):
            self.assertIn('Applied catalog', (self.root / 'verbose' / name).read_text())

    def test_a_manifest_with_a_mistake_fails_and_says_where(self):
        response = self.apply('file { "/x": \n')
        self.assertEqual(1, response['deploy_status_code'])
        self.assertIn('Syntax error', response['deploy_stderr'])

    def test_a_resource_that_cannot_be_made_fails(self):
        response = self.apply('file { "${facts["path"]}/a/b": content => "x" }')
        self.assertEqual(4, response['deploy_status_code'])
        self.assertIn('No such file or directory', response['deploy_stderr'])
