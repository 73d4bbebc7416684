# SPDX-License-Identifier: Apache-2.0
"""heat_agent_steps.py: carries out the steps that give a server its agent."""

import json
import os
import pathlib
import shutil
import ssl
import subprocess
from typing import Any
from unittest import mock

from tests import base, certificates
from tests.boot_config import BOOT, REPORT, STEPS, module


class StepsTest(base.TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.program = self.root / 'boot' / STEPS.name
        self.program.parent.mkdir()
        for path in (BOOT, STEPS):
            shutil.copy(path, self.program.parent)
        (self.program.parent / 'settings.json').write_text('{}')
        self.fake('systemd-run')
        self.fake('systemctl')

    def boot(self, *commands: 'list[str]', **plan: Any) -> Any:
        steps = [
            {'name': f'step {number}', 'command': command}
            for number, command in enumerate(commands, 1)
        ]
        (self.program.parent / 'steps.json').write_text(json.dumps(dict(plan, steps=steps)))
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
        self.assertEqual(str(self.program.parent / REPORT.name), call.argv[-1])
        self.assertIn('Conflicts=os-collect-config.service heat-container-agent.service', call.argv)
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


class TrustTest(base.TestCase):
    """A private CA."""

    def setUp(self) -> None:
        super().setUp()
        self.announce('openssl')
        self.authority = certificates.Authority(self.root / 'ca')
        self.pem = self.authority.certificate.read_text()

    def test_the_system_and_pip_trust_it(self) -> None:
        program = module(STEPS)
        store = self.root / 'anchors'
        store.mkdir()
        stores = (('/no/such/folder', '.crt', 'other'), (str(store), '.pem', 'update-trust'))
        with (
            mock.patch.object(program, 'TRUST_STORES', stores),
            mock.patch.object(program, 'run') as run,
            mock.patch('shutil.which', return_value='/usr/sbin/update-trust'),
        ):
            program.install({'steps': [{'name': 'a step', 'command': ['pip']}]}, self.pem)
        self.assertEqual([self.pem], [path.read_text() for path in store.glob('heat-agent-*.pem')])
        (trust, _), (step, _) = run.call_args_list
        self.assertEqual(['update-trust'], trust[1])
        paths = ssl.get_default_verify_paths()
        self.assertEqual(paths.cafile or paths.capath, step[2]['PIP_CERT'])

    def test_each_certificate_has_a_file_of_its_own(self) -> None:
        self.announce('true')
        program = module(STEPS)
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
        program = module(STEPS)
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
        program = module(STEPS)
        with mock.patch.object(program, 'TRUST_STORES', (('/no/such/folder', '.crt', 'x'),)):
            error = self.assertRaises(program.boot.Failure, program.trust, self.pem)
        self.assertIn('no folder for certificates that is known here: /no/such/folder', str(error))

    def test_text_without_a_certificate_is_no_ca(self) -> None:
        program = module(STEPS)
        error = self.assertRaises(program.boot.Failure, program.trust, 'CERTIFICATE')
        self.assertIn('no PEM certificate in trusted_ca', str(error))
