# SPDX-License-Identifier: Apache-2.0
"""What ./try-template.sh --check finds in templates; Heat's own code reads them."""

import json
import os
import pathlib
import subprocess
import sys
from typing import Any

from tests import base

EXAMPLES = sorted((base.ROOT / 'example-templates').glob('*.yaml'))
HEAD = """\
heat_template_version: 2018-08-31
parameters:
  image: {type: string}
resources:
  server:
    type: OS::Nova::Server
    properties:
      image: {get_param: image}
      flavor: m1.small
      networks: [{network: private}]
      user_data_format: SOFTWARE_CONFIG
"""
CONFIG = """\
  config:
    type: OS::Heat::SoftwareConfig
    properties: {config}
  deployment:
    type: OS::Heat::SoftwareDeployment
    properties: {deployment}
"""
LARGE = 'x' * 131072
SCRIPT = '#!/bin/sh\necho hello\n'
BOOT = """\
  agent:
    type: Heat::InstallConfigAgent
  other:
    type: OS::Nova::Server
    properties:
      image: debian
      flavor: m1.small
      networks: [{network: private}]
      user_data_format: SOFTWARE_CONFIG
      user_data: {get_attr: [agent, config]}
"""


def deployed(
    group: str = 'script', content: Any = SCRIPT, more: 'dict[str, Any] | None' = None, **how: Any
) -> str:
    """A template with a config and its deployment.

    :param more: properties of the config
    :param how: properties of the deployment
    """
    config = {'group': group, 'config': content, **(more or {})}
    deployment = {
        'config': {'get_resource': 'config'},
        'server': {'get_resource': 'server'},
        **how,
    }
    return HEAD + CONFIG.format(config=json.dumps(config), deployment=json.dumps(deployment))


def with_server(**properties: Any) -> str:
    values = {'image': 'debian', 'flavor': 'm1.small', 'networks': [{'network': 'private'}]}
    values.update(properties)
    given = json.dumps({name: value for name, value in values.items() if value is not None})
    return HEAD + f'  other:\n    type: OS::Nova::Server\n    properties: {given}\n'


class CheckTestCase(base.TestCase):
    guard_processes = False

    def check(self, *arguments: str) -> 'tuple[int, list[dict[str, Any]]]':
        """Return the exit status and the findings."""
        done = subprocess.run(
            [sys.executable, '-m', 'localheat', '--check', '--format', 'json', *arguments],
            cwd=base.ROOT,
            capture_output=True,
            text=True,
        )
        self.assertNotIn('Traceback', done.stderr)
        self.assertTrue(done.stdout, done.stderr)
        return done.returncode, json.loads(done.stdout)

    def check_text(self, text: str, *arguments: str) -> 'tuple[int, list[dict[str, Any]]]':
        path = pathlib.Path(self.root) / 'template.yaml'
        path.write_text(text)
        return self.check(str(path), *arguments)


class ExamplesTest(CheckTestCase):
    def test_nothing_is_wrong_with_the_examples(self) -> None:
        status, findings = self.check(
            *map(str, EXAMPLES), '-e', str(base.ROOT / 'boot-config/debian_pip_env.yaml')
        )
        self.assertEqual((0, []), (status, findings))

    def test_the_integration_tests_own_templates_have_no_error(self) -> None:
        # Some of them are for what goes wrong on a server, which no template shows.
        templates = sorted(pathlib.Path(__file__).with_name('templates').glob('*.yaml'))
        status, findings = self.check(
            *map(str, templates), '-e', str(base.ROOT / 'boot-config/debian_pip_env.yaml')
        )
        self.assertEqual([], [item for item in findings if item['level'] == 'error'])
        self.assertEqual(0, status)


class MistakesTest(CheckTestCase):
    """Each mistake is found in a template that has no other."""

    MISTAKES = (
        ('group without hook', deployed('scirpt'), 'error', 'config', 'Did you mean script?'),
        (
            'group without hook, like no other',
            deployed('cobol'),
            'error',
            'config',
            'There is no hook for the group cobol.',
        ),
        (
            'unknown option',
            deployed(more={'options': {'timeuot': 5}}),
            'warning',
            'config',
            'Did you mean timeout?',
        ),
        (
            'option of another type',
            deployed(more={'options': {'timeout': 'soon'}}),
            'error',
            'config',
            'The option timeout must be a number',
        ),
        (
            'no interpreter',
            deployed(content='echo hello'),
            'warning',
            'config',
            'The script does not begin with #!',
        ),
        (
            'a blank before the interpreter',
            deployed(content='\n#!/bin/sh\necho'),
            'warning',
            'config',
            'its first line, in its first column.',
        ),
        (
            'input that is no variable',
            deployed(more={'inputs': [{'name': 'my-input'}]}),
            'warning',
            'config',
            "Call it 'my_input'.",
        ),
        (
            'undeclared input that is no variable',
            deployed(input_values={'1st': 'x'}),
            'warning',
            'deployment',
            "The input '1st' cannot be a shell's variable",
        ),
        (
            'input of another name',
            deployed(more={'inputs': [{'name': 'greeting'}]}, input_values={'greting': 'x'}),
            'warning',
            'deployment',
            'Did you mean greeting?',
        ),
        (
            'large input',
            deployed(more={'inputs': [{'name': 'large'}]}, input_values={'large': LARGE}),
            'error',
            'deployment',
            'a variable can have 131,072.',
        ),
        *(
            (
                f'output of {group} that nothing writes',
                deployed(group, content, {'outputs': [{'name': 'result'}]}),
                'warning',
                'config',
                'The output result is declared, and nothing writes it',
            )
            for group, content in (
                ('script', SCRIPT + 'echo x > $heat_outputs_path.reslut\n'),
                ('puppet', 'file {"/tmp/x": content => "x"}'),
                ('ansible', '- hosts: all\n  tasks: []\n'),
            )
        ),
        (
            'group that is never signalled',
            deployed('os-apply-config', '{}'),
            'error',
            'deployment',
            'Set signal_transport: NO_SIGNAL.',
        ),
        (
            'waiting for what is not signalled',
            deployed(signal_transport='NO_SIGNAL')
            + '  later: {type: OS::Heat::TestResource, depends_on: deployment}\n',
            'warning',
            'later',
            'It waits for deployment',
        ),
        (
            'long timeout',
            deployed(more={'options': {'timeout': 3600}}),
            'warning',
            'deployment',
            'Set signal_transport: HEAT_SIGNAL.',
        ),
        (
            'too much user data',
            with_server(user_data='x' * 50000),
            'error',
            'other',
            'and Nova takes 65,535.',
        ),
        (
            'nearly too much user data',
            with_server(user_data='x' * 45000, user_data_format='RAW'),
            'warning',
            'other',
            'Its user data take 60,000 bytes',
        ),
        (
            'user data that are not ASCII',
            with_server(user_data='#!/bin/sh\necho \u00fc\n', user_data_format='RAW'),
            'warning',
            'other',
            'which is not ASCII',
        ),
        (
            'a part of user data that is not ASCII',
            with_server(user_data={'get_resource': 'parts'}, user_data_format='SOFTWARE_CONFIG')
            + """\
  parts:
    type: OS::Heat::MultipartMime
    properties: {parts: [{config: {get_resource: part}}]}
  part:
    type: OS::Heat::SoftwareConfig
    properties: {config: "#!/bin/sh\\necho \u00fc"}
""",
            'error',
            'part',
            'gets base64 text in their place',
        ),
        (
            'server without networks',
            with_server(networks=None),
            'warning',
            'other',
            'It names no networks',
        ),
        (
            'file that is not there',
            deployed(content={'get_file': 'no-such-script.sh'}, group='json-file'),
            'error',
            '',
            'no-such-script.sh, which there is not.',
        ),
        (
            'unknown property',
            with_server(colour='red'),
            'error',
            'other',
            'Unknown Property colour.',
        ),
        (
            'unknown type',
            HEAD + '  other: {type: OS::Nova::Sever}\n',
            'error',
            '',
            'Did you mean OS::Nova::Server?',
        ),
        (
            'unknown parameter',
            with_server(image={'get_param': 'imgae'}),
            'error',
            'other',
            'imgae',
        ),
        (
            'unknown resource in an output',
            HEAD + 'outputs: {x: {value: {get_attr: [sever, name]}}}\n',
            'error',
            '',
            'sever',
        ),
        (
            'no user data for the agent',
            with_server()
            + """\
  config: {type: OS::Heat::SoftwareConfig, properties: {group: script, config: "#!/bin/sh"}}
  deployment:
    type: OS::Heat::SoftwareDeployment
    properties: {config: {get_resource: config}, server: {get_resource: other}}
""",
            'error',
            'deployment',
            'should be set to SOFTWARE_CONFIG',
        ),
        (
            'in a member of a group',
            HEAD
            + """\
  group:
    type: OS::Heat::ResourceGroup
    properties:
      count: 3
      resource_def:
        type: OS::Nova::Server
        properties: {image: debian, flavor: m1.small}
""",
            'warning',
            'group',
            'It names no networks',
        ),
    )

    def test_each_is_told_with_its_place_and_what_to_do(self) -> None:
        paths = {}
        for name, text, *_ in self.MISTAKES:
            paths[name] = pathlib.Path(self.root) / (name.replace(' ', '-') + '.yaml')
            paths[name].write_text(text)
        # all at once, for Heat takes seconds to load
        status, findings = self.check(*map(str, paths.values()))
        self.assertEqual(1, status)
        for name, _, level, resource, says in self.MISTAKES:
            found = [item for item in findings if item['file'] == str(paths[name])]
            self.assertEqual(
                [(level, resource)],
                [(item['level'], item['resource']) for item in found],
                (name, found),
            )
            self.assertIn(says, '{wrong} {remedy}'.format(**found[0]), name)

    def test_warnings_alone_are_no_failure(self) -> None:
        status, findings = self.check_text(deployed(content='echo hello'))
        self.assertEqual((0, ['warning']), (status, [item['level'] for item in findings]))


class ImageTest(CheckTestCase):
    """What the image lacks."""

    def test_a_hook_that_the_image_is_not_built_with_is_missed(self) -> None:
        template = deployed('puppet', 'notice("x")')
        self.assertEqual((0, []), self.check_text(template, '--hook', 'puppet'))
        status, findings = self.check_text(template, '--hook', 'ansible')
        self.assertEqual(1, status)
        self.assertEqual('Build it with --hook puppet.', findings[0]['remedy'])

    def test_a_hook_that_is_not_installed_at_boot_is_missed(self) -> None:
        template = deployed('puppet', 'notice("x")', server={'get_resource': 'other'}) + BOOT
        status, findings = self.check_text(
            template, '-e', str(base.ROOT / 'boot-config/debian_pip_env.yaml')
        )
        self.assertEqual(1, status)
        self.assertEqual('Add puppet to the property hooks of agent.', findings[0]['remedy'])


class TextTest(CheckTestCase):
    def test_people_read_a_line_for_each_finding_and_a_count(self) -> None:
        path = pathlib.Path(self.root) / 'template.yaml'
        path.write_text(deployed('scirpt'))
        done = subprocess.run(
            [base.ROOT / 'try-template.sh', '--check', path],
            capture_output=True,
            text=True,
            env=self.environment(),
        )
        self.assertEqual(1, done.returncode, done.stderr)
        self.assertEqual(
            f'{path}: config: error: There is no hook for the group scirpt. Did you mean script?\n'
            '1 error, 0 warnings\n',
            done.stdout,
        )

    def environment(self) -> 'dict[str, str]':
        """Have the command use this interpreter's environment."""
        return dict(os.environ, LOCALHEAT_VENV=sys.prefix)

    def test_what_is_no_template_is_told_and_the_others_are_checked(self) -> None:
        bad = pathlib.Path(self.root) / 'bad.yaml'
        bad.write_text('resources: [')
        good = pathlib.Path(self.root) / 'good.yaml'
        good.write_text(deployed(content='echo'))
        status, findings = self.check(str(bad), str(good))
        self.assertEqual(1, status)
        self.assertEqual([str(bad), str(good)], [item['file'] for item in findings])
