# SPDX-License-Identifier: Apache-2.0
"""Each hook that can be had here with its real tool, in one image and in a real Heat.

The image is built where it is not there; see tests/integration/images.py. Chef and kubelet are not
to be had. Docker's daemon, which a chroot does not start by itself, is started by a deployment.
"""

import functools

from testtools.matchers import Contains, MatchesAny

from localheat.client import StackFailed
from localheat.services import Cloud
from tests.base import ELEMENTS
from tests.integration import base, images, shared

HOOKS = (
    'ansible',
    'apply-config',
    'cfn-init',
    'docker-cmd',
    'docker-compose',
    'hiera',
    'json-file',
    'podman',
    'puppet',
    'salt',
)
IMAGE = 'all-hooks-debian-trixie'
GREETING = 'Gr\u00fc\u00dfe, Heat'
# What runc says, and what crun says: podman runs the one that its packages have brought.
RUNC = 'exec: "no-such-program": executable file not found in $PATH'
CRUN = '`no-such-program` not found in $PATH'
#: By resource, pieces of which its tool says one of the mistake.
MISTAKES = {
    'ansible': ['Destination directory /no/such/folder does not exist'],
    'apply_config': ['nothing to apply'],
    'cfn_init': ["ls: cannot access '/no/such/folder'"],
    'docker_cmd': [RUNC],
    'docker_compose': [RUNC],
    'hiera': ["The data file '../outside' would lie outside of /etc/puppet/hieradata."],
    'json_file': ['/etc/hostname: Not a directory.'],
    'podman': [CRUN, RUNC],
    'puppet': ['No such file or directory'],
    'salt': ['/no/such/folder/x: Parent directory not present'],
    'script': ['no-such-command: not found'],
}
#: Seconds. The tools take some each.
LIMIT = 600


@functools.cache
def cloud() -> Cloud:
    """Return a cloud that has the image."""
    options = [option for hook in HOOKS for option in ('--hook', hook)]
    # A shell for containers, for there is no registry of images.
    image = images.built(
        IMAGE, *options, '-p', 'busybox-static', DIB_RELEASE='trixie', sources=[ELEMENTS]
    )
    return shared.until_exit(shared.new_cloud({IMAGE: image}))


class AllHooksTest(base.IntegrationTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.use(cloud())
        self.parameters = {'flavor': 'chroot', 'image': IMAGE}

    def test_each_hook_passes_on_what_heat_gives_it(self) -> None:
        stack = self.create('all_hooks.yaml', LIMIT, greeting=GREETING, **self.parameters)
        self.assertEqual(dict.fromkeys(MISTAKES, GREETING), stack.outputs())
        # Containers are removed by their hooks.
        self.delete(stack, LIMIT)

    def test_each_hook_that_fails_says_why(self) -> None:
        stack = self.create('all_hooks_failing.yaml', None, **self.parameters)
        self.assertRaises(StackFailed, stack.wait, LIMIT)

        def failed() -> bool:
            # The others go on when the first one has failed.
            return {
                resource.resource_name
                for resource in stack.resources()
                if resource.resource_status == 'CREATE_FAILED'
            } == set(MISTAKES)

        self.wait_for(failed, LIMIT)
        for resource in stack.resources():
            if resource.resource_name in MISTAKES:
                self.assertRegex(
                    resource.resource_status_reason,
                    'Deployment exited with non-zero status code: [1-9]',
                )
                deployment = self.stacks.heat.software_deployments.get(
                    resource.physical_resource_id
                )
                self.assertThat(
                    deployment.output_values['deploy_stderr'],
                    MatchesAny(*map(Contains, MISTAKES[resource.resource_name])),
                )
