# SPDX-License-Identifier: Apache-2.0
"""A booted machine that goes down while a script runs: as the script wants, and as nobody wants.

Between the two the script restarts the agent that runs it.
"""

from localheat.client import StackFailed
from tests.integration import base, shared

# Three boots, on a busy machine.
LIMIT = 2 * base.LIMITS['qemu']
INTERRUPTED = 75  # of the dispatcher


class RestartTest(base.IntegrationTestCase):
    def test_scripts_run_once_for_each_boot_they_ask_for_and_are_never_lost(self) -> None:
        told = self.reports()
        stack = self.create(
            'restarts.yaml', None, flavor='qemu', image=shared.IMAGE, report_url=told.url
        )
        runs = []

        def ran(run: str) -> bool:
            runs.extend(told.take())
            return run in runs

        self.wait_for(lambda: ran('interrupted, after 0 reboots'), LIMIT)
        self.assertEqual(
            [
                'rebooting, after 0 reboots',
                'rebooting, after 1 reboots',
                'interrupted, after 0 reboots',
            ],
            runs,
        )
        server = stack.server('server')
        self.servers.reboot(server, hard=True)

        failed = self.assertRaises(StackFailed, stack.wait, LIMIT)

        self.assertIn(f'Deployment exited with non-zero status code: {INTERRUPTED}', str(failed))
        outputs = stack.outputs()
        self.assertEqual('rebooted 1 time, restarted the agent', outputs['rebooting'])
        self.assertIn('was interrupted: the server or its agent stopped', outputs['interrupted'])
        self.assertEqual([], told.take())
