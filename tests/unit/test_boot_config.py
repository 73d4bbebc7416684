# SPDX-License-Identifier: Apache-2.0
"""What boot-config's environments have in common, and container-agent.sh."""

import os
import pathlib
import subprocess
import tarfile
from typing import Any
from unittest import mock

import yaml

from tests import base
from tests.boot_config import BOOT_CONFIG, TEMPLATES, cloud, module

CONTAINER = TEMPLATES / 'lib' / 'container-agent.sh'
ENVIRONMENTS = sorted(BOOT_CONFIG.glob('*_env.yaml'))


class ContainerAgentTest(base.TestCase):
    """container-agent.sh: how it drives podman or docker."""

    NOT_THERE = {'status': 1}
    ASKED = ['container inspect', 'image inspect']
    MADE = ['image inspect', 'rm', 'create', 'rename']

    def setUp(self) -> None:
        super().setUp()
        self.announce('bash', 'cat', 'grep', 'head', 'mktemp', 'rm', 'tar')
        for tool in ('chmod', 'mkdir', 'mv', 'sleep'):
            self.fake(tool)

    def prepare(self, *answers: 'dict[str, Any]', runtime: str = 'podman', **env: str) -> Any:
        """Make the container.

        :param answers: of the runtime, in order.
        """
        self.fake(runtime, *answers)
        return self.run_program(['bash', CONTAINER, 'prepare'], env=env)

    def done(self, runtime: str = 'podman') -> 'list[str]':
        """What the runtime was told to do, without the arguments."""
        return [
            ' '.join(call.argv[: 2 if call.argv[0] in ('container', 'image') else 1])
            for call in self.calls(runtime)
        ]

    def archive(self, name: str) -> str:
        """A tar file with one file in it."""
        (self.root / name).write_text('')
        path = self.root / 'image.tar'
        with tarfile.open(path, 'w') as archive:
            archive.add(self.root / name, name)
        return str(path)

    def test_an_image_without_a_source_is_pulled(self) -> None:
        done = self.prepare(self.NOT_THERE, self.NOT_THERE, {}, AGENT_IMAGE='registry/agent:1')
        self.assertEqual(0, done.status, done.stderr)
        self.assertEqual([*self.ASKED, 'pull', *self.MADE], self.done())
        self.assertEqual(['pull', 'registry/agent:1'], self.calls('podman')[2].argv)
        create = self.calls('podman')[-2].argv
        self.assertIn('registry/agent:1', create)
        self.assertIn('/var/lib/heat-config/deployed:/var/lib/heat-config/deployed', create)

    def test_a_pull_is_tried_again(self) -> None:
        done = self.prepare(*[self.NOT_THERE] * 4, {})
        self.assertEqual(0, done.status, done.stderr)
        self.assertEqual(['5', '10'], [call.argv[0] for call in self.calls('sleep')])
        self.assertEqual('rename', self.done()[-1])

    def test_a_pull_that_fails_to_the_end_ends_it(self) -> None:
        done = self.prepare(self.NOT_THERE)
        self.assertEqual(1, done.status)
        self.assertEqual(['pull'] * 4, self.done()[2:])

    def test_an_archive_of_an_image_is_loaded(self) -> None:
        source = self.archive('manifest.json')
        done = self.prepare(self.NOT_THERE, self.NOT_THERE, {}, AGENT_IMAGE_SOURCE=source)
        self.assertEqual(0, done.status, done.stderr)
        self.assertEqual([*self.ASKED, 'load', 'image inspect', *self.MADE], self.done())

    def test_a_root_file_system_is_imported(self) -> None:
        source = self.archive('vmlinuz')
        done = self.prepare(self.NOT_THERE, self.NOT_THERE, {}, AGENT_IMAGE_SOURCE=source)
        self.assertEqual(0, done.status, done.stderr)
        self.assertEqual(
            ['import', source, 'localhost/heat-container-agent'], self.calls('podman')[2].argv
        )

    def test_what_was_downloaded_is_removed_also_without_curl(self) -> None:
        source = pathlib.Path(self.archive('vmlinuz'))
        with cloud({('GET', '/image.tar'): (200, source.read_text())}) as web:
            done = self.prepare(
                self.NOT_THERE, self.NOT_THERE, {}, AGENT_IMAGE_SOURCE=web.url + '/image.tar'
            )
        self.assertEqual((0, ''), (done.status, done.stderr))
        file = self.calls('podman')[2].argv[1]
        self.assertEqual('image.tar', os.path.basename(file))
        self.assertFalse(os.path.exists(os.path.dirname(file)))

    def test_a_container_that_is_there_is_kept(self) -> None:
        known = {'stdout': 'sha256:1\n'}
        self.assertEqual(0, self.prepare(known, known).status)
        self.assertEqual(0, self.prepare({}, {}, known, self.NOT_THERE).status)
        self.assertEqual(self.ASKED * 2, self.done())

    def test_a_container_of_another_image_is_replaced_and_what_it_alone_knew_is_kept(self) -> None:
        done = self.prepare({'stdout': '1\n'}, {'stdout': '2\n'}, {'stdout': 'tini '}, {})
        self.assertEqual(0, done.status, done.stderr)
        self.assertEqual(
            [*self.ASKED, 'image inspect', 'rm', 'create', 'cp', 'rm', 'rename'], self.done()
        )
        copied, removed, renamed = (call.argv for call in self.calls('podman')[-3:])
        self.assertEqual('heat-container-agent:/etc/os-collect-config.conf', copied[1])
        self.assertEqual(['rm', '--force', 'heat-container-agent'], removed)
        self.assertEqual(['rename', 'heat-container-agent.new', 'heat-container-agent'], renamed)

    def test_an_image_with_an_entry_point_runs_that(self) -> None:
        done = self.prepare(self.NOT_THERE, {'stdout': '2\n'}, {'stdout': 'tini -- '}, {})
        self.assertEqual(0, done.status, done.stderr)
        create = self.calls('podman')[-2].argv
        self.assertEqual('localhost/heat-container-agent', create[-1])
        self.assertIn('/var/lib/heat-config:/var/lib/heat-config', create)

    def test_a_container_that_was_not_completed_is_made_anew(self) -> None:
        # Killed between create and cp it would never get its configuration.
        self.prepare(self.NOT_THERE, {'stdout': '2\n'}, AGENT_CONFIG='/a/file')
        calls = [call.argv for call in self.calls('podman')][3:]
        self.assertEqual(['rm', '--force', 'heat-container-agent.new'], calls[0])
        self.assertEqual(['create', '--name', 'heat-container-agent.new'], calls[1][:3])
        self.assertEqual(['cp', 'rename'], [argv[0] for argv in calls[2:]])

    def test_docker_does_where_there_is_no_podman(self) -> None:
        done = self.prepare(self.NOT_THERE, self.NOT_THERE, {}, runtime='docker')
        self.assertEqual(0, done.status, done.stderr)
        self.assertEqual([*self.ASKED, 'pull', *self.MADE], self.done('docker'))

    def test_podman_goes_before_docker(self) -> None:
        self.fake('docker')
        self.assertEqual(0, self.prepare({'stdout': '1'}).status)
        self.assertEqual([], self.done('docker'))

    def test_without_either_it_says_so(self) -> None:
        done = self.run_program(['bash', CONTAINER, 'prepare'])
        self.assertEqual(
            (1, 'container-agent: there is neither podman nor docker\n'), (done.status, done.stderr)
        )

    def test_the_container_gets_the_configuration(self) -> None:
        self.prepare(self.NOT_THERE, self.NOT_THERE, {}, AGENT_CONFIG='/a/file')
        self.assertEqual(
            ['cp', '/a/file', 'heat-container-agent.new:/etc/os-collect-config.conf'],
            self.calls('podman')[-2].argv,
        )

    def test_start_runs_it_in_the_foreground(self) -> None:
        self.fake('podman')
        self.run_program(['bash', CONTAINER, 'start'])
        self.assertEqual(
            [['start', '--attach', 'heat-container-agent']],
            [call.argv for call in self.calls('podman')],
        )


class FilesTest(base.TestCase):
    """The files of boot-config that commands write, and what all environments have in common."""

    def program(self, name: str) -> Any:
        self.announce('git')
        if name == 'list-elements' and not (base.ROOT / '.git').exists():
            self.skipTest('this is no git checkout')
        return module(BOOT_CONFIG / name)

    def test_the_list_of_the_elements_files_is_up_to_date(self) -> None:
        program = self.program('list-elements')
        if program.text() != program.TARGET.read_text():
            self.fail('run boot-config/list-elements, after "git add" of new files')

    def test_the_environments_of_distributions_are_up_to_date(self) -> None:
        texts = self.program('list-environments').texts()
        for path, text in texts.items():
            if text != path.read_text():
                self.fail(f'{path.name}: run boot-config/list-environments')
        written = {path for path in ENVIRONMENTS if 'list-environments' in path.read_text()}
        self.assertEqual(set(texts), written)

    def test_only_files_that_git_knows_are_listed_and_the_others_named(self) -> None:
        self.announce('git')
        program = module(BOOT_CONFIG / 'list-elements')
        element = self.root / 'elements' / 'heat-config-mine'
        (element / 'install.d').mkdir(parents=True)
        for name in ('hook-mine.py', '.hook-mine.py.swp', 'gone.py'):
            (element / 'install.d' / name).touch()
        for command in (['init', '-q'], ['add', 'elements/*/install.d/[hg]*']):
            subprocess.run(['git', *command], cwd=self.root, check=True)
        (element / 'install.d/gone.py').unlink()
        with (
            mock.patch.object(program, 'ELEMENTS', element.parent),
            mock.patch.object(program, 'TARGET', self.root / 'elements.yaml'),
            mock.patch.object(program, 'text', lambda: str(program.files('heat-config-mine'))),
            mock.patch('sys.argv', ['list-elements']),
            mock.patch('builtins.print') as said,
        ):
            program.main()
        place = 'install.d/hook-mine.py'
        self.assertEqual(
            str({place: 'heat-config-mine/' + place}), (self.root / 'elements.yaml').read_text()
        )
        ((line,),) = (call.args for call in said.call_args_list)
        self.assertIn('elements/heat-config-mine/install.d/.hook-mine.py.swp', line)

    def test_the_commands_say_what_they_are_and_refuse_what_they_do_not_know(self) -> None:
        for name in ('list-elements', 'list-environments'):
            for option, said in (('--help', 'usage: ' + name), ('--version', name + ' ')):
                done = self.run_program([BOOT_CONFIG / name, option])
                self.assertEqual((0, ''), (done.status, done.stderr))
                self.assertIn(said, done.stdout)
            self.assertEqual(2, self.run_program([BOOT_CONFIG / name, 'rubbish']).status)

    def test_each_environment_gives_the_name_to_a_template_that_is_there(self) -> None:
        for path in ENVIRONMENTS:
            registry = yaml.safe_load(path.read_text())['resource_registry']
            self.assertTrue((BOOT_CONFIG / registry['Heat::InstallConfigAgent']).is_file(), path)

    def test_a_template_can_be_used_with_each_environment(self) -> None:
        """For the templates that they name have the same parameters, and all have defaults."""
        templates = {
            yaml.safe_load(path.read_text())['resource_registry']['Heat::InstallConfigAgent']
            for path in ENVIRONMENTS
        }
        parameters = {
            name: yaml.safe_load((BOOT_CONFIG / name).read_text())['parameters']
            for name in templates
        }
        common = set(parameters['templates/install_config_agent.yaml']) - {'heat_agent_install'}
        for name, found in parameters.items():
            self.assertEqual(set(), common - set(found), name)
            for parameter, schema in found.items():
                self.assertIn('default', schema, f'{name}: {parameter}')
                self.assertIn('description', schema, f'{name}: {parameter}')

    def test_each_environment_is_in_the_readme(self) -> None:
        readme = (BOOT_CONFIG / 'README.rst').read_text()
        for path in ENVIRONMENTS:
            self.assertIn(f'``{path.name}``', readme)
