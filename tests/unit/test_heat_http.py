# SPDX-License-Identifier: Apache-2.0
"""heat_http: which CAs are trusted, and which proxy is used."""

import os
import sys
from unittest import mock

from tests import base, modules

LIBRARY = base.ELEMENTS / 'heat-config/install.d'
heat_http = modules.load(LIBRARY / 'heat_http.py')


class ProxyTest(base.TestCase):
    def proxy(self, url, **variables):
        with mock.patch.dict(os.environ, variables, clear=True):
            return heat_http.proxy_for(url)

    def test_a_proxy_is_that_of_the_scheme_or_of_all(self):
        for variables, expected in (
            ({}, ''),
            ({'http_proxy': 'http://p:1'}, 'http://p:1'),
            ({'https_proxy': 'http://p:1'}, ''),
            ({'all_proxy': 'p:1'}, 'http://p:1'),
            ({'http_proxy': 'q:2', 'ALL_PROXY': 'p:1'}, 'http://q:2'),
        ):
            self.assertEqual(expected, self.proxy('http://example.org/', **variables), variables)

    def test_no_proxy_is_what_requests_makes_of_it(self):
        for host, no_proxy in (
            ('10.1.2.3', '10.0.0.0/8'),
            ('10.1.2.3', '192.168.0.0/16, 10.0.0.0/8'),
            ('10.1.2.3', '10.1.2.3'),
            ('[::1]', '::1'),
            ('[::1]', '[::1]'),
            ('[fd00::5]', 'fd00::/8'),
            ('heat.example.org', 'example.org'),
            ('heat.example.org', '.example.org'),
            ('example.org', '.example.org'),
            ('Heat.Example.ORG', 'heat.example.org'),
            ('heat:8004', 'heat:8004'),
            ('anything', '*'),
        ):
            for name in ('no_proxy', 'NO_PROXY'):
                self.assertEqual(
                    '',
                    self.proxy(f'http://{host}/', http_proxy='http://p:1', **{name: no_proxy}),
                    (host, no_proxy),
                )

    def test_everything_else_goes_through_the_proxy(self):
        for host, no_proxy in (
            ('11.1.2.3', '10.0.0.0/8'),
            ('example.com', 'example.org'),
            ('heat:8005', 'heat:8004'),
            ('[fe80::1]', '::1'),
            ('10.example.org', '10.0.0.0/8'),
            ('heat', ''),
        ):
            self.assertEqual(
                'http://p:1',
                self.proxy(f'http://{host}/', http_proxy='http://p:1', no_proxy=no_proxy),
                (host, no_proxy),
            )

    def test_messages_do_not_show_a_proxys_password(self):
        self.assertEqual('http://p:1', heat_http.without_password('http://me:Hush@p:1/'))


class CaTest(base.TestCase):
    def test_the_agents_ca_is_that_of_its_configuration(self):
        path = self.root / 'os-collect-config.conf'
        self.assertEqual('', heat_http.agents_ca(str(path)))
        path.write_text('[DEFAULT]\n[cfn]\nca_certificate = /etc/ca.pem\n')
        self.assertEqual('/etc/ca.pem', heat_http.agents_ca(str(path)))

    def test_the_bundle_of_requests_is_the_only_one(self):
        for name in ('REQUESTS_CA_BUNDLE', 'CURL_CA_BUNDLE'):
            with mock.patch.dict(os.environ, {name: str(self.root / 'none.pem')}, clear=True):
                error = self.assertRaises(OSError, heat_http.tls_context)
            self.assertEqual(str(self.root / 'none.pem'), error.filename)


class DownloadTest(base.TestCase):
    def test_a_proxy_that_does_not_answer_is_named(self):
        program = (
            f'import sys, io; sys.path.insert(0, {str(LIBRARY)!r})\n'
            'import heat_fetch\n'
            'try:\n'
            '    heat_fetch.download("http://heat.example.org/x", io.BytesIO())\n'
            'except heat_fetch.HookError as error:\n'
            '    print(error)\n'
        )
        done = self.run_program(
            [sys.executable, '-B', '-c', program], env={'http_proxy': 'http://u:Hush@127.0.0.1:1'}
        )
        self.assertIn('through the proxy http://127.0.0.1:1: ', done.stdout, done.stderr)
        self.assertIn('http://heat.example.org/x cannot be downloaded', done.stdout)
        self.assertNotIn('Hush', done.stdout)


class DeadlineTest(base.TestCase):
    def test_what_takes_too_long_is_ended_though_it_swallows_the_first_call(self):
        program = (
            f'import sys, time; sys.path.insert(0, {str(LIBRARY)!r}); import heat_http\n'
            'try:\n'
            '    with heat_http.deadline(0.1):\n'
            '        try: time.sleep(3600)\n'
            '        except OSError: time.sleep(3600)\n'
            'except heat_http.Deadline as error: print(error)\n'
            'time.sleep(1.5); print("goes on")\n'
        )
        done = self.run_program([sys.executable, '-B', '-c', program])
        self.assertEqual(
            (0, 'no complete answer within 0.1 seconds\ngoes on\n'), (done.status, done.stdout)
        )
