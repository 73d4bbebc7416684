# SPDX-License-Identifier: Apache-2.0
"""Metadata and signals by way of a real Swift and a real Zaqar, between a real Heat and the agent.

The other transports are those of the tests with servers that boot.
"""

import json
import os
import pathlib
import sys
import time
import uuid

from localheat.cli import CACHE
from localheat.client import Stacks
from localheat.errors import LocalHeatError
from localheat.services import Cloud
from localheat.services.state import HOST, HOST_SEEN_BY_SERVERS
from tests import agent, base

TEMPLATE = pathlib.Path(__file__).with_name('templates') / 'transports.yaml'
COLLECTOR = os.path.join(os.path.dirname(sys.executable), 'os-collect-config')
LIMIT = 180  # seconds


class TransportTest(base.TestCase):
    guard_processes = False

    def start(self, service):
        """A cloud with a service beside its own."""
        try:
            self.cloud = Cloud.create(
                str(self.root / 'cloud'), cache=CACHE, kind='none', services=[service]
            )
        except LocalHeatError as error:
            if 'not installed' in str(error):
                self.skipTest(str(error))
            raise
        self.addCleanup(self.cloud.stop)
        self.cloud.start()
        self.agent = self.useFixture(agent.Agent(self.sandbox))
        self.sandbox.env.update(HEAT_CONFIG_VENV=sys.prefix, HEAT_CONFIG_NOTIFY_PATIENCE='30')

    def collect(self, collector, config):
        """The deployments that the real os-collect-config gets with what Heat told the server."""
        path = self.root / 'os-collect-config.conf'
        lines = [f'{name} = {value}' for name, value in config[collector].items() if value]
        path.write_text(
            '\n'.join(
                [
                    '[DEFAULT]',
                    f'collectors = {collector}',
                    f'cachedir = {self.root}/collected',
                    f'[{collector}]',
                    *lines,
                    '',
                ]
            )
        )
        end = time.monotonic() + LIMIT
        while time.monotonic() < end:
            done = self.run_program([COLLECTOR, '--config-file', path, '--one-time', '--print'])
            if done.status == 0:
                found = (json.loads(done.stdout).get(collector) or {}).get('deployments')
                if found:
                    return found
            time.sleep(1)
        self.fail(f'no deployments in {LIMIT} s; os-collect-config said:\n{done.stderr}')

    def here(self, value):
        """The same, with the address of this machine for the one by which servers reach it."""
        return json.loads(json.dumps(value).replace(HOST_SEEN_BY_SERVERS, HOST))

    def assert_deployed_by(self, server_transport, collector, signal_transport):
        stack = Stacks(self.cloud.environment).create(
            'stack-' + uuid.uuid4().hex[:8],
            str(TEMPLATE),
            {'server_transport': server_transport, 'signal_transport': signal_transport},
        )
        end = time.monotonic() + LIMIT
        while not stack.outputs().get('agent') and time.monotonic() < end:
            time.sleep(0.5)
        config = self.here(stack.outputs()['agent'])
        self.assertEqual([collector, 'local'], config['collectors'])
        done = self.agent.run(*self.here(self.collect(collector, config)))
        self.assertEqual(0, done.status, done.stderr)
        stack.wait(LIMIT)
        outputs = stack.outputs()
        self.assertEqual(('got bar', 'foo is bar\n'), (outputs['result'], outputs['stdout']))
        stack.delete()
        stack.wait(LIMIT)

    def test_by_temporary_urls_of_swift(self):
        self.start('swift')
        self.assert_deployed_by('POLL_TEMP_URL', 'request', 'TEMP_URL_SIGNAL')

    def test_by_messages_of_zaqar(self):
        self.start('zaqar')
        self.assert_deployed_by('ZAQAR_MESSAGE', 'zaqar', 'ZAQAR_SIGNAL')
