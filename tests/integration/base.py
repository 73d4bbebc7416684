# SPDX-License-Identifier: Apache-2.0
"""The base class of integration tests."""

import contextlib
import os
import pathlib
import time
import uuid
from typing import Any, Callable, Optional

from localheat.client import Stack, StackFailed, Stacks
from localheat.services import Cloud
from tests import base
from tests.integration import shared
from tests.integration.reports import Reports

TEMPLATES = pathlib.Path(__file__).with_name('templates')
# Seconds until a stack must be done, on a busy machine and, for QEMU, with an emulated processor.
LIMITS = {'chroot': 300, 'qemu': 1200}

# of templates/deployments.yaml
DEPLOYMENTS = ('signal_by_cfn', 'signal_by_heat')

load_scenarios = base.load_scenarios


class IntegrationTestCase(base.TestCase):
    """A test with a cloud, skipped where there is no image to boot."""

    guard_processes = False

    def setUp(self) -> None:
        super().setUp()
        image = shared.image()
        if not image:
            self.skipTest('HEAT_IMAGE names no image; ./build-heat-image.sh builds one')
        if not os.path.isfile(image):
            self.fail(f'HEAT_IMAGE: there is no file {image}')
        if os.geteuid() != 0:
            self.skipTest('a chroot and its mounts take root')
        self.use(shared.cloud())

    def own_cloud(self) -> Cloud:
        """Use a cloud from now on that is this test's alone, and return it."""
        context = contextlib.ExitStack()
        self.addCleanup(context.close)
        cloud = context.enter_context(shared.new_cloud())
        self.use(cloud)
        return cloud

    def use(self, cloud: Cloud) -> None:
        """Make a cloud the one that the test works in."""
        self.cloud = cloud
        self.stacks = Stacks(self.cloud.environment)
        self.servers = self.stacks.servers

    def create(
        self, template: str, limit: Optional[float], *environments: str, **parameters: Any
    ) -> Stack:
        """Create a stack that is deleted after the test.

        :param template: a file's name in templates/
        :param limit: seconds to wait until it is complete, None: do not wait
        :param environments: paths of environment files
        """
        name = 'test-' + uuid.uuid4().hex[:12]
        stack = self.stacks.create(name, str(TEMPLATES / template), parameters, environments)
        self.addCleanup(self._delete, stack)
        if limit is not None:
            stack.wait(limit)
        return stack

    def wait_for(self, condition: Callable[[], bool], limit: float) -> None:
        """Wait until a condition holds; fail when it takes longer than a number of seconds."""
        end = time.monotonic() + limit
        while not condition():
            if time.monotonic() > end:
                self.fail(f'not so after {limit} s')
            time.sleep(0.5)

    def update(self, stack: Stack, limit: float, **parameters: Any) -> None:
        stack.update(parameters)
        stack.wait(limit)

    def delete(self, stack: Stack, limit: float) -> None:
        stack.delete()
        stack.wait(limit)

    def reports(self) -> Reports:
        """Return what scripts on servers can report to; see templates/answer.sh."""
        reports = Reports()
        self.addCleanup(reports.close)
        return reports

    def assert_ran(self, action: str, reports: Reports) -> None:
        """Assert that since the last time the deployments ran for an action, each once."""
        self.assertEqual([f'{name} {action}' for name in DEPLOYMENTS], sorted(reports.take()))

    def _delete(self, stack: Stack) -> None:
        """Delete what a failed test leaves, without waiting for servers that may be lost."""
        try:
            for resource in stack.resources():
                if resource.resource_type == 'OS::Nova::Server' and resource.physical_resource_id:
                    self.servers.delete(resource.physical_resource_id)
            stack.delete()
            stack.wait(LIMITS['chroot'])
        except StackFailed:
            pass
