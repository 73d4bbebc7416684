# SPDX-License-Identifier: Apache-2.0
"""The hook cfn-init, with a fake cfn-init; and our cfn-init, with fakes of what it runs."""

import base64
import grp
import io
import json
import os
import pwd
import shutil
import tarfile
import zipfile

from tests import base, hooks, interpreters

load_tests = base.load_scenarios

ELEMENT = base.ELEMENTS / 'heat-config-cfn-init'
SECTION = 'AWS::CloudFormation::Init'


class HookTest(hooks.HookTestCase):
    group = 'cfn-init'
    paths = {'HEAT_CFN_INIT_LAST_METADATA_DIR': 'cache/heat-cfntools'}

    def setUp(self):
        super().setUp()
        self.metadata = self.root / 'cache/heat-cfntools/last_metadata'

    def test_cfn_init_finds_the_config_in_its_metadata(self):
        self.fake('cfn-init')
        self.deploy('cfn-init', config={'config': {'files': {}}})
        self.assertEqual([], self.calls('cfn-init')[0].argv)
        self.assertEqual(
            {SECTION: {'config': {'files': {}}}}, json.loads(self.metadata.read_text())
        )
        self.assertEqual(0o600, self.metadata.stat().st_mode & 0o777)

    def test_json_text_is_a_config(self):
        self.fake('cfn-init')
        self.deploy('cfn-init', config='{"foo": "bar"}')
        self.assertEqual({SECTION: {'foo': 'bar'}}, json.loads(self.metadata.read_text()))

    def test_a_shorter_config_leaves_nothing_of_a_longer_one(self):
        # Public bugs 1434187 and 1391072.
        self.fake('cfn-init')
        self.deploy('cfn-init', config={'config': {'files': {'/a/long/path': {}}}})
        self.deploy('cfn-init', config={})
        self.assertEqual({SECTION: {}}, json.loads(self.metadata.read_text()))

    def test_what_cfn_init_prints_and_how_it_ends_is_the_response(self):
        self.fake('cfn-init', {'stdout': 'out', 'stderr': 'bad thing', 'status': 3})
        self.assertEqual(
            {'deploy_stdout': 'out', 'deploy_stderr': 'bad thing', 'deploy_status_code': 3},
            self.deploy('cfn-init'),
        )

    def test_what_commands_write_are_outputs(self):
        self.fake('cfn-init', {'files': {'$heat_outputs_path.result': 'done'}})
        self.assertEqual('done', self.deploy('cfn-init')['result'])

    def test_another_program_can_be_named(self):
        self.fake('my-init')
        self.deploy('cfn-init', env={'HEAT_CFN_INIT_CMD': str(self.sandbox.bin / 'my-init')})
        self.assertEqual(1, len(self.calls('my-init')))

    def test_a_missing_cfn_init_is_a_failure(self):
        response = self.deploy('cfn-init')
        self.assertEqual(127, response['deploy_status_code'])
        self.assertIn('heat-config-cfn-init', response['deploy_stderr'])

    def test_a_config_that_is_no_map_is_refused(self):
        self.fake('cfn-init')
        for config in ('{::::', '["x"]', '"x"'):
            self.assertEqual(65, self.deploy('cfn-init', config=config)['deploy_status_code'])
        self.assertEqual([], self.calls('cfn-init'))

    def test_it_works_with_our_cfn_init(self):
        (self.sandbox.bin / 'cfn-init').symlink_to(ELEMENT / 'bin/cfn-init')
        path = self.root / 'made/foo'
        response = self.deploy(
            'cfn-init',
            config={
                'config': {
                    'files': {str(path): {'content': 'baa', 'mode': '000640'}},
                    'commands': {'a': {'command': 'echo done > $heat_outputs_path.result'}},
                }
            },
        )
        self.assertEqual((0, 'done\n'), (response['deploy_status_code'], response['result']))
        self.assertEqual('baa', path.read_text())
        self.assertEqual(0o640, path.stat().st_mode & 0o777)


class CfnInitTestCase(base.TestCase):
    def setUp(self):
        super().setUp()
        self.program = self.root / 'library' / 'heat_cfn_init.py'
        self.program.parent.mkdir()
        for folder in (ELEMENT, base.ELEMENTS / 'heat-config'):
            for path in (folder / 'install.d').glob('heat_*.py'):
                shutil.copy(path, self.program.parent)
        self.metadata = self.root / 'last_metadata'
        self.sandbox.env['HEAT_CFN_INIT_LAST_METADATA_DIR'] = str(self.root)
        self.path = self.root / 'folder/file'

    def init(self, sections, *args, **options):
        self.metadata.write_text(json.dumps({SECTION: sections}))
        return self.run_script(self.program, *args, **options)

    def apply(self, **parts):
        """Apply one config, which must succeed."""
        done = self.init({'config': parts})
        self.assertEqual((0, ''), (done.status, done.stderr))
        return done.stdout

    def assert_fails(self, expected, status=65, **parts):
        done = self.init({'config': parts})
        self.assertEqual(status, done.status, done.stderr)
        self.assertIn(expected, done.stderr)
        self.assertNotIn('Traceback', done.stderr)

    def commands(self, *tools):
        return [[call.tool, *call.argv] for call in self.calls() if not tools or call.tool in tools]


class PackagesTest(CfnInitTestCase):
    def test_apt(self):
        self.fake('apt-get')
        self.apply(packages={'apt': {'nginx': [], 'redis': '7.0', 'vim': ['9.2', '10.1', '9.10']}})
        self.assertEqual(
            [['apt-get', '--yes', 'install', 'nginx', 'redis=7.0', 'vim=10.1']], self.commands()
        )
        self.assertEqual('noninteractive', self.calls()[0].env['DEBIAN_FRONTEND'])

    def test_apts_lists_are_brought_up_to_date_when_it_fails(self):
        self.fake('apt-get', {'status': 100}, {}, {})
        self.apply(packages={'apt': {'nginx': []}})
        install = ['apt-get', '--yes', 'install', 'nginx']
        self.assertEqual([install, ['apt-get', 'update'], install], self.commands())

    def test_yum_is_dnf_where_that_is(self):
        self.fake('dnf')
        self.fake('yum')
        self.apply(packages={'yum': {'nginx': [], 'redis': ['7.0']}})
        self.assertEqual(
            [['dnf', '-y', '--setopt=exit_on_lock=True', 'install', 'nginx', 'redis-7.0']],
            self.commands(),
        )

    def test_yum_is_zypper_where_nothing_else_is(self):
        self.fake('zypper')
        self.apply(packages={'yum': {'nginx': [], 'redis': ['7.0']}})
        self.assertEqual(
            [['zypper', '--non-interactive', 'install', 'nginx', 'redis=7.0']], self.commands()
        )

    def test_what_others_build_upon_is_installed_first(self):
        for tool in ('rpm', 'dnf', 'gem'):
            self.fake(tool)
        self.apply(
            packages={
                'rubygems': {'chef': ['10.2']},
                'yum': {'ruby': []},
                'rpm': {'epel': 'https://example.org/epel.rpm'},
            }
        )
        self.assertEqual(
            [
                ['rpm', '--upgrade', '--replacepkgs', 'https://example.org/epel.rpm'],
                ['dnf', '-y', '--setopt=exit_on_lock=True', 'install', 'ruby'],
                ['gem', 'install', '--no-document', '--version', '10.2', 'chef'],
            ],
            self.commands(),
        )

    def test_python(self):
        (self.root / 'pip.py').write_text('import sys; print(sys.argv[1:])')
        self.sandbox.env['PYTHONPATH'] = str(self.root)
        self.assertIn(
            "['install', 'bottle', 'flask==3.0']",
            self.apply(packages={'python': {'flask': ['3.0'], 'bottle': []}}),
        )

    def test_it_waits_while_another_program_holds_the_lock(self):
        held = 'E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 1\n'
        for tool, manager, status, stderr in (
            ('apt-get', 'apt', 100, held),
            ('zypper', 'zypper', 7, 'System management is locked by the application\n'),
            ('dnf', 'dnf', 200, ''),
        ):
            self.fake(tool, {'status': status, 'stderr': stderr}, {})
            done = self.init({'config': {'packages': {manager: {'hello': []}}}})
            self.assertEqual(0, done.status, done.stderr)
            self.assertEqual(2, len(self.calls(tool)))
            self.assertIn(f'another program holds the lock of {tool}', done.stdout)

    def test_it_does_not_wait_for_ever(self):
        self.sandbox.env['HEAT_CFN_INIT_LOCK_TIMEOUT'] = '0'
        self.fake('apt-get', {'status': 100, 'stderr': 'E: Could not get lock /x\n'})
        self.assert_fails('ended with status 100', 100, packages={'apt': {'hello': []}})
        self.assertEqual(1, len(self.calls()))

    def test_a_package_that_cannot_be_installed_is_a_failure(self):
        self.fake('dnf', {'status': 1, 'stderr': 'no such package'})
        self.assert_fails(
            'exit_on_lock=True install nginx: ended with status 1',
            1,
            packages={'dnf': {'nginx': []}},
        )

    def test_a_missing_package_manager_is_a_failure(self):
        self.assert_fails('apt-get: command not found', 127, packages={'apt': {'nginx': []}})

    def test_an_unknown_package_manager_is_a_failure(self):
        self.assert_fails('packages: msi is not known', packages={'msi': {'x': 'y'}})
        self.assert_fails(
            'packages: apt must be a map from names to versions, not a list',
            packages={'apt': ['nginx']},
        )


class AccountsTest(CfnInitTestCase):
    def test_groups_come_before_users(self):
        self.fake('groupadd')
        self.fake('useradd')
        self.apply(
            groups={'heat-a': {}, 'heat-b': {'gid': '145'}, 'heat-c': None},
            users={
                'heat-u': {'uid': 50, 'groups': ['heat-a', 'heat-b'], 'homeDir': '/tmp'},
                'heat-v': None,
            },
        )
        self.assertEqual(
            [
                ['groupadd', 'heat-a'],
                ['groupadd', '--gid', '145', 'heat-b'],
                ['groupadd', 'heat-c'],
                [
                    'useradd',
                    '--shell',
                    '/sbin/nologin',
                    '--uid',
                    '50',
                    '--groups',
                    'heat-a,heat-b',
                    '--home-dir',
                    '/tmp',
                    'heat-u',
                ],
                ['useradd', '--shell', '/sbin/nologin', 'heat-v'],
            ],
            self.commands(),
        )

    def test_those_that_are_there_stay_as_they_are(self):
        self.apply(groups={'root': {'gid': '5'}}, users={'root': {'uid': '5'}})


class SourcesTest(CfnInitTestCase):
    def tar(self):
        path = self.root / 'a.tar.gz'
        with tarfile.open(path, 'w:gz') as archive:
            member = tarfile.TarInfo('bin/run')
            member.size, member.mode = 2, 0o755
            archive.addfile(member, io.BytesIO(b'hi'))
        return path

    def zip(self):
        path = self.root / 'a.zip'
        with zipfile.ZipFile(path, 'w') as archive:
            member = zipfile.ZipInfo('bin/run')
            member.external_attr = 0o100755 << 16
            archive.writestr(member, 'hi')
        return path

    def test_archives_are_unpacked_with_their_modes(self):
        for archive in (self.tar(), self.zip()):
            folder = self.root / f'from-{archive.name}'
            self.apply(sources={str(folder): archive.as_uri()})
            self.assertEqual('hi', (folder / 'bin/run').read_text())
            self.assertEqual(0o755, (folder / 'bin/run').stat().st_mode & 0o777)

    def test_what_is_no_archive_is_a_failure(self):
        path = self.root / 'a.tar'
        path.write_text('hello')
        self.assert_fails('cannot be unpacked', 1, sources={str(self.root / 'x'): path.as_uri()})

    def test_what_cannot_be_downloaded_is_a_failure(self):
        self.assert_fails(
            'cannot be downloaded',
            1,
            sources={str(self.root / 'x'): (self.root / 'nothing').as_uri()},
        )
        self.assert_fails('cannot be downloaded', 1, sources={str(self.root / 'x'): 'no url'})


class FilesTest(CfnInitTestCase):
    def apply_file(self, **wanted):
        return self.apply(files={str(self.path): wanted})

    def assert_file_fails(self, expected, status=65, **wanted):
        self.assert_fails(expected, status, files={str(self.path): wanted})

    def mode(self):
        return self.path.stat().st_mode & 0o7777

    def test_content_and_mode(self):
        self.apply_file(content='\u00fc\n', mode='000640')
        self.assertEqual('\u00fc\n', self.path.read_text(encoding='utf-8'))
        self.assertEqual(0o640, self.mode())

    def test_without_a_mode_everyone_may_read_it_or_the_mode_stays(self):
        self.apply_file(content='a')
        self.assertEqual(0o644, self.mode())
        self.path.chmod(0o600)
        self.apply_file(content='b')
        self.assertEqual(0o600, self.mode())

    def test_a_map_becomes_json(self):
        self.apply_file(content={'a': [1, None]})
        self.assertEqual({'a': [1, None]}, json.loads(self.path.read_text()))

    def test_null_becomes_an_empty_file(self):
        self.apply_file(content=None)
        self.assertEqual('', self.path.read_text())

    def test_base64(self):
        self.apply_file(content=base64.b64encode(b'\0\xff').decode(), encoding='base64')
        self.assertEqual(b'\0\xff', self.path.read_bytes())

    def test_a_source_is_downloaded(self):
        (self.root / 'source').write_text('from afar')
        self.apply_file(source=(self.root / 'source').as_uri())
        self.assertEqual('from afar', self.path.read_text())

    def test_owner_and_group_by_name_or_number(self):
        if os.geteuid():
            self.skipTest('only root can give files away')
        user, group = pwd.getpwall()[-1], grp.getgrall()[-1]
        self.apply_file(content='', owner=user.pw_name, group=str(group.gr_gid))
        found = self.path.stat()
        self.assertEqual((user.pw_uid, group.gr_gid), (found.st_uid, found.st_gid))

    def test_a_symbolic_link(self):
        for target in ('/nowhere', '/elsewhere'):
            self.apply_file(content=target, mode='120644')
            self.assertEqual(target, os.readlink(self.path))

    def test_a_file_behind_a_symbolic_link_is_written(self):
        self.path.parent.mkdir()
        self.path.symlink_to(self.root / 'real')
        self.apply_file(content='x')
        self.assertTrue(self.path.is_symlink())
        self.assertEqual('x', (self.root / 'real').read_text())

    def test_mistakes_are_told(self):
        self.assert_file_fails('must be a map with content or source')
        self.assert_file_fails('mode must be a string of octal digits', content='', mode=420)
        self.assert_file_fails('mode must be a string of octal digits', content='', mode='rw')
        self.assert_file_fails('context is not supported', content='', context={'a': 'b'})
        self.assert_file_fails('encoding must be plain or base64', content='', encoding='rot13')
        self.assert_file_fails('content is not base64', content='a', encoding='base64')
        self.assert_file_fails(
            'no user or group nobody-has-this-name', 1, content='', owner='nobody-has-this-name'
        )
        self.assert_fails('must be a map with content', files={str(self.path): 'text'})
        self.assert_fails('files must be a map', files=['text'])


class KeysTest(CfnInitTestCase):
    def test_keys_without_effect_are_told(self):
        for part, wanted, key in (
            ('files', {str(self.path): {'content': 'x', 'owmer': 'a'}}, 'owmer'),
            ('commands', {'a': {'command': 'true', 'ignoreError': True}}, 'ignoreError'),
            ('services', {'systemd': {'x': {'enable': True}}}, 'enable'),
        ):
            done = self.init({'config': {part: wanted}})
            self.assertEqual(0, done.status, done.stderr)
            self.assertIn(f'{key} is unknown and has no effect; known are', done.stderr)


class CommandsTest(CfnInitTestCase):
    def test_they_are_run_in_the_order_of_their_names(self):
        out = self.apply(commands={'2_b': {'command': 'echo b'}, '1_a': {'command': 'echo a'}})
        self.assertEqual(['commands: 1_a', 'a', 'commands: 2_b', 'b'], out.splitlines())

    def test_text_is_for_the_shell_and_a_list_is_not(self):
        self.fake('tool')
        self.apply(commands={'a': {'command': 'x=1; tool $x'}, 'b': {'command': ['tool', '$x', 1]}})
        self.assertEqual([['tool', '1'], ['tool', '$x', '1']], self.commands())

    def test_env_and_cwd(self):
        self.fake('tool')
        self.apply(commands={'a': {'command': 'tool', 'cwd': '/', 'env': {'A': 'b', 'N': 1}}})
        (call,) = self.calls()
        self.assertEqual(('/', 'b', '1'), (call.cwd, call.env['A'], call.env['N']))

    def test_a_test_that_fails_means_that_a_command_is_not_needed(self):
        out = self.apply(
            commands={
                'a': {'command': 'echo ran', 'test': 'false'},
                'b': {'command': 'echo ran', 'test': ['sh', '-c', 'exit 0']},
            }
        )
        self.assertEqual(1, out.splitlines().count('ran'))

    def test_a_failure_ends_it_all_with_its_status(self):
        done = self.init(
            {'config': {'commands': {'a': {'command': 'exit 7'}, 'b': {'command': 'echo ran'}}}}
        )
        self.assertEqual(7, done.status)
        self.assertEqual('cfn-init: commands: a: ended with status 7.\n', done.stderr)
        self.assertNotIn('ran', done.stdout)

    def test_a_failure_can_be_ignored(self):
        for value in (True, 'true'):
            self.apply(commands={'a': {'command': 'exit 7', 'ignoreErrors': value}})
        self.assert_fails(
            'ended with status 7', 7, commands={'a': {'command': 'exit 7', 'ignoreErrors': 'false'}}
        )

    def test_mistakes_are_told(self):
        self.assert_fails('must be a map with a command', commands={'a': {}})
        self.assert_fails('must be a map with a command', commands={'a': 'ls'})
        self.assert_fails(
            'There is no folder /nowhere', 1, commands={'a': {'command': 'echo', 'cwd': '/nowhere'}}
        )
        self.assert_fails(
            'no-such-tool: command not found', 127, commands={'a': {'command': ['no-such-tool']}}
        )


class ServicesTest(CfnInitTestCase):
    def setUp(self):
        super().setUp()
        self.fake('systemctl')

    def test_they_are_enabled_and_started_or_the_contrary(self):
        self.apply(
            services={
                'systemd': {'nginx': {'enabled': 'true', 'ensureRunning': True}},
                'sysvinit': {'sendmail': {'enabled': 'false', 'ensureRunning': 'false'}, 'x': None},
            }
        )
        self.assertEqual(
            [
                ['systemctl', 'enable', 'nginx'],
                ['systemctl', 'start', 'nginx'],
                ['systemctl', 'disable', 'sendmail'],
                ['systemctl', 'stop', 'sendmail'],
            ],
            self.commands(),
        )

    def test_what_changed_restarts_them(self):
        self.fake('apt-get')
        path = str(self.path)
        services = {
            'systemd': {
                'by-command': {'ensureRunning': True, 'commands': ['a']},
                'by-file': {'ensureRunning': True, 'files': [path]},
                'by-package': {'ensureRunning': True, 'packages': {'apt': ['nginx']}},
                'by-nothing': {
                    'ensureRunning': True,
                    'files': ['/other'],
                    'sources': ['/x'],
                    'packages': {'yum': ['nginx']},
                    'commands': ['b'],
                },
            }
        }
        self.apply(
            packages={'apt': {'nginx': []}},
            files={path: {'content': 'x'}},
            commands={'a': {'command': 'echo'}},
            services=services,
        )
        self.assertEqual(
            [
                ['systemctl', 'restart', 'by-command'],
                ['systemctl', 'restart', 'by-file'],
                ['systemctl', 'start', 'by-nothing'],
                ['systemctl', 'restart', 'by-package'],
            ],
            self.commands('systemctl'),
        )

    def test_a_file_that_stays_as_it_was_restarts_nothing(self):
        for _ in range(2):
            self.apply(
                files={str(self.path): {'content': 'x'}},
                services={'systemd': {'nginx': {'ensureRunning': True, 'files': [str(self.path)]}}},
            )
        self.assertEqual(['restart', 'start'], [argv[1] for argv in self.commands('systemctl')])

    def test_one_that_does_not_start_is_a_failure(self):
        self.fake('systemctl', {'status': 5})
        self.assert_fails(
            'systemctl start nginx: ended with status 5',
            5,
            services={'systemd': {'nginx': {'ensureRunning': True}}},
        )

    def test_an_unknown_manager_is_a_failure(self):
        self.assert_fails('windows is not known', services={'windows': {}})


class ConfigSetsTest(CfnInitTestCase):
    SECTIONS = {
        'configSets': {
            'default': ['one', {'ConfigSet': 'more'}],
            'more': ['two'],
            'self': [{'ConfigSet': 'self'}],
            'single': 'two',
            'wrong': ['three'],
        },
        'one': {'commands': {'a': {'command': 'echo 1'}}},
        'two': {'commands': {'a': {'command': 'echo 2'}}},
    }

    def outputs(self, *args):
        done = self.init(self.SECTIONS, *args)
        self.assertEqual('', done.stderr)
        return done.stdout.replace('commands: a\n', '').split()

    def test_the_default_set_is_applied(self):
        self.assertEqual(['1', '2'], self.outputs())

    def test_others_can_be_asked_for(self):
        self.assertEqual(['2', '2'], self.outputs('--configsets', 'more,single'))

    def test_mistakes_are_told(self):
        for name, expected in (
            ('none', 'There is no config set none'),
            ('self', 'The config set self contains itself'),
            ('wrong', 'There is no config three, but: one, two'),
        ):
            done = self.init(self.SECTIONS, '-c', name)
            self.assertEqual(65, done.status)
            self.assertIn(expected, done.stderr)


class MetadataTest(CfnInitTestCase):
    def test_help_and_version_need_nothing(self):
        for option, said in (('--help', 'usage: '), ('--version', 'cfn-init of heat-config')):
            done = self.run_program(
                [ELEMENT / 'bin/cfn-init', option],
                env={'HEAT_CONFIG_LIBRARY': str(self.program.parent)},
            )
            self.assertEqual((0, ''), (done.status, done.stderr))
            self.assertIn(said, done.stdout)

    def test_nothing_to_do_is_a_success(self):
        self.assertEqual((0, 'There is nothing to do.\n', ''), self.init({}))

    def test_a_config_that_is_not_there_is_a_failure(self):
        done = self.init({'foo': 'bar'})
        self.assertEqual(
            (65, 'cfn-init: There is no config config, but: foo.\n'), (done.status, done.stderr)
        )

    def test_unknown_parts_are_a_failure(self):
        self.assert_fails('config has unknown parts: fils', fils={})

    def test_no_metadata_is_a_failure(self):
        for text in (None, '', '[]', '{"half'):
            if text is not None:
                self.metadata.write_text(text)
            done = self.run_script(self.program)
            self.assertEqual(65, done.status)
            self.assertIn(str(self.metadata), done.stderr)
            self.assertNotIn('Traceback', done.stderr)


class PythonTest(CfnInitTestCase):
    scenarios = interpreters.scenarios()

    def test_it_runs_on_every_python(self):
        archive = SourcesTest.tar(self)
        done = self.init(
            {
                'config': {
                    'sources': {str(self.root / 'unpacked'): archive.as_uri()},
                    'files': {str(self.path): {'content': 'x', 'mode': '000600'}},
                    'commands': {'a': {'command': 'echo done'}},
                }
            },
            python=self.python,
        )
        self.assertEqual((0, ''), (done.status, done.stderr))
        self.assertEqual('x', self.path.read_text())
        self.assertTrue((self.root / 'unpacked/bin/run').exists())
