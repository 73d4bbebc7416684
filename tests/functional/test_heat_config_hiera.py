# SPDX-License-Identifier: Apache-2.0
"""What the hook hiera writes, read by the real hiera and the real puppet."""

from tests import hooks

CONFIG = {
    'hierarchy': ['%{role}', 'heat'],
    'datafiles': {'heat': {'foo': 'common', 'other': '\u00e9'}, 'web': {'foo': 'special'}},
}


class HieraTest(hooks.HookTestCase):
    guard_processes = False
    group = 'hiera'
    paths = {'HEAT_HIERA_CONFIG': 'hiera.yaml', 'HEAT_PUPPET_HIERA_DATADIR': 'hieradata'}

    def write(self, version):
        response = self.deploy(
            'hiera',
            config=dict(CONFIG, version=version),
            env={'HEAT_HIERA_ELEMENT_CHECK_CMD': 'echo empty'},
        )
        self.assertEqual(0, response['deploy_status_code'], response)

    def look_up(self, key, role):
        done = self.run_program(['hiera', '--config', 'hiera.yaml', key, f'role={role}'])
        return done.stdout.strip()

    def test_the_command_hiera_finds_data_of_hiera_3(self):
        if self.run_program(['sh', '-c', 'hiera --version']).status:
            self.skipTest('this machine has no command hiera that starts')
        self.write(3)
        self.assertEqual('special', self.look_up('foo', 'web'))
        self.assertEqual('common', self.look_up('foo', 'db'))

    def test_puppet_finds_data_of_hiera_5(self):
        self.write(5)
        done = self.run_program(
            [
                'puppet',
                'apply',
                '--color',
                'false',
                '--confdir',
                'etc',
                '--vardir',
                'var',
                '--hiera_config',
                self.root / 'hiera.yaml',
                '--execute',
                'notice(lookup("foo"), lookup("other"))',
            ],
            env={'FACTER_role': 'web'},
        )
        self.assertEqual(0, done.status, done.stderr)
        self.assertIn('special \u00e9', done.stdout)
