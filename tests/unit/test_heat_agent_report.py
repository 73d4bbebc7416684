# SPDX-License-Identifier: Apache-2.0
"""heat_agent_report.py: tells Heat that a server gets no agent."""

import json
from http.server import HTTPServer
from typing import Any
from unittest import mock

from tests import base, deployments
from tests.boot_config import REPORT, cloud, keystone, module


class ReportTest(base.TestCase):
    """What Heat hears of a server whose agent cannot come up."""

    class Enough(Exception):
        """The loop has gone round often enough."""

    def report(self, heat: HTTPServer, *found: Any, rounds: int = 2) -> 'list[Any]':
        """Let it report; return the requests other than for metadata.

        :param found: deployments in the server's metadata.
        """
        heat.answers[('GET', '/metadata')] = (200, {'deployments': found})
        first = self.root / 'cfn-init-data'
        first.write_text(
            json.dumps({'os-collect-config': {'request': {'metadata_url': heat.url + '/metadata'}}})
        )
        program = module(REPORT)
        with (
            mock.patch.object(program, 'FIRST_METADATA', str(first)),
            mock.patch('time.sleep', side_effect=[None] * (rounds - 1) + [self.Enough]),
            mock.patch('builtins.print'),
        ):
            self.assertRaises(self.Enough, program.report, program.Heat(), 'no index')
        return [item for item in heat.requests if item[1] != '/metadata']

    def test_a_deployment_with_cfn_signal_fails_with_the_reason_once(self) -> None:
        with cloud({('POST', '/signal'): (200, '')}) as heat:
            ((method, path, body, headers),) = self.report(
                heat,
                deployments.load(
                    'script-cfn-signal', inputs={'deploy_signal_id': heat.url + '/signal?Signed=1'}
                ),
            )
        self.assertEqual(('POST', '/signal?Signed=1'), (method, path))
        self.assertEqual(
            {'deploy_status_code': 1, 'deploy_stdout': '', 'deploy_stderr': 'no index'}, body
        )
        self.assertEqual('application/json', headers['Content-Type'])

    def test_a_deployment_with_heat_signal_fails_too(self) -> None:
        deployment = deployments.load('script-heat-signal')
        inputs = {item['name']: item['value'] for item in deployment['inputs']}
        path = (
            f'/one/public/stacks/{inputs["deploy_stack_id"]}/resources/'
            f'{inputs["deploy_resource_name"]}/signal'
        )
        with cloud({('POST', path): (200, '')}) as heat:
            heat.answers[('POST', '/v3/auth/tokens')] = (201, keystone(heat.url))
            _, (_, asked, body, headers) = self.report(
                heat,
                deployments.load(
                    'script-heat-signal',
                    inputs={'deploy_auth_url': heat.url + '/v3', 'deploy_region_name': 'one'},
                ),
            )
        self.assertEqual(
            (path, 1, 'a token'), (asked, body['deploy_status_code'], headers['X-Auth-Token'])
        )

    def test_when_heat_is_away_it_is_told_later(self) -> None:
        with cloud({('POST', '/signal'): ([503, 200], '')}) as heat:
            asked = self.report(
                heat,
                deployments.load(
                    'script-cfn-signal', inputs={'deploy_signal_id': heat.url + '/signal'}
                ),
                rounds=3,
            )
        self.assertEqual(2, len(asked))

    def test_what_heat_refuses_is_not_sent_again(self) -> None:
        with cloud({('POST', '/signal'): (403, '')}) as heat:
            asked = self.report(
                heat,
                deployments.load(
                    'script-cfn-signal', inputs={'deploy_signal_id': heat.url + '/signal'}
                ),
                rounds=3,
            )
        self.assertEqual(1, len(asked))

    def test_a_deployment_that_awaits_no_signal_gets_none(self) -> None:
        with cloud({}) as heat:
            self.assertEqual([], self.report(heat, deployments.load('script-no-signal')))

    def cfn(self, heat: HTTPServer, path: str = '/signal', **more: Any) -> 'dict[str, Any]':
        """A deployment that is signalled to a path."""
        inputs = {'deploy_signal_id': heat.url + path}
        return dict(deployments.load('script-cfn-signal', inputs=inputs), **more)

    def test_a_deployment_with_zaqar_signal_fails_too(self) -> None:
        credentials = {
            'deploy_signal_transport': 'ZAQAR_SIGNAL',
            'deploy_queue_id': 'queue',
            'deploy_region_name': 'two',
        }
        path = '/two/public/v2/queues/queue/messages'
        with cloud({('POST', path): (201, '')}) as heat:
            heat.answers[('POST', '/v3/auth/tokens')] = (201, keystone(heat.url, 'messaging'))
            deployment = deployments.load(
                'script-heat-signal', inputs={'deploy_auth_url': heat.url, **credentials}
            )
            _, (_, _, body, headers) = self.report(heat, deployment)
        (message,) = body['messages']
        self.assertEqual('no index', message['body']['deploy_stderr'])
        self.assertEqual('a token', headers['X-Auth-Token'])
        self.assertLessEqual({'Client-Id', 'X-Project-Id'}, {name.title() for name in headers})

    def test_a_broken_answer_ends_nothing(self) -> None:
        incomplete = b'HTTP/1.0 200 OK\r\nContent-Length: 9\r\n\r\n'
        answers = [b'rubbish\r\n\r\n', incomplete, b'', 200]
        with cloud({('POST', '/signal'): (answers, '')}) as heat:
            self.assertEqual(4, len(self.report(heat, self.cfn(heat), rounds=5)))

    def test_a_server_that_asks_for_patience_is_asked_again(self) -> None:
        for status in (408, 425, 429, 500, 503):
            with cloud({('POST', '/signal'): ([status, 200], '')}) as heat:
                self.assertEqual(2, len(self.report(heat, self.cfn(heat), rounds=3)), status)

    def test_a_redirection_is_not_followed_and_no_success(self) -> None:
        for status in (300, 301, 302, 303, 304, 307, 308):
            with cloud({('GET', '/elsewhere'): (200, '')}) as heat:
                heat.answers[('POST', '/signal')] = ([status, 200], heat.url + '/elsewhere')
                asked = self.report(heat, self.cfn(heat), rounds=3)
            self.assertEqual(2 * [('POST', '/signal')], [item[:2] for item in asked], status)

    def test_a_deployment_that_cannot_be_told_does_not_keep_the_others_from_it(self) -> None:
        with cloud({('POST', '/away'): (503, ''), ('POST', '/signal'): (200, '')}) as heat:
            rubbish: list[Any] = [
                None,
                'text',
                {'id': '1', 'inputs': 5},
                {'id': '2', 'inputs': [{'value': 1}]},
                {'id': ['3'], 'inputs': [{'name': 'deploy_signal_transport', 'value': []}]},
                {'id': '4', 'inputs': [{'name': 'deploy_signal_id', 'value': 'no URL'}]},
                self.cfn(heat, '/away', id='5'),
            ]
            asked = self.report(heat, *rubbish, self.cfn(heat))
        self.assertEqual(['/away', '/signal', '/away'], [item[1] for item in asked])

    def test_metadata_that_are_rubbish_are_read_again(self) -> None:
        with cloud({('POST', '/signal'): (200, '')}) as heat:
            good = (200, {'deployments': [self.cfn(heat)]})
            first = self.root / 'cfn-init-data'
            program = module(REPORT)
            url = heat.url + '/metadata'
            found = [
                lambda: first.write_text('{'),
                lambda: first.write_text('[]'),
                lambda: first.write_text(
                    json.dumps({'os-collect-config': {'request': {'metadata_url': url}}})
                ),
                lambda: heat.answers.update({('GET', '/metadata'): (200, '[]')}),
                lambda: heat.answers.update({('GET', '/metadata'): (200, '{"deployments": 5}')}),
                lambda: heat.answers.update({('GET', '/metadata'): (200, '[' * 99999)}),
                lambda: heat.answers.update({('GET', '/metadata'): good}),
                self.fail_with_enough,
            ]
            with (
                mock.patch.object(program, 'FIRST_METADATA', str(first)),
                mock.patch('time.sleep', side_effect=lambda _: found.pop(0)()),
                mock.patch('builtins.print'),
            ):
                self.assertRaises(self.Enough, program.report, program.Heat(), 'no index')
            self.assertEqual(1, len([item for item in heat.requests if item[1] == '/signal']))

    def fail_with_enough(self) -> None:
        raise self.Enough

    def test_the_last_message_of_a_queue_is_read_and_stays(self) -> None:
        path = '/one/public/v2/queues/q/messages'
        page = {
            'messages': [{'body': {'a': 1}}, {'body': {'a': 2}}],
            'links': [{'rel': 'next', 'href': '/v2/queues/q/messages/more?marker=2'}],
        }
        settings = {
            'auth_url': '',
            'user_id': 'u',
            'password': 'p',
            'project_id': 'j',
            'queue_id': 'q',
        }
        with cloud({('GET', path): (200, page)}) as heat:
            heat.answers[('POST', '/v3/auth/tokens')] = (201, keystone(heat.url, 'messaging'))
            heat.answers[('GET', path + '/more')] = (200, {'messages': [], 'links': []})
            settings['auth_url'] = heat.url
            read = module(REPORT).Heat().metadata({'zaqar': settings})
            self.assertEqual({'a': 2}, read)
            self.assertEqual({'GET', 'POST'}, {item[0] for item in heat.requests})
            heat.answers[('GET', path)] = (200, {'messages': []})
            error = self.assertRaises(OSError, module(REPORT).Heat().metadata, {'zaqar': settings})
        self.assertIn('there are no metadata in the queue', str(error))
