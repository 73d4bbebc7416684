# SPDX-License-Identifier: Apache-2.0
"""heat-config-notify: how a result gets to Heat, and what is said when it does not."""

import json
import sys

import testtools

from tests import agent, base, certificates, deployments, interpreters, signal_server
from tests.signal_server import Answer, Held

load_tests = base.load_scenarios

NOTIFY = agent.ELEMENT / 'bin' / 'heat-config-notify'
LIBRARY = agent.ELEMENT / 'install.d'
RESPONSE = {'deploy_stdout': 'out', 'deploy_stderr': '', 'deploy_status_code': 0, 'result': 'x'}


class NotifyTestCase(base.TestCase):
    def setUp(self):
        super().setUp()
        self.heat = self.useFixture(signal_server.SignalServer())
        self.sandbox.env['HEAT_CONFIG_HOOKS'] = str(LIBRARY)
        self.sandbox.env['HEAT_CONFIG_NOTIFY_PATIENCE'] = '0'

    def deployment(self, url=None, **inputs):
        return deployments.load(
            'script-cfn-signal',
            inputs=dict({'deploy_signal_id': url or self.heat.signed('deployment')}, **inputs),
        )

    def notify(self, deployment, response=RESPONSE, python=None, **env):
        path = self.root / 'deployed.json'
        path.write_text(deployment if isinstance(deployment, str) else json.dumps(deployment))
        done = self.run_script(NOTIFY, str(path), stdin=response, env=env, python=python)
        self.assertEqual('', done.stdout)
        self.assertNotIn('Traceback', done.stderr)
        for secret in ('SECRET', 'Signature', 'PASSWORD'):
            self.assertNotIn(secret, done.stderr)
        return done

    def assert_said(self, status, *words, done):
        """It ended with this status, and one line that holds these words."""
        self.assertEqual(status, done.status, done.stderr)
        self.assertEqual(1, len(done.stderr.splitlines()), done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)


class EachPythonTest(NotifyTestCase):
    scenarios = interpreters.scenarios()

    def test_cfn_signal_is_a_post_of_json(self):
        """Bugs 1355692, 1641589: it must be an object, with its content type."""
        done = self.notify(self.deployment(), python=self.python)
        self.assertEqual((0, ''), (done.status, done.stderr))
        (request,) = self.heat.requests
        self.assertEqual(
            ('POST', self.heat.signed('deployment')), (request.method, self.heat.url + request.path)
        )
        self.assertEqual('application/json', request.headers['content-type'])
        self.assertEqual(RESPONSE, request.body)


class TransportTest(NotifyTestCase):
    def test_temp_url_signal_is_a_put(self):
        self.notify(
            self.deployment(deploy_signal_transport='TEMP_URL_SIGNAL', deploy_signal_verb='PUT')
        )
        self.assertEqual(
            [('PUT', RESPONSE)], [(request.method, request.body) for request in self.heat.requests]
        )

    def test_no_signal_is_a_success(self):
        self.assertEqual(0, self.notify(deployments.load('script-no-signal')).status)

    def test_a_deployment_that_names_no_transport_tells_by_its_inputs(self):
        """As those of older Heats."""
        deployment = self.deployment()
        deployment['inputs'] = [
            item for item in deployment['inputs'] if item['name'] != 'deploy_signal_transport'
        ]
        self.assertEqual(0, self.notify(deployment).status)
        self.assertEqual(1, len(self.heat.requests))
        self.assertEqual(0, self.notify({'inputs': None}).status)
        self.assertEqual(1, len(self.heat.requests))

    def test_an_unknown_transport(self):
        self.assert_said(
            2,
            'PIGEON_SIGNAL is not known',
            done=self.notify(self.deployment(deploy_signal_transport='PIGEON_SIGNAL')),
        )

    def test_a_missing_input(self):
        deployment = self.deployment(deploy_signal_id=None)
        self.assert_said(
            2, 'CFN_SIGNAL needs the input deploy_signal_id', done=self.notify(deployment)
        )

    def test_an_address_that_is_no_url(self):
        """Its text may be a secret: it is not shown."""
        for url in (
            'rubbish?Signature=SECRET',
            'file:///etc/SECRET',
            'http:///x?SECRET',
            'http://127.0.0.1/SECRET blank',
            'http://[SECRET',
            'http://127.0.0.1:SECRET/',
            'http://127.0.0.1/SECRET\xfc',
            'http://h\xf6st/SECRET',
            'http://127.0.0.1/\nSECRET',
        ):
            self.assert_said(
                2, 'deploy_signal_id is not a URL', done=self.notify(self.deployment(url))
            )

    def test_a_method_that_is_none(self):
        for verb in ('POST / HTTP/1.1', 'P\xd6ST', ''):
            self.assert_said(
                2,
                'deploy_signal_verb is not a method',
                done=self.notify(self.deployment(deploy_signal_verb=verb)),
            )

    def test_an_address_without_a_path(self):
        for url in (self.heat.url, self.heat.url + '?x', self.heat.url + '#x'):
            self.assertEqual(0, self.notify(self.deployment(url)).status)
        self.assertEqual(3, len(self.heat.requests))

    def test_letters_of_any_language(self):
        response = dict(RESPONSE, result='\xfc\u4e2d\U0001f600\0')
        self.notify(self.deployment(), response)
        self.assertEqual(response, self.heat.requests[0].body)


class FailureTest(NotifyTestCase):
    # Over both of the ways on which a request may go.
    scenarios = [
        ('plain', {'variables': {}}),
        ('by-urllib', {'variables': {'http_proxy': 'http://127.0.0.1:9', 'no_proxy': '127.0.0.1'}}),
    ]

    def setUp(self):
        super().setUp()
        self.sandbox.env.update(self.variables)

    def test_a_refusal_is_final_and_says_so(self):
        """Bug: a 403 or a 404 was taken for a success."""
        for status in (400, 403, 404, 409):
            self.heat.answers = [status, 200]
            self.assert_said(
                3,
                f'{self.heat.url} refused the signal: {status}',
                done=self.notify(self.deployment(), HEAT_CONFIG_NOTIFY_PATIENCE='60'),
            )

    def test_an_expired_url_is_named_with_advice(self):
        """Bug: CFN_SIGNAL's URL can expire before a long deployment ends."""
        self.heat.answers = [403]
        url = self.heat.signed('deployment', '2020-01-01T00%3A00%3A00Z')
        self.assert_said(
            3,
            'minutes old and has expired',
            'HEAT_SIGNAL',
            'auth_ttl',
            done=self.notify(self.deployment(url)),
        )

    def test_a_refusal_of_a_fresh_url_does_not_speak_of_expiry(self):
        self.heat.answers = [403]
        self.assertNotIn('expired', self.notify(self.deployment()).stderr)

    def test_what_may_pass_is_tried_again(self):
        """Bugs 1731540 and others: no POST was retried."""
        self.heat.answers = [503, 200]
        done = self.notify(self.deployment(), HEAT_CONFIG_NOTIFY_PATIENCE='60')
        self.assertEqual((0, ''), (done.status, done.stderr))
        self.assertEqual([RESPONSE] * 2, self.heat.bodies())

    def test_what_may_pass_is_not_final(self):
        for answer, words in (
            (500, 'answered 500'),
            (502, 'answered 502'),
            (503, 'answered 503'),
            (429, 'answered 429'),
            (408, 'answered 408'),
            ('close', 'did not answer'),
            (b'rubbish', 'did not answer'),
            (b'\0\xff\r\n\r\n', 'did not answer'),
        ):
            self.heat.answers = [answer]
            self.assert_said(1, self.heat.url, words, done=self.notify(self.deployment()))

    def test_nobody_listens(self):
        self.heat.stop()
        self.assert_said(
            1, f'{self.heat.url} cannot be reached', 'refused', done=self.notify(self.deployment())
        )

    def test_patience_ends(self):
        self.heat.answers = [503]
        self.assertEqual(1, self.notify(self.deployment(), HEAT_CONFIG_NOTIFY_PATIENCE='4').status)
        self.assertIn(len(self.heat.requests), (2, 3))

    def test_a_redirect_is_not_a_delivery(self):
        """Followed as usual, a POST becomes a GET without its body."""
        for status in (301, 302, 303, 307, 308):
            self.heat.answers = [Answer(status, headers={'Location': self.heat.url}), 200]
            self.assert_said(
                3, f'refused the signal: {status}', 'redirects', done=self.notify(self.deployment())
            )
        self.assertEqual(5, len(self.heat.requests))

    def test_an_answer_that_is_complete_is_enough(self):
        """Bug: a server that kept the connection open was waited for, half a minute each."""
        for answer in (
            b'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
            b'HTTP/1.1 200 OK\r\ncontent-length:0\r\n\r\n',
            b'HTTP/1.1 204 No Content\r\n\r\n',
            b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
        ):
            self.heat.answers = [Held(answer)]
            self.assertEqual((0, ''), self.notify_within(3600), answer)

    def test_an_answer_without_an_end_is_none(self):
        """Bug: each piece had half a minute of its own, so a byte now and then held all up."""
        for answer in (Held(), Held(b'HTTP/1.1 200', b'x')):
            self.heat.answers = [answer]
            status, said = self.notify_within(1)
            self.assertEqual(1, status)
            self.assertIn('no complete answer within 1 seconds', said)

    def notify_within(self, seconds):
        """Signal with another limit for an exchange; return the exit status and what was said."""
        (self.root / 'deployed.json').write_text(json.dumps(self.deployment()))
        code = (
            f'import sys; sys.path.insert(0, {str(LIBRARY)!r}); import heat_notify;'
            f'heat_notify.REQUEST_TIMEOUT = {seconds}; sys.exit(heat_notify.main(sys.argv[1:]))'
        )
        done = self.run_program(
            ['python3', '-c', code, self.root / 'deployed.json'], stdin=json.dumps(RESPONSE)
        )
        return done.status, done.stderr

    def test_files_that_cannot_be_used(self):
        done = self.run_script(NOTIFY, '/no/such/file')
        self.assert_said(2, '/no/such/file', done=done)
        self.assert_said(2, 'deployed.json is not JSON', done=self.notify('{"a'))
        self.assert_said(2, 'deployed.json is not a JSON object', done=self.notify('[]'))
        self.assert_said(2, 'stdin is not JSON', done=self.notify(self.deployment(), ''))
        self.assert_said(2, 'stdin is not a JSON object', done=self.notify(self.deployment(), []))
        self.assert_said(2, 'stdin is not JSON', done=self.notify(self.deployment(), b'\xff'))
        self.assertEqual([], self.heat.requests)

    def test_a_patience_that_is_no_number(self):
        self.assert_said(
            2,
            "HEAT_CONFIG_NOTIFY_PATIENCE is 'long'",
            done=self.notify(self.deployment(), HEAT_CONFIG_NOTIFY_PATIENCE='long'),
        )

    def test_usage(self):
        self.assertEqual(0, self.run_script(NOTIFY, '--help').status)
        done = self.run_script(NOTIFY)
        self.assertEqual(
            (2, 'Usage: heat-config-notify DEPLOYMENT.json < RESPONSE.json\n'),
            (done.status, done.stderr),
        )


class SizeTest(NotifyTestCase):
    LIMIT = 1024 * 1024  # Heat's max_json_body_size

    def sent(self, **response):
        self.heat.requests.clear()
        self.assertEqual(0, self.notify(self.deployment(), dict(RESPONSE, **response)).status)
        (request,) = self.heat.requests
        self.assertLess(int(request.headers['content-length']), self.LIMIT)
        return request.body

    def test_the_ends_of_long_output_are_kept(self):
        """Bug rhbz 1242396; over 950 kB it was a TypeError."""
        sent = self.sent(deploy_stdout='a' * 3000000 + 'END', deploy_stderr='b' * 3000000 + 'END')
        for stream in ('deploy_stdout', 'deploy_stderr'):
            self.assertRegex(sent[stream], r'^\[\.\.\. \d+ characters cut to fit into the signal')
            self.assertTrue(sent[stream].endswith('END'))
            self.assertGreater(len(sent[stream]), self.LIMIT * 0.45)
        self.assertEqual(('x', 0), (sent['result'], sent['deploy_status_code']))

    def test_what_one_stream_leaves_the_other_may_have(self):
        sent = self.sent(deploy_stdout='short', deploy_stderr='b' * 3000000)
        self.assertEqual('short', sent['deploy_stdout'])
        self.assertGreater(len(sent['deploy_stderr']), self.LIMIT * 0.95)

    def test_letters_that_json_makes_longer_are_counted_as_such(self):
        sent = self.sent(deploy_stdout='\U0001f600' * 300000, deploy_stderr='\0' * 300000)
        self.assertTrue(sent['deploy_stdout'].endswith('\U0001f600'))

    def test_outputs_are_kept_whole(self):
        sent = self.sent(deploy_stdout='a' * 3000000, result='r' * 900000)
        self.assertEqual('r' * 900000, sent['result'])

    def test_outputs_that_are_too_large_alone_are_a_failure_that_names_the_largest(self):
        for status_code in (0, '0', None, ''):
            sent = self.sent(
                result='r' * 900000,
                big='b' * 1000000,
                deploy_stderr='e' * 600000,
                deploy_status_code=status_code,
            )
            self.assertIn('The output big has 1000002 bytes', sent['deploy_stderr'])
            self.assertEqual(1, sent['deploy_status_code'])
            self.assertNotIn('big', sent)

    def test_a_failure_keeps_its_status(self):
        self.assertEqual(
            7, self.sent(big='b' * 2000000, deploy_status_code=7)['deploy_status_code']
        )


class TlsTest(NotifyTestCase):
    def setUp(self):
        super().setUp()
        self.announce('openssl')
        authority = certificates.Authority(self.root / 'tls')
        self.ca = str(authority.certificate)
        self.heat = self.useFixture(
            signal_server.SignalServer(certificate=str(authority.issue('IP:127.0.0.1')))
        )

    def test_a_private_ca_is_honoured(self):
        done = self.notify(self.deployment(), REQUESTS_CA_BUNDLE=self.ca)
        self.assertEqual((0, ''), (done.status, done.stderr))
        self.assertEqual([RESPONSE], self.heat.bodies())

    def test_a_server_that_nobody_vouches_for_gets_nothing(self):
        self.assert_said(
            1, 'cannot be reached', 'certificate verify failed', done=self.notify(self.deployment())
        )
        self.assertEqual([], self.heat.requests)

    def test_certificates_that_cannot_be_read(self):
        self.assert_said(
            2,
            'the CA certificates /no/such/file cannot be read',
            done=self.notify(self.deployment(), REQUESTS_CA_BUNDLE='/no/such/file'),
        )


class ProxyTest(NotifyTestCase):
    def test_a_proxy_is_used(self):
        done = self.notify(self.deployment('http://heat.example/x'), http_proxy=self.heat.url)
        self.assertEqual(0, done.status)
        self.assertEqual('http://heat.example/x', self.heat.requests[0].path)

    def test_no_proxy_is_honoured(self):
        done = self.notify(self.deployment(), http_proxy='http://127.0.0.1:9', no_proxy='127.0.0.1')
        self.assertEqual(0, done.status, done.stderr)
        self.assertEqual(1, len(self.heat.requests))

    def test_a_network_that_needs_no_proxy(self):
        """Bug: only os-collect-config knew of networks, so signals went to the proxy for ever."""
        done = self.notify(
            self.deployment(), http_proxy='http://127.0.0.1:9', no_proxy='10.0.0.0/8,127.0.0.0/8'
        )
        self.assertEqual((0, 1), (done.status, len(self.heat.requests)), done.stderr)

    def test_a_proxy_that_cannot_be_reached_is_named_without_its_password(self):
        done = self.notify(
            self.deployment('http://heat.example/x'), http_proxy='http://me:PASSWORD@127.0.0.1:9'
        )
        self.assert_said(
            1, 'http://heat.example (by the proxy http://127.0.0.1:9) cannot be reached', done=done
        )

    def test_a_proxy_that_asks_for_a_password_is_not_heat_refusing(self):
        self.heat.answers = [407]
        done = self.notify(self.deployment('http://heat.example/x'), http_proxy=self.heat.url)
        self.assert_said(1, f'(by the proxy {self.heat.url}) answered 407', done=done)


class ServiceTest(NotifyTestCase):
    """HEAT_SIGNAL and ZAQAR_SIGNAL, against a Keystone that knows what a test says."""

    def setUp(self):
        super().setUp()
        self.sandbox.env['HEAT_CONFIG_VENV'] = sys.prefix
        self.inputs = {
            'deploy_auth_url': self.heat.url + '/v3',
            'deploy_user_id': 'user',
            'deploy_username': 'name',
            'deploy_password': 'PASSWORD',
            'deploy_project_id': 'project',
            'deploy_region_name': 'two',
            'deploy_signal_transport': 'HEAT_SIGNAL',
            'deploy_stack_id': 'stack/uuid',
            'deploy_resource_name': 'resource',
            'deploy_queue_id': 'queue',
        }
        self.publish('orchestration', '/heat/v1/project')
        self.heat.answers = [201]

    def publish(self, service, path):
        """Let Keystone have an endpoint of a service in the region 'two', of two."""
        endpoints = [
            {'region': region, 'region_id': region, 'interface': interface, 'url': url}
            for region, interface, url in (
                ('one', 'public', 'http://127.0.0.1:9'),
                ('two', 'internal', 'http://127.0.0.1:9'),
                ('two', 'public', self.heat.url + path),
            )
        ]
        self.heat.routes['POST', '/v3/auth/tokens'] = Answer(
            201,
            {
                'token': {
                    'methods': ['password'],
                    'expires_at': '2099-01-01T00:00:00.000000Z',
                    'user': {'id': 'user', 'name': 'name', 'domain': {'id': 'd', 'name': 'd'}},
                    'catalog': [{'type': service, 'name': service, 'endpoints': endpoints}],
                }
            },
            {'X-Subject-Token': 'TOKEN'},
        )

    def signal(self, response=RESPONSE, **inputs):
        return self.notify(
            {
                'inputs': [
                    {'name': name, 'value': value}
                    for name, value in {**self.inputs, **inputs}.items()
                ]
            },
            response,
        )

    def test_heat_signal_goes_to_the_resource_in_the_region(self):
        done = self.signal()
        self.assertEqual((0, ''), (done.status, done.stderr))
        token, signal = self.heat.requests
        identity = token.body['auth']['identity']['password']['user']
        self.assertEqual({'id': 'user', 'password': 'PASSWORD'}, identity)
        self.assertEqual({'project': {'id': 'project'}}, token.body['auth']['scope'])
        self.assertEqual(
            ('POST', '/heat/v1/project/stacks/stack/uuid/resources/resource/signal', 'TOKEN'),
            (signal.method, signal.path, signal.headers['x-auth-token']),
        )
        self.assertEqual('application/json', signal.headers['content-type'])
        self.assertEqual(RESPONSE, signal.body)

    def test_an_old_address_of_keystone_is_understood(self):
        for suffix in ('/v2.0', '/v3/', ''):
            self.assertEqual(0, self.signal(deploy_auth_url=self.heat.url + suffix).status)

    def test_heat_signals_are_cut_too(self):
        """Bug: only CFN_SIGNAL's were."""
        self.signal(dict(RESPONSE, deploy_stdout='a' * 3000000))
        self.assertLess(int(self.heat.requests[-1].headers['content-length']), SizeTest.LIMIT)

    def test_zaqar_signal_is_one_message_of_the_second_api(self):
        """Bug: it used the first, which is gone since zaqarclient 4."""
        for path in ('', '/', '/v2', '/v1.1'):
            self.heat.requests.clear()
            self.publish('messaging', path)
            done = self.signal(deploy_signal_transport='ZAQAR_SIGNAL')
            self.assertEqual((0, ''), (done.status, done.stderr))
            message = self.heat.requests[1]
            self.assertEqual(('POST', '/v2/queues/queue/messages'), message[:2])
            self.assertEqual({'messages': [{'ttl': 3600, 'body': RESPONSE}]}, message.body)
            self.assertEqual('project', message.headers['x-project-id'])
            self.assertTrue(message.headers['client-id'])

    def test_zaqar_signals_are_cut_to_what_zaqar_takes(self):
        self.publish('messaging', '')
        self.signal(
            dict(RESPONSE, deploy_stdout='a' * 3000000), deploy_signal_transport='ZAQAR_SIGNAL'
        )
        self.assertLess(int(self.heat.requests[-1].headers['content-length']), 256 * 1024)

    def test_an_endpoint_that_is_not_in_the_catalogue(self):
        self.publish('compute', '/')
        self.assert_said(
            3,
            f'{self.heat.url}/v3',
            'no public endpoint',
            'orchestration',
            'two',
            done=self.signal(),
        )

    def test_a_region_that_is_not_in_the_catalogue(self):
        self.assert_said(
            3,
            'no public endpoint',
            'in the region three',
            done=self.signal(deploy_region_name='three'),
        )

    def test_what_keystone_refuses_while_it_restarts_is_not_final(self):
        """Bug: one 401 or 404 was, and the result was lost."""
        for status in (401, 404):
            self.heat.routes['POST', '/v3/auth/tokens'] = status
            self.assert_said(1, f'refused the signal: {status}', done=self.signal())

    def test_keystone_refuses(self):
        for status in (400, 403):
            self.heat.routes['POST', '/v3/auth/tokens'] = status
            self.assert_said(3, f'refused the signal: {status}', done=self.signal())

    def test_only_2xx_is_a_delivery(self):
        """Bug: what keystoneauth1 hands back of redirections counted as one."""
        path = '/heat/v1/project/stacks/stack/uuid/resources/resource/signal'
        for answer in (
            Answer(300),
            Answer(304),
            Answer(302),
            Answer(302, headers={'Location': self.heat.url + path}),
        ):
            self.heat.routes['POST', path] = self.heat.routes['GET', path] = answer
            for transport in ('HEAT_SIGNAL', 'ZAQAR_SIGNAL'):
                self.publish('orchestration', '/heat/v1/project')
                if transport == 'ZAQAR_SIGNAL':
                    self.publish('messaging', '')
                    self.heat.routes['POST', '/v2/queues/queue/messages'] = answer
                done = self.signal(deploy_signal_transport=transport)
                self.assert_said(3, f'refused the signal: {answer.status}', done=done)

    def test_heat_refuses(self):
        self.heat.answers = [404]
        self.assert_said(3, 'refused the signal: 404', done=self.signal())

    def test_keystone_or_heat_is_down(self):
        self.heat.answers = [503]
        self.assert_said(1, 'answered 503', done=self.signal())
        self.heat.routes['POST', '/v3/auth/tokens'] = 503
        self.assert_said(1, 'answered 503', done=self.signal())
        self.heat.stop()
        self.assert_said(1, self.heat.url, done=self.signal())

    def test_a_missing_input(self):
        self.assert_said(
            2, 'HEAT_SIGNAL needs the input deploy_user_id', done=self.signal(deploy_user_id=None)
        )

    def test_without_keystoneauth_it_says_what_is_missing(self):
        """Bug 1742737: keystoneclient was missing."""
        self.sandbox.env['HEAT_CONFIG_VENV'] = '/no/such/venv'
        self.assert_said(1, 'need keystoneauth1', '/no/such/venv', done=self.signal())


class ModuleTest(testtools.TestCase):
    def test_loading_it_imports_nothing_slow(self):
        """It starts in a few milliseconds: what only some signals need is imported for those."""
        self.assertEqual({'heat_http', 'json', 'os', 're', 'sys', 'time'}, imports('heat_notify'))
        self.assertEqual({'contextlib', 'os', 'signal'}, imports('heat_http'))


def imports(module):
    """What a module imports as it is loaded."""
    text = (LIBRARY / f'{module}.py').read_text()
    return {line.split()[1] for line in text.splitlines() if line.startswith('import ')}
