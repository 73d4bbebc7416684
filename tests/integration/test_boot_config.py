# SPDX-License-Identifier: Apache-2.0
"""boot-config and the example templates, in a real Heat.

Pristine images are built where they are not there; see tests/integration/images.py. By default one
boots, Debian 13, in a chroot. To boot in QEMU, or Debian 12, which takes long, say so:
HEAT_FIRST_BOOT='qemu chroot', HEAT_FIRST_RELEASES='trixie bookworm'. HEAT_INSTALL_HOOKS names the
hooks to install on a running server, by default the quick ones.
"""

import base64
import email
import functools
import json
import os
import pathlib
import urllib.parse
import uuid
from collections.abc import Mapping
from typing import Any, Optional

import yaml
from heatclient.common import template_utils

from localheat.client import Stack, StackFailed, Stacks
from localheat.errors import LocalHeatError
from localheat.services import Cloud
from tests import base, certificates
from tests.integration import images, proxy, shared, this_machine, user_data, web
from tests.integration.base import LIMITS, IntegrationTestCase

load_tests = base.load_scenarios

TEMPLATES = pathlib.Path(__file__).with_name('templates')
EXAMPLES = sorted((base.ROOT / 'example-templates').glob('*.yaml'))
KINDS = os.environ.get('HEAT_FIRST_BOOT', 'chroot').split()
RELEASES = os.environ.get('HEAT_FIRST_RELEASES', 'trixie').split()
HOOKS = os.environ.get('HEAT_INSTALL_HOOKS', 'ansible apply-config cfn-init json-file').split()


@functools.cache
def cloud() -> Cloud:
    """A cloud in which nothing boots."""
    return shared.until_exit(user_data.new_cloud())


@functools.cache
def pristine_cloud() -> Cloud:
    """A cloud with pristine images, named as the releases are."""
    return shared.until_exit(
        shared.new_cloud({release: images.pristine(release) for release in RELEASES})
    )


def container_image() -> str:
    """A root file system of Debian with the agent."""
    return images.built(
        'agent-container',
        kind='tar',
        sources=[base.ELEMENTS],
        BASE_ELEMENTS='debian-minimal',
        DIB_RELEASE='trixie',
    )


class ExamplesTest(base.TestCase):
    """The example templates are good, with each environment where they need one."""

    guard_processes = False
    scenarios = [
        (f'{example.stem},{environment}', {'example': example, 'environment': environment})
        for example in EXAMPLES
        for environment in (
            user_data.ENVIRONMENTS if 'Heat::InstallConfigAgent' in example.read_text() else ['']
        )
    ]

    def test_heat_validates_it(self) -> None:
        environments = [user_data.path(self.environment)] if self.environment else []
        files, template = template_utils.get_template_contents(str(self.example))
        more, environment = template_utils.process_multiple_environments_and_files(
            env_paths=environments
        )
        Stacks(cloud().environment).heat.stacks.validate(
            template=template, files=dict(files, **more), environment=environment
        )


#: As long as a certificate of an RSA key is.
PEM = f'-----BEGIN CERTIFICATE-----\n{1000 * "x"}\n-----END CERTIFICATE-----\n'


class UserDataTest(base.TestCase):
    """The user data as Heat hands them to Nova."""

    guard_processes = False
    scenarios = [(name, {'environment': name}) for name in user_data.variants()]

    def test_a_ca_without_a_certificate_is_refused_when_the_stack_is_created(self) -> None:
        if self.environment in ('ignition_env.yaml', 'none_env.yaml'):
            self.skipTest('it does nothing with trusted_ca')
        error = self.assertRaises(
            LocalHeatError,
            user_data.render,
            Stacks(cloud().environment),
            [user_data.path(self.environment)],
            {'trusted_ca': 'no certificate'},
        )
        self.assertIn('There must be a PEM certificate in it', str(error))

    def test_they_are_at_most_half_of_what_nova_takes_and_ascii(self) -> None:
        rendered = user_data.render(
            Stacks(cloud().environment),
            [user_data.path(self.environment)],
            {
                'hooks': ['ansible', 'puppet'],
                'pip_mirror': 'https://index.example.org/simple',
                'trusted_ca': PEM,
            },
        )
        self.assertLessEqual(len(base64.b64encode(rendered)), user_data.LIMIT)
        rendered.decode('ascii')
        if self.environment not in ('ignition_env.yaml', 'none_env.yaml'):
            self.assertIn(b'\nmerge_how: ', rendered)


class IgnitionTest(base.TestCase):
    """The user data for Ignition, as its specification 3.3.0 wants them.

    What Heat itself adds, cfn-init-data, names a file system, as in specification 2; Ignition only
    warns of that.
    """

    guard_processes = False

    def setUp(self) -> None:
        super().setUp()
        rendered = json.loads(
            user_data.render(
                Stacks(cloud().environment),
                [user_data.path('ignition_env.yaml')],
                {'agent_image': 'registry.example.org/agent:1'},
            )
        )
        self.rendered = rendered
        self.files = {item['path']: item for item in rendered['storage']['files']}

    def test_ignition_gets_the_script_as_a_data_url(self) -> None:
        files = {
            path: urllib.parse.unquote(item['contents']['source'])
            for path, item in self.files.items()
        }
        script = (user_data.BOOT_CONFIG / 'templates/lib/container-agent.sh').read_text()
        self.assertEqual('data:,' + script, files['/var/lib/heat-agent-boot/container-agent.sh'])
        self.assertIn(
            'AGENT_IMAGE="registry.example.org/agent:1"\n',
            files['/etc/default/heat-container-agent'],
        )
        self.assertIn('/var/lib/heat-cfntools/cfn-init-data', files)

    def test_it_has_the_specifications_fields_and_data_urls(self) -> None:
        self.assertEqual({'version': '3.3.0'}, self.rendered['ignition'])
        self.assertEqual({'ignition', 'storage', 'systemd'}, set(self.rendered))
        (unit,) = self.rendered['systemd']['units']
        self.assertEqual({'name', 'enabled', 'contents'}, set(unit))
        self.assertIs(True, unit['enabled'])
        for path, item in self.files.items():
            self.assertLessEqual(
                set(item) - {'filesystem'}, {'path', 'mode', 'contents', 'user', 'group'}
            )
            self.assertIsInstance(item['mode'], int, path)
            # What RFC 2397 lets stand for itself, and escapes.
            self.assertRegex(
                item['contents']['source'], r"^data:,([\w.!~*'();/?:@&=+$,-]|%[0-9A-F]{2})*$", path
            )


class FirstBootTest(base.TestCase):
    """A pristine image boots as a server of a real Heat."""

    guard_processes = False
    scenarios = [
        (f'{kind},{release}', {'kind': kind, 'release': release})
        for kind in KINDS
        for release in RELEASES
    ]

    def setUp(self) -> None:
        super().setUp()
        if os.geteuid() != 0:
            self.skipTest('a chroot and its mounts take root')
        self.cloud = pristine_cloud()
        self.stacks = Stacks(self.cloud.environment)

    def create(
        self, environment: str, parameters: 'Optional[Mapping[str, Any]]' = None, **settings: Any
    ) -> Stack:
        """Begin to create a stack with a server.

        :param parameters: of the template.
        :param settings: of Heat::InstallConfigAgent.
        """
        settings = {'trusted_ca': this_machine.certificates(), **this_machine.index(), **settings}
        more = self.root / 'parameters.yaml'
        more.write_text(yaml.safe_dump({'parameter_defaults': settings}))
        self.environments = [user_data.path(environment), str(more)]
        stack = self.stacks.create(
            'test-' + uuid.uuid4().hex[:12],
            str(TEMPLATES / 'first_boot.yaml'),
            self.parameters(**(parameters or {})),
            self.environments,
            timeout_minutes=60,
        )
        self.addCleanup(self.delete, stack)
        return stack

    def parameters(self, **more: Any) -> 'dict[str, Any]':
        # An emulated machine can take longer than the other's URL is valid.
        return {
            'flavor': self.kind,
            'image': self.release,
            'signal_transport': 'HEAT_SIGNAL' if self.kind == 'qemu' else 'CFN_SIGNAL',
            **more,
        }

    def delete(self, stack: Stack) -> None:
        self.stacks.servers.delete(stack.server('server'))
        stack.delete()
        stack.wait(600)  # of containers, much is on the disk

    wait_for = IntegrationTestCase.wait_for

    def outputs(self, stack: Stack) -> 'dict[str, Any]':
        # Installing takes as long again as booting.
        stack.wait(3 * LIMITS[self.kind])
        return stack.outputs()

    def test_debian_pip_installs_the_agent_and_a_hook_and_deploys_also_again(self) -> None:
        stack = self.create('debian_pip_env.yaml', {'forget': True}, hooks=['json-file'])
        outputs = self.outputs(stack)
        self.assertEqual('hello', outputs['answer'])
        self.assertIn('agent: /opt/stack/venvs/heat-agent/bin/os-collect-config', outputs['stdout'])
        self.assertIn(' json-file script\n', outputs['stdout'])

        # The server has forgotten its first boot.
        server = stack.server('server')
        self.stacks.servers.reboot(server)
        stack.update(self.parameters(greeting='hello again'), self.environments)
        outputs = self.outputs(stack)
        self.assertEqual('hello again', outputs['answer'])
        self.assertIn("before: ['hello'], in the agent's configuration: hello\n", outputs['stdout'])
        console = self.stacks.servers.console(server, 100000)
        self.assertEqual(2, console.count('heat-agent-boot: done'))

    def test_after_a_power_cut_the_installation_begins_again(self) -> None:
        stack = self.create('debian_pip_env.yaml')

        def console() -> str:
            server = next(
                (
                    item.physical_resource_id
                    for item in stack.resources()
                    if item.resource_name == 'server'
                ),
                None,
            )
            return self.stacks.servers.console(server, 1000) if server else ''

        self.wait_for(
            lambda: 'heat-agent-boot: install the agent ...' in console(), LIMITS[self.kind]
        )
        self.stacks.servers.reboot(stack.server('server'), hard=True)
        self.assertEqual('hello', self.outputs(stack)['answer'])
        self.assertEqual(1, console().count('heat-agent-boot: done'))

    def test_the_index_may_be_behind_a_proxy_and_have_a_certificate_by_a_private_ca(self) -> None:
        authority = certificates.Authority(self.root / 'ca')
        far = proxy.Index(this_machine.index_url(), authority.issue('DNS:index.test'))
        self.addCleanup(far.close)
        near = proxy.Proxy({'index.test': ('127.0.0.1', far.port)})
        self.addCleanup(near.close)
        outputs = self.outputs(
            self.create(
                'debian_pip_env.yaml',
                pip_mirror='https://index.test' + far.path,
                trusted_ca=this_machine.certificates() + authority.certificate.read_text(),
                http_proxy=near.url,
                https_proxy=near.url,
            )
        )
        self.assertEqual('hello', outputs['answer'])
        self.assertIn(('CONNECT', 'index.test:443'), near.asked)

    def test_debian_apt_deploys_and_its_cloud_init_takes_all_user_data(self) -> None:
        if self.release == 'bookworm':
            self.skipTest('Debian 12 does not have all of the agents')
        outputs = self.outputs(
            self.create('debian_apt_env.yaml', {'cloud_configs': self.cloud_configs()})
        )
        self.assertEqual('hello', outputs['answer'])
        self.assertIn('agent: /usr/bin/os-collect-config\n', outputs['stdout'])

    def test_container_agent_loads_its_image_from_a_url_and_deploys(self) -> None:
        if self.release == 'bookworm':
            self.skipTest('one release will do')
        image = pathlib.Path(container_image())
        folder = web.Folder(image.parent)
        self.addCleanup(folder.close)
        prepare = (TEMPLATES / 'container_settings.sh').read_text()
        outputs = self.outputs(
            self.create(
                'container_agent_env.yaml',
                {'prepare': prepare if self.kind == 'chroot' else ''},
                agent_image_source=folder.url + image.name,
            )
        )
        self.assertEqual('hello', outputs['answer'])
        self.assertIn('agent: /opt/stack/venvs/heat-agent/bin/os-collect-config', outputs['stdout'])

    def cloud_configs(self) -> 'dict[str, str]':
        """The cloud-configs of all environments that have one."""
        found = {}
        for name in user_data.variants():
            rendered = user_data.render(self.stacks, [user_data.path(name)], {})
            for part in email.message_from_bytes(rendered).walk():
                if part.get_filename() == 'heat-agent-boot.yaml':
                    found[name] = part.get_payload()
        self.assertIn('container_agent_env.yaml', found)
        return found

    def test_an_index_that_is_not_reached_makes_the_deployment_fail_and_says_so(self) -> None:
        # The discard port of the server itself.
        stack = self.create('debian_pip_env.yaml', pip_mirror='http://me:geheim@127.0.0.1:9/simple')
        error = self.assertRaises(StackFailed, stack.wait, 3 * LIMITS[self.kind])
        self.assertIn('Deployment exited with non-zero status code: 1', str(error))
        # As `openstack stack failures list` does.
        reason = self.stacks.heat.software_deployments.get(
            stack.server('deployment')
        ).output_values['deploy_stderr']
        self.assertIn('install the agent: failed with status 1', reason)
        self.assertIn('No matching distribution found for os-', reason)
        console = self.stacks.servers.console(stack.server('server'), 10000)
        self.assertIn('The Heat agent is not installed. install the agent: failed', console)
        self.assertNotIn('geheim', reason + console)


class NoneTest(IntegrationTestCase):
    """An image that has the agent needs none, and takes the same templates."""

    scenarios = [(kind, {'kind': kind}) for kind in KINDS]

    def test_none_deploys(self) -> None:
        stack = self.create(
            'first_boot.yaml',
            LIMITS[self.kind],
            user_data.path('none_env.yaml'),
            flavor=self.kind,
            image=shared.IMAGE,
            signal_transport='HEAT_SIGNAL',
        )
        self.assertEqual('hello', stack.outputs()['answer'])


class InstallHookTest(IntegrationTestCase):
    """Hooks come to a server whose agent is running."""

    def install(self, *hooks: str) -> Stack:
        """Begin to create a stack whose server gets hooks, one deployment for each."""
        template = yaml.safe_load((TEMPLATES / 'install_hook.yaml').read_text())
        for hook in hooks:
            template['resources'][hook] = {
                'type': str(base.ROOT / 'boot-config' / 'templates' / 'install_hook.yaml'),
                'depends_on': 'trusted',
                'properties': {
                    'hook': hook,
                    'server': {'get_resource': 'server'},
                    **this_machine.index(),
                },
            }
        path = self.root / 'template.yaml'
        path.write_text(yaml.safe_dump(template))
        return self.create(
            str(path),
            None,
            flavor='chroot',
            image=shared.IMAGE,
            certificates=this_machine.certificates(),
        )

    def test_each_is_installed_with_its_tool(self) -> None:
        self.install(*HOOKS).wait(120 + 120 * len(HOOKS))

    def test_a_tool_that_the_distribution_lacks_is_named(self) -> None:
        stack = self.install('chef')
        self.assertRaises(StackFailed, stack.wait, LIMITS['chroot'])
        said = self.reason(stack)
        self.assertIn('the hook chef needs chef-client or cinc-client', said)

    def test_a_hook_that_is_none_is_named(self) -> None:
        stack = self.install('nonesuch')
        self.assertRaises(StackFailed, stack.wait, LIMITS['chroot'])
        self.assertIn('there is no hook nonesuch', self.reason(stack))

    def reason(self, stack: Stack) -> str:
        """What the server says of the deployment that failed."""
        (deployment,) = (
            item.physical_resource_id
            for item in stack.resources()
            if item.resource_name == 'deployment'
        )
        return self.stacks.heat.software_deployments.get(deployment).output_values['deploy_stderr']
