# SPDX-License-Identifier: Apache-2.0
"""heat_agent_boot.py: fetches from Heat what gives a server its agent."""

import json
import os
import shutil
from typing import Any
from unittest import mock

from tests import base, certificates, signal_server
from tests.boot_config import BOOT, REPORT, STEPS, cloud, keystone, module


class FirstBootTest(base.TestCase):
    """As cloud-init runs it, with what comes from Heat."""

    def setUp(self) -> None:
        super().setUp()
        self.program = self.root / 'boot' / BOOT.name
        self.program.parent.mkdir()
        shutil.copy(BOOT, self.program)
        self.at_boot = self.root / 'cloud/scripts/per-boot'
        self.at_boot.mkdir(parents=True)
        self.fake('systemd-run')
        self.fake('systemctl')

    def settings(self, **source: Any) -> None:
        (self.program.parent / 'settings.json').write_text(json.dumps({'source': source}))

    def files(self, *commands: 'list[str]', **files: Any) -> 'dict[str, Any]':
        """What Heat has for the server, for steps with these commands."""
        steps = [
            {'name': f'step {number}', 'command': command}
            for number, command in enumerate(commands, 1)
        ]
        programs = {path.name: path.read_text() for path in (STEPS, REPORT)}
        return {'files': {**programs, 'steps.json': {'steps': steps}, **files}}

    def boot(self, *commands: 'list[str]', **files: Any) -> Any:
        with cloud({('GET', '/metadata'): (200, self.files(*commands, **files))}) as heat:
            self.settings(cfn={'path': None}, request={'metadata_url': heat.url + '/metadata'})
            return self.run_script(self.program)

    def test_files_come_from_heat_before_the_first_step(self) -> None:
        done = self.boot(
            ['sh', '-c', 'read x < text; read y < map; echo $x $y'], text='a text', map={'a': 1}
        )
        self.assertEqual((0, ''), (done.status, done.stderr))
        self.assertIn('a text {"a": 1}\n', done.stdout)
        self.assertIn('heat-agent-boot: done\n', done.stdout)
        self.assertEqual(0o600, (self.program.parent / 'text').stat().st_mode & 0o777)

    def test_each_boot_begins_again_until_all_steps_succeed(self) -> None:
        at_boot = self.at_boot / 'heat-agent-boot'
        power_cut = ['sh', '-c', 'test -e again || { : > again; kill -9 $PPID; }']
        self.assertEqual(-9, self.boot(power_cut).status)
        with cloud({('GET', '/metadata'): (200, self.files(power_cut))}) as heat:
            self.settings(request={'metadata_url': heat.url + '/metadata'})
            done = self.run_program([at_boot])
        self.assertEqual((0, ''), (done.status, done.stderr))
        self.assertEqual([], os.listdir(self.at_boot))
        self.boot(['sh', '-c', 'exit 1'])
        self.assertEqual([at_boot.name], os.listdir(self.at_boot))

    def test_what_a_power_cut_has_left_of_a_file_is_replaced(self) -> None:
        for path in (STEPS, REPORT):
            (self.program.parent / path.name).write_text(path.read_text()[:1000])
        (self.program.parent / 'steps.json').write_text('{"steps"')
        self.assertEqual(0, self.boot(['sh', '-c', ':']).status)

    def test_when_heat_refuses_it_is_not_asked_again_while_cloud_init_waits(self) -> None:
        with cloud({('GET', '/metadata'): (403, '')}) as heat:
            self.settings(request={'metadata_url': heat.url + '/metadata?secret'})
            done = self.run_script(self.program)
            self.assertEqual(1, len(heat.requests))
        self.assertEqual(1, done.status)
        self.assertIn('not installed. read the agent from Heat: 127.0.0.1', done.stdout)
        self.assertIn('answered 403 Forbidden', done.stdout)
        self.assertNotIn('secret', done.stdout)
        (call,) = self.calls('systemd-run')
        self.assertEqual([str(self.program), '--go-on'], call.argv[-2:])
        self.assertEqual(['heat-agent-boot'], os.listdir(self.at_boot))

    def test_in_the_background_it_goes_on_until_heat_gives_it(self) -> None:
        answers = {('GET', '/metadata'): ([403, 503, 200], self.files(['sh', '-c', 'echo here']))}
        with cloud(answers) as heat:
            self.settings(request={'metadata_url': heat.url + '/metadata'})
            done = self.run_script(self.program, '--go-on')
        self.assertEqual(0, done.status)
        self.assertIn('here\nheat-agent-boot: done\n', done.stdout)
        self.assertEqual([], self.calls('systemd-run'))
        self.assertEqual([], os.listdir(self.at_boot))

    def test_an_agent_that_is_running_goes_on_when_heat_refuses(self) -> None:
        self.fake('systemctl', {'stdout': 'inactive\nactive\n'})
        with cloud({}) as heat:
            self.settings(request={'metadata_url': heat.url + '/metadata'})
            done = self.run_script(self.program)
        self.assertEqual(1, done.status)
        self.assertIn('The Heat agent goes on as it is. read the agent from Heat', done.stdout)
        self.assertEqual([], self.calls('systemd-run'))

    def test_when_heat_is_away_it_is_asked_again(self) -> None:
        broken = b'HTTP/1.0 200 OK\r\nContent-Length: 1000\r\n\r\n{"files'
        answers = {('GET', '/metadata'): ([503, broken, b'rubbish\r\n', 200], self.files())}
        with cloud(answers) as heat:
            self.settings(request={'metadata_url': heat.url + '/metadata'})
            done = self.run_script(self.program)
        self.assertEqual(0, done.status, done.stderr)
        for reason in ('answered 503', 'a broken answer: IncompleteRead', 'BadStatusLine'):
            self.assertIn(reason, done.stdout)

    def test_metadata_without_files_are_read_again(self) -> None:
        answers = {('GET', '/metadata'): ([200, 503], '{}')}
        with cloud(answers) as heat:
            self.settings(request={'metadata_url': heat.url + '/metadata'})
            with (
                mock.patch('time.sleep', side_effect=[None, KeyboardInterrupt]),
                mock.patch('builtins.print') as said,
            ):
                source = {'request': {'metadata_url': heat.url + '/metadata'}}
                program = module(BOOT)
                self.assertRaises(KeyboardInterrupt, program.fetch, program.Heat(), source)
        self.assertIn("there is no 'files' in what was read", str(said.call_args_list[0]))

    def test_a_transport_that_it_cannot_read_is_said_to_be_so(self) -> None:
        self.settings(zaqar={'queue_id': 'x'})
        done = self.run_script(self.program)
        self.assertEqual(1, done.status)
        self.assertIn('a transport that is not supported here', done.stdout)

    def test_help_says_what_it_is(self) -> None:
        for program in (BOOT, STEPS, REPORT):
            done = self.run_script(program, '--help')
            self.assertEqual((0, ''), (done.status, done.stderr))
            self.assertIn(f'Usage: {program.name}', done.stdout)
            self.assertEqual(2, self.run_script(program, '--rubbish').status)


class HeatTest(base.TestCase):
    """How it reads metadata."""

    def setUp(self) -> None:
        super().setUp()
        self.heat = module(BOOT).Heat()

    def test_poll_server_cfn_is_signed_as_keystone_expects(self) -> None:
        answer = (
            '<DescribeStackResourceResponse><DescribeStackResourceResult>'
            '<StackResourceDetail><Metadata>{"a": "&lt;"}</Metadata></StackResourceDetail>'
            '</DescribeStackResourceResult></DescribeStackResourceResponse>'
        )
        settings = {
            'metadata_url': 'http://127.0.0.1:8000/v1/',
            'access_key_id': '0123',
            'secret_access_key': 'secret',
            'stack_name': 'a stack~1',
            'path': 'server.Metadata',
        }
        with mock.patch.object(self.heat, 'request', return_value=(answer.encode(), {})) as asked:
            self.assertEqual({'a': '<'}, self.heat.metadata({'heat': None, 'cfn': settings}))
        # As keystoneclient's Ec2Signer signs the same request.
        self.assertIn(
            '&Signature=XN44D85DOpY7votov6jsUiWQ6JmxsYCCSaiE2ZUl%2BAU%3D', asked.call_args[0][0]
        )

    def test_poll_server_heat_asks_the_public_endpoint_of_its_region(self) -> None:
        path = '/two/public/stacks/s/1/resources/r/metadata'
        with cloud({}) as heat:
            heat.answers.update(
                {
                    ('POST', '/v3/auth/tokens'): (201, keystone(heat.url)),
                    ('GET', path): (200, {'metadata': {'a': 1}}),
                }
            )
            self.assertEqual(
                {'a': 1},
                self.heat.metadata(
                    {
                        'heat': {
                            'auth_url': heat.url + '/v3/',
                            'user_id': 'u',
                            'password': 'p',
                            'project_id': 'j',
                            'stack_id': 's/1',
                            'resource_name': 'r',
                            'region_name': 'two',
                        }
                    }
                ),
            )
            (_, _, body, _), (_, asked, _, headers) = heat.requests
        self.assertEqual({'id': 'u', 'password': 'p'}, body['auth']['identity']['password']['user'])
        self.assertEqual({'project': {'id': 'j'}}, body['auth']['scope'])
        self.assertEqual(path, asked)
        self.assertEqual('a token', headers['X-Auth-Token'])

    def test_an_answer_that_is_no_metadata_is_said_to_be_so(self) -> None:
        settings = {
            'metadata_url': 'http://host/v1/',
            'access_key_id': '',
            'stack_name': '',
            'secret_access_key': '',
            'path': 'server.Metadata',
        }
        for answer in (b'no XML', b'<a/>'):
            with mock.patch.object(self.heat, 'request', return_value=(answer, {})):
                error = self.assertRaises(ValueError, self.heat.metadata, {'cfn': settings})
            self.assertIn('host answered what are no metadata', str(error))

    def test_a_server_that_sends_a_byte_now_and_then_is_given_up(self) -> None:
        program = module(BOOT)
        with (
            mock.patch.object(program, 'REQUEST_TIMEOUT', 1),
            mock.patch.object(
                program.http.client.HTTPResponse, 'begin', lambda _: program.time.sleep(60)
            ),
            cloud({}) as heat,
        ):
            error = self.assertRaises(OSError, program.Heat().request, heat.url + '/drips')
        self.assertIn('no complete answer within 1 seconds', str(error))

    def test_a_temporary_url_may_redirect_but_no_token_goes_elsewhere(self) -> None:
        with cloud({('GET', '/there'): (200, {'a': 1})}) as heat:
            heat.answers[('GET', '/here')] = (302, heat.url + '/there')
            source = {'request': {'metadata_url': heat.url + '/here'}}
            self.assertEqual({'a': 1}, self.heat.metadata(source))
            error = self.assertRaises(
                OSError, self.heat.request, heat.url + '/here', X_Auth_Token='secret'
            )
        self.assertIn('302', str(error))

    def test_what_keystone_refuses_it_may_grant_later(self) -> None:
        for status in (401, 404):
            with cloud({('POST', '/v3/auth/tokens'): (status, '')}) as heat:
                settings = {
                    'auth_url': heat.url,
                    'user_id': 'u',
                    'password': 'p',
                    'project_id': 'j',
                }
                error = self.assertRaises(OSError, self.heat.metadata, {'heat': settings})
            self.assertNotIsInstance(error, module(BOOT).urllib.error.HTTPError)
            self.assertIn(f'answered {status}', str(error))


class TrustTest(base.TestCase):
    def test_heat_may_have_a_certificate_by_it(self) -> None:
        self.announce('openssl')
        authority = certificates.Authority(self.root / 'ca')
        pem = authority.certificate.read_text()
        heat = self.useFixture(
            signal_server.SignalServer(
                signal_server.Answer(body={'files': {}}),
                certificate=str(authority.issue('IP:127.0.0.1')),
            )
        )
        source = {'request': {'metadata_url': heat.url}}
        self.assertEqual({'files': {}}, module(BOOT).Heat(pem).metadata(source))
        error = self.assertRaises(OSError, module(BOOT).Heat().metadata, source)
        self.assertIn('certificate verify failed', str(error))
