# SPDX-License-Identifier: Apache-2.0
"""The programs that boot-config runs at a server's first boot, and its list of files."""

import contextlib
import importlib.util
import json
import os
import pathlib
import re
import shutil
import ssl
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from unittest import mock

import yaml

from tests import base, certificates, deployments, dib, signal_server
from tests.unit.test_elements import DISTRIBUTIONS

load_tests = base.load_scenarios

BOOT_CONFIG = base.ROOT / 'boot-config'
TEMPLATES = BOOT_CONFIG / 'templates'
BOOT = TEMPLATES / 'lib' / 'heat-agent-boot.py'
INSTALL = TEMPLATES / 'lib' / 'install-elements.py'
CONTAINER = TEMPLATES / 'lib' / 'container-agent.sh'
ENVIRONMENTS = sorted(BOOT_CONFIG.glob('*_env.yaml'))


def module(path: pathlib.Path) -> Any:
    """A fresh copy of a program, as a module."""
    loader = importlib.machinery.SourceFileLoader(re.sub(r'\W', '_', path.stem), str(path))
    spec = importlib.util.spec_from_file_location(loader.name, path, loader=loader)
    loaded = importlib.util.module_from_spec(spec)
    with mock.patch('sys.dont_write_bytecode', True):
        loader.exec_module(loaded)
    return loaded


def elements() -> 'dict[str, Any]':
    """What a server gets of elements.yaml: the merged elements, with the content of files."""

    def read(value: Any) -> Any:
        if set(value) == {'get_file'}:
            return (TEMPLATES / 'lib' / value['get_file']).read_text()
        return {name: read(item) for name, item in value.items()}

    outputs = yaml.safe_load((TEMPLATES / 'lib' / 'elements.yaml').read_text())['outputs']
    return {name: read(output['value']) for name, output in outputs.items()}


class Cloud(BaseHTTPRequestHandler):
    """Answers as its server's `answers` say, and keeps what was asked in `requests`."""

    def answer(self) -> None:
        length = int(self.headers.get('Content-Length') or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        self.server.requests.append((self.command, self.path, body, dict(self.headers)))
        status, content = self.server.answers.get(
            (self.command, self.path.partition('?')[0]), (404, '')
        )
        if isinstance(status, list):
            status = status.pop(0)
        self.send_response(status)
        self.send_header('X-Subject-Token', 'a token')
        self.end_headers()
        self.wfile.write((content if isinstance(content, str) else json.dumps(content)).encode())

    do_GET = do_POST = do_PUT = answer

    def log_message(self, *_: Any) -> None:
        pass


@contextlib.contextmanager
def cloud(answers: 'dict[tuple[str, str], tuple[Any, Any]]') -> 'Iterator[HTTPServer]':
    server = HTTPServer(('127.0.0.1', 0), Cloud)
    server.answers, server.requests = answers, []
    server.url = f'http://127.0.0.1:{server.server_port}'
    thread = threading.Thread(target=server.serve_forever, kwargs={'poll_interval': 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def keystone(url: str) -> 'dict[str, Any]':
    """Keystone's answer; its catalogue has Heat in two regions."""
    return {
        'token': {
            'catalog': [
                {
                    'type': 'orchestration',
                    'endpoints': [
                        {
                            'interface': interface,
                            'region_id': region,
                            'url': f'{url}/{region}/{interface}',
                        }
                        for region in ('one', 'two')
                        for interface in ('admin', 'public')
                    ],
                }
            ]
        }
    }


class FirstBootTest(base.TestCase):
    """heat-agent-boot.py as cloud-init runs it."""

    def setUp(self) -> None:
        super().setUp()
        self.program = self.root / 'boot' / BOOT.name
        self.program.parent.mkdir()
        shutil.copy(BOOT, self.program)
        self.at_boot = self.root / 'cloud/scripts/per-boot'
        self.at_boot.mkdir(parents=True)
        self.fake('systemd-run')
        self.fake('systemctl')

    def boot(self, *commands: 'list[str]', **settings: Any) -> Any:
        steps = [
            {'name': f'step {number}', 'command': command}
            for number, command in enumerate(commands, 1)
        ]
        (self.program.parent / 'settings.json').write_text(json.dumps(dict(settings, steps=steps)))
        return self.run_script(self.program)

    def test_steps_run_in_their_order_and_folder_with_the_environment(self) -> None:
        done = self.boot(
            ['sh', '-c', 'echo "$who" > file'],
            ['sh', '-c', 'read x < file; echo $x'],
            environment={'who': 'me', 'empty': ''},
        )
        self.assertEqual(0, done.status)
        self.assertIn('step 2 ...\nme\n', done.stdout)
        self.assertEqual([], self.calls())

    def test_the_first_step_that_fails_ends_it_and_is_named_with_its_reason(self) -> None:
        done = self.boot(['sh', '-c', 'echo no such index >&2; exit 3'], ['sh', '-c', 'echo never'])
        self.assertEqual(1, done.status)
        self.assertIn('step 1: failed with status 3: no such index', done.stdout)
        self.assertNotIn('never', done.stdout)

    def test_a_program_that_is_not_there_is_named(self) -> None:
        done = self.boot(['no-such-program'])
        self.assertEqual(1, done.status)
        self.assertIn('step 1: no-such-program cannot run: No such file', done.stdout)

    def test_after_a_failure_heat_is_told_in_the_background(self) -> None:
        self.boot(['sh', '-c', 'exit 1'])
        (call,) = self.calls('systemd-run')
        self.assertIn(str(self.program), call.argv)
        self.assertEqual('--report', call.argv[-1])
        self.assertIn('step 1: failed', (self.program.parent / 'failure').read_text())

    def test_an_agent_that_does_not_run_is_no_reason_to_be_silent(self) -> None:
        self.fake('systemctl', {'status': 3, 'stdout': 'inactive\ninactive\n'})
        self.boot(['sh', '-c', 'exit 1'])
        self.assertEqual(1, len(self.calls('systemd-run')))

    def test_no_password_of_a_url_is_seen(self) -> None:
        done = self.boot(['sh', '-c', 'echo GET http://me:geheim@host/simple; exit 1'])
        self.assertNotIn('geheim', done.stdout + (self.program.parent / 'failure').read_text())
        self.assertIn('http://***@host/simple', done.stdout)

    def test_it_can_be_run_again(self) -> None:
        self.boot(['sh', '-c', 'exit 1'])
        self.assertEqual(0, self.boot(['sh', '-c', ':']).status)
        self.assertFalse((self.program.parent / 'failure').exists())

    def test_each_boot_begins_again_until_all_steps_succeed(self) -> None:
        at_boot = self.at_boot / 'heat-agent-boot'
        power_cut = ['sh', '-c', 'test -e again || { : > again; kill -9 $PPID; }']
        self.assertEqual(-9, self.boot(power_cut).status)
        done = self.run_program([at_boot])
        self.assertEqual((0, ''), (done.status, done.stderr))
        self.assertEqual([], os.listdir(self.at_boot))
        self.boot(['sh', '-c', 'exit 1'])
        self.assertEqual([at_boot.name], os.listdir(self.at_boot))

    def test_an_agent_that_is_running_goes_on_and_heat_is_not_told(self) -> None:
        self.fake('systemctl', {'stdout': 'inactive\nactive\n'})
        done = self.boot(['sh', '-c', 'exit 1'])
        self.assertEqual(1, done.status)
        self.assertIn('The Heat agent goes on as it is. step 1: failed', done.stdout)
        self.assertEqual([], self.calls('systemd-run'))

    def test_the_index_is_trusted_that_has_no_tls(self) -> None:
        done = self.boot(
            ['sh', '-c', 'echo "for $PIP_TRUSTED_HOST"'],
            environment={'PIP_INDEX_URL': 'http://me:x@index:8080/simple'},
        )
        self.assertIn('for index:8080\n', done.stdout)

    def test_files_come_from_heat_before_the_first_step(self) -> None:
        metadata = {'files': {'text': 'a text', 'map.json': {'a': 1}}}
        with cloud({('GET', '/metadata'): (200, metadata)}) as heat:
            done = self.boot(
                ['sh', '-c', 'read x < text; read y < map.json; echo $x $y'],
                source={'cfn': {'path': None}, 'request': {'metadata_url': heat.url + '/metadata'}},
            )
        self.assertIn('a text {"a": 1}\n', done.stdout)

    def test_when_heat_refuses_it_is_not_asked_again(self) -> None:
        with cloud({('GET', '/metadata'): (403, '')}) as heat:
            done = self.boot(source={'request': {'metadata_url': heat.url + '/metadata?secret'}})
            self.assertEqual(1, len(heat.requests))
        self.assertEqual(1, done.status)
        self.assertIn('read the agent from Heat: 127.0.0.1', done.stdout)
        self.assertIn('answered 403 Forbidden', done.stdout)
        self.assertNotIn('secret', done.stdout)

    def test_when_heat_is_away_it_is_asked_again(self) -> None:
        with cloud({('GET', '/metadata'): ([503, 200], {'files': {}})}) as heat:
            done = self.boot(source={'request': {'metadata_url': heat.url + '/metadata'}})
        self.assertEqual(0, done.status)
        self.assertIn('answered 503', done.stdout)

    def test_a_transport_that_it_cannot_read_is_said_to_be_so(self) -> None:
        done = self.boot(source={'zaqar': {'queue_id': 'x'}})
        self.assertEqual(1, done.status)
        self.assertIn('a transport that is not supported here', done.stdout)


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


class TrustTest(base.TestCase):
    """A private CA."""

    def setUp(self) -> None:
        super().setUp()
        self.announce('openssl')
        self.authority = certificates.Authority(self.root / 'ca')
        self.pem = self.authority.certificate.read_text()

    def test_heat_may_have_a_certificate_by_it(self) -> None:
        heat = self.useFixture(
            signal_server.SignalServer(
                signal_server.Answer(body={'files': {}}),
                certificate=str(self.authority.issue('IP:127.0.0.1')),
            )
        )
        source = {'request': {'metadata_url': heat.url}}
        self.assertEqual({'files': {}}, module(BOOT).Heat(self.pem).metadata(source))
        error = self.assertRaises(OSError, module(BOOT).Heat().metadata, source)
        self.assertIn('certificate verify failed', str(error))

    def test_the_system_and_pip_trust_it(self) -> None:
        program = module(BOOT)
        store = self.root / 'anchors'
        store.mkdir()
        stores = (('/no/such/folder', '.crt', 'other'), (str(store), '.pem', 'update-trust'))
        with (
            mock.patch.object(program, 'TRUST_STORES', stores),
            mock.patch.object(program, 'run') as run,
            mock.patch('shutil.which', return_value='/usr/sbin/update-trust'),
        ):
            program.install(
                {'trusted_ca': self.pem, 'steps': [{'name': 'a step', 'command': ['pip']}]}
            )
        self.assertEqual([self.pem], [path.read_text() for path in store.glob('heat-agent-*.pem')])
        (trust, _), (step, _) = run.call_args_list
        self.assertEqual(['update-trust'], trust[1])
        paths = ssl.get_default_verify_paths()
        self.assertEqual(paths.cafile or paths.capath, step[2]['PIP_CERT'])

    def test_each_certificate_has_a_file_of_its_own(self) -> None:
        self.announce('true')
        program = module(BOOT)
        other = certificates.Authority(self.root / 'other').certificate.read_text()
        store = self.root / 'store'
        store.mkdir()
        with (
            mock.patch.object(program, 'TRUST_STORES', ((str(store), '.pem', 'true'),)),
            mock.patch('builtins.print'),
        ):
            program.trust(f'Ours:\n{self.pem.rstrip()}{other}')
        self.assertEqual({self.pem, other}, {path.read_text() for path in store.iterdir()})

    def test_debian_gets_what_its_command_would_make(self) -> None:
        self.announce('update-ca-certificates')
        program = module(BOOT)
        store, ours, theirs, hooks = (
            self.root / name for name in ('store', 'ours', 'theirs', 'hooks')
        )
        for folder in (store, ours, theirs, hooks):
            folder.mkdir()
        system = certificates.Authority(self.root / 'system').certificate
        configuration = self.root / 'ca-certificates.conf'
        configuration.write_text('ca.pem\n')
        command = [
            'update-ca-certificates',
            '--certsconf',
            str(configuration),
            '--certsdir',
            str(system.parent),
            '--localcertsdir',
            str(store),
            '--hooksdir',
            str(hooks),
            '--etccertsdir',
        ]
        subprocess.run([*command, str(ours)], check=True, capture_output=True)

        stores = ((str(store), '.crt', f'openssl rehash {ours}'),)
        with mock.patch.object(program, 'TRUST_STORES', stores), mock.patch('builtins.print'):
            for _ in range(2):
                program.trust(self.pem)
        subprocess.run([*command, str(theirs)], check=True, capture_output=True)
        self.assertEqual(self.trusted(theirs), self.trusted(ours))
        self.assertIn(self.pem, (ours / 'ca-certificates.crt').read_text())

    @staticmethod
    def trusted(folder: pathlib.Path) -> 'dict[str, str]':
        """The files of a folder, without their times, and where links lead."""
        return {
            path.name: os.readlink(path) if path.is_symlink() else path.read_text()
            for path in folder.iterdir()
        }

    def test_a_system_that_has_no_place_for_it_is_told_so(self) -> None:
        program = module(BOOT)
        with mock.patch.object(program, 'TRUST_STORES', (('/no/such/folder', '.crt', 'x'),)):
            error = self.assertRaises(program.Failure, program.trust, self.pem)
        self.assertIn('no folder for certificates that is known here: /no/such/folder', str(error))


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
        program = module(BOOT)
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


class PackagesTest(base.TestCase):
    """Packages have the names that diskimage-builder gives them in an image of the same system."""

    guard_processes = False
    scenarios = [
        (
            f'{system},{release},{install_type}',
            {'system': system, 'release': release, 'install_type': install_type},
        )
        for system, release in DISTRIBUTIONS
        for install_type in ('source', 'package')
    ]

    def setUp(self) -> None:
        super().setUp()
        self.program = module(INSTALL)
        name = self.system.partition('-')[0]
        version = self.release.partition('-')[0]
        key = 'VERSION_CODENAME' if name in ('debian', 'ubuntu') else 'VERSION_ID'
        os_id = {'opensuse': 'opensuse-leap', 'openeuler': 'openEuler'}.get(name, name)
        # As openEuler writes it: 24.03 (LTS).
        long = re.sub('-(.*)', r' (\1)', self.release)
        self.here = self.program.System(
            f'NAME="X"\nID="{os_id}"\n{key}="{version}"\nVERSION="{long}"\n'
        )

    def packages(self, tree: 'dict[str, str]') -> 'dict[str, set[str]]':
        env = {'DIB_DEFAULT_INSTALLTYPE': self.install_type}
        with (
            mock.patch.dict(os.environ, env),
            mock.patch('platform.machine', return_value='x86_64'),
        ):
            return {
                phase: set(names)
                for phase, names in self.program.packages_of(tree, self.here).items()
            }

    def expected(self, *names: str) -> 'dict[str, set[str]]':
        """What diskimage-builder makes of the elements that the tree is merged from."""
        closure = dib.closure(self.system, *names)
        found: dict[str, set[str]] = {}
        for (phase, _), packages in dib.packages(closure, self.release, self.install_type).items():
            if packages:
                found.setdefault(phase, set()).update(packages)
        return found

    def test_the_system_is_called_as_there(self) -> None:
        closure = dib.closure(self.system)
        environment = dib.build_environment(closure, self.release)
        self.assertEqual(
            (environment['DISTRO_NAME'], self.release), (self.here.name, self.here.release)
        )

    def test_the_agents_packages(self) -> None:
        self.assertEqual(self.expected('heat-config-script'), self.packages(elements()['agent']))

    def test_each_hooks_packages(self) -> None:
        found = elements()
        for hook, tree in found['hooks'].items():
            self.assertEqual(
                self.expected('heat-config-' + hook),
                self.packages(dict(found['agent'], **tree)),
                hook,
            )


class InstallElementsTest(base.TestCase):
    """install-elements.py does in a server what diskimage-builder does in an image."""

    def setUp(self) -> None:
        super().setUp()
        self.program = module(INSTALL)

    def test_an_unknown_distribution_is_named(self) -> None:
        error = self.assertRaises(self.program.Failure, self.program.System, 'ID=plan9\n')
        self.assertIn('plan9 is not known', str(error))

    def test_a_release_that_has_ended_is_warned_of(self) -> None:
        for text, warned in (
            ('ID=centos\nVERSION_ID="7"\n', True),
            ('ID=debian\nVERSION_CODENAME=buster\n', True),
            ('ID=debian\nVERSION_CODENAME=trixie\n', False),
        ):
            with mock.patch('builtins.print') as printed:
                self.program.System(text)
            self.assertEqual(warned, 'has ended' in str(printed.mock_calls), text)

    def test_a_release_without_packages_of_the_agents_names_the_other_environment(self) -> None:
        system = self.program.System('ID=debian\nVERSION_CODENAME=bookworm\n')
        self.assertIn('debian_pip_env.yaml', system.lacks_agents())
        system = self.program.System('ID=debian\nVERSION_CODENAME=trixie\n')
        self.assertEqual('', system.lacks_agents())

    def test_scripts_run_in_the_order_of_their_names_whatever_their_folder(self) -> None:
        tree = dict.fromkeys(
            (
                'install.d/60-b',
                'install.d/agent-source-install/50-c',
                'install.d/agent-package-install/50-d',
                'install.d/70-a',
                'install.d/module.py',
                'post-install.d/10-x',
            ),
            '#!/bin/sh\n',
        )
        self.assertEqual(
            ['install.d/agent-source-install/50-c', 'install.d/60-b', 'install.d/70-a'],
            list(self.program.scripts(tree, 'install.d')),
        )
        with mock.patch.dict(os.environ, {'DIB_INSTALLTYPE_agent': 'package'}):
            self.assertIn(
                'install.d/agent-package-install/50-d',
                list(self.program.scripts(tree, 'install.d')),
            )

    def test_programs_are_executable_and_the_agents_own_file_is_kept(self) -> None:
        conf = self.root / 'etc' / 'agent.conf'
        conf.parent.mkdir()
        conf.write_text('credentials')
        with mock.patch.object(
            self.program, 'STATIC', {'bin': f'{self.root}/usr/bin/', 'static': f'{self.root}/'}
        ):
            self.program.install_static(
                {
                    'bin/tool': '#!/bin/sh\n',
                    'static/etc/agent.conf': 'new',
                    'static/a': 'x',
                    'install.d/10-x': '#!/bin/sh\n',
                }
            )
        self.assertEqual('credentials', conf.read_text())
        self.assertTrue(os.access(self.root / 'usr/bin/tool', os.X_OK))
        self.assertEqual(0o644, (self.root / 'a').stat().st_mode & 0o777)
        self.assertEqual(
            {'a', 'etc', 'usr'}, set(os.listdir(self.root)) & {'a', 'etc', 'usr', 'install.d'}
        )

    def install(self, tree: 'dict[str, str]') -> Any:
        """Install a tree without packages, in a process of its own."""
        if not os.path.exists('/etc/os-release'):
            self.skipTest('this system has no /etc/os-release')
        self.announce('bash')
        path = self.root / 'elements.json'
        path.write_text(json.dumps({'agent': tree, 'hooks': {}}))
        return self.run_script(INSTALL, '--no-packages', str(path))

    def test_a_script_finds_its_neighbours_and_the_environment(self) -> None:
        done = self.install(
            {
                'environment.d/10-x': 'export WHO=me\n',
                'data/x': 'data\n',
                'install.d/10-x': '#!/bin/sh\nread x < "${0%/*}/../data/x"; echo "$WHO has $x"\n',
            }
        )
        self.assertIn('install-elements: install.d/10-x\nme has data\n', done.stdout)

    def test_the_first_script_that_fails_ends_it(self) -> None:
        done = self.install(
            {'install.d/10-x': '#!/bin/sh\nexit 7\n', 'install.d/20-x': '#!/bin/sh\necho never\n'}
        )
        self.assertEqual(
            (1, 'install-elements: install.d/10-x failed with status 7\n'),
            (done.status, done.stderr),
        )
        self.assertNotIn('never', done.stdout)

    def test_scripts_that_try_and_enable_what_is_there_run_at_once(self) -> None:
        self.announce('seq', 'sleep', 'touch')
        # Each waits for the other.
        script = (
            '#!/bin/sh\ntouch {0}\nfor i in $(seq 100); do '
            'if [ -e {1} ]; then exit 0; fi; sleep 0.1; done\nexit 1\n'
        )
        one, two = self.root / 'one', self.root / 'two'
        done = self.install(
            {
                'post-install.d/60-a': script.format(one, two),
                'post-install.d/60-b': script.format(two, one),
            }
        )
        self.assertEqual((0, ''), (done.status, done.stderr))

    def test_one_of_them_that_fails_is_named(self) -> None:
        done = self.install(
            {'post-install.d/60-a': '#!/bin/sh\n', 'post-install.d/60-b': '#!/bin/sh\nexit 7\n'}
        )
        self.assertEqual(
            (1, 'install-elements: post-install.d/60-b failed with status 7\n'),
            (done.status, done.stderr),
        )

    def test_an_unknown_hook_is_named_with_those_that_are_known(self) -> None:
        path = self.root / 'elements.json'
        path.write_text(json.dumps({'agent': {}, 'hooks': {'ansible': {}}}))
        done = self.run_script(INSTALL, '--hooks', 'ansibel', str(path))
        self.assertEqual(
            (1, 'install-elements: there is no hook ansibel, only ansible\n'),
            (done.status, done.stderr),
        )

    def test_as_a_deployment_it_reads_its_last_line(self) -> None:
        script = self.root / 'script'
        script.write_text(INSTALL.read_text() + '\n# elements: ' + json.dumps({}) + '\n')
        done = self.run_script(script, env={'hook': 'nonesuch'})
        self.assertEqual(
            (1, 'install-elements: there is no hook nonesuch\n'), (done.status, done.stderr)
        )


class ContainerAgentTest(base.TestCase):
    """container-agent.sh: how it drives podman or docker."""

    NOT_THERE = {'status': 1}

    def setUp(self) -> None:
        super().setUp()
        self.announce('bash', 'cat', 'grep', 'head', 'mktemp', 'rm', 'tar')
        for tool in ('chmod', 'mkdir', 'sleep'):
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
        self.assertEqual(['container inspect', 'image inspect', 'pull', 'create'], self.done())
        self.assertEqual(['pull', 'registry/agent:1'], self.calls('podman')[2].argv)
        create = self.calls('podman')[3].argv
        self.assertIn('registry/agent:1', create)
        self.assertIn('/var/lib/heat-config/deployed:/var/lib/heat-config/deployed', create)

    def test_a_pull_is_tried_again(self) -> None:
        done = self.prepare(*[self.NOT_THERE] * 4, {})
        self.assertEqual(0, done.status, done.stderr)
        self.assertEqual(['5', '10'], [call.argv[0] for call in self.calls('sleep')])
        self.assertEqual('create', self.done()[-1])

    def test_a_pull_that_fails_to_the_end_ends_it(self) -> None:
        done = self.prepare(self.NOT_THERE)
        self.assertEqual(1, done.status)
        self.assertEqual(['pull'] * 4, self.done()[2:])

    def test_an_archive_of_an_image_is_loaded(self) -> None:
        source = self.archive('manifest.json')
        done = self.prepare(self.NOT_THERE, self.NOT_THERE, {}, AGENT_IMAGE_SOURCE=source)
        self.assertEqual(0, done.status, done.stderr)
        self.assertEqual(
            ['container inspect', 'image inspect', 'load', 'image inspect', 'create'], self.done()
        )

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
        self.assertEqual(0, self.prepare({}).status)
        self.assertEqual(['container inspect'], self.done())

    def test_docker_does_where_there_is_no_podman(self) -> None:
        done = self.prepare(self.NOT_THERE, self.NOT_THERE, {}, runtime='docker')
        self.assertEqual(0, done.status, done.stderr)
        self.assertEqual(
            ['container inspect', 'image inspect', 'pull', 'create'], self.done('docker')
        )

    def test_podman_goes_before_docker(self) -> None:
        self.fake('docker')
        self.assertEqual(0, self.prepare({}).status)
        self.assertEqual([], self.done('docker'))

    def test_without_either_it_says_so(self) -> None:
        done = self.run_program(['bash', CONTAINER, 'prepare'])
        self.assertEqual(
            (1, 'container-agent: there is neither podman nor docker\n'), (done.status, done.stderr)
        )

    def test_the_container_gets_the_configuration(self) -> None:
        self.prepare(self.NOT_THERE, self.NOT_THERE, {}, AGENT_CONFIG='/a/file')
        self.assertEqual(
            ['cp', '/a/file', 'heat-container-agent:/etc/os-collect-config.conf'],
            self.calls('podman')[-1].argv,
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
