# SPDX-License-Identifier: Apache-2.0
"""Deployments on servers whose image is for arm64.

By hand, for an image takes an hour to build where nothing but QEMU runs its programs:

    ./build-heat-image.sh --arch arm64 -o arm64
    HEAT_ARM64_IMAGE=arm64.qcow2 HEAT_IMAGE=any.qcow2 ./run_tests.sh --integration test_arm64
"""

import os

from tests.integration import base, test_deployments

load_tests = base.load_scenarios

#: How much longer an emulated processor of another kind takes.
FACTOR = 3


class Arm64Test(test_deployments.LifeCycleTest):
    scenarios = [(flavor, {'flavor': flavor}) for flavor in ('chroot', 'qemu')]

    def setUp(self) -> None:
        image = os.environ.get('HEAT_ARM64_IMAGE')
        if not image:
            self.skipTest('HEAT_ARM64_IMAGE names no image')
        super().setUp()
        self.cloud.add_image('arm64', os.path.abspath(image), architecture='aarch64')

    def test_scripts_run_once_per_action_and_their_outputs_reach_the_stack(self) -> None:
        limit = FACTOR * base.LIMITS[self.flavor]
        told = self.reports()
        stack = self.create(
            'deployments.yaml',
            limit,
            flavor=self.flavor,
            image='arm64',
            report_url=told.url,
            metadata_transport=test_deployments.CFN,
        )
        self.assert_outputs(stack, 'hello', 'CREATE')
        self.assert_ran('CREATE', told)
        self.delete(stack, limit)
        self.assert_ran('DELETE', told)
