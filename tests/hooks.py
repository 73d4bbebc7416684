# SPDX-License-Identifier: Apache-2.0
"""The base class of hooks' tests."""

import json
import shutil
from collections.abc import Mapping
from typing import Any, Optional

from tests import base, deployments, sandbox

KEYS = {'deploy_stdout', 'deploy_stderr', 'deploy_status_code'}


class HookTestCase(base.TestCase):
    """A test of one hook, which lies beside the shared library as it does on a server.

    class PuppetTest(hooks.HookTestCase):
        group = 'puppet'

        def test_inputs_are_facts(self):
            self.fake('puppet')
            self.deploy('puppet', inputs={'bar': 'x'})
            self.assertEqual('x', self.calls('puppet')[0].env['FACTER_bar'])
    """

    #: The group that the hook serves; its element is heat-config-<group>.
    group = ''
    #: Further variables of its environment that name files or folders, and what these are called
    #: below the test's root.
    paths: 'dict[str, str]' = {}
    #: A config to test with, where that of fixtures/deployments/<group>.json does not serve.
    config: Any = None
    #: Options to test with, such as short timeouts, in place of those recorded.
    options: 'Optional[dict[str, Any]]' = None

    def setUp(self) -> None:
        super().setUp()
        folder = self.root / 'hooks'
        folder.mkdir()
        for element in ('heat-config', f'heat-config-{self.group}'):
            for library in base.ELEMENTS.glob(f'{element}/install.d/heat_*.py'):
                shutil.copy(library, folder)
        self.hook = folder / self.group
        shutil.copy(
            base.ELEMENTS / f'heat-config-{self.group}/install.d/hook-{self.group}.py', self.hook
        )
        self.working = self.root / 'working'
        self.outputs = self.root / 'outputs'
        variable = 'HEAT_' + self.group.upper().replace('-', '_')
        self.sandbox.env[variable + '_WORKING'] = str(self.working)
        self.sandbox.env[variable + '_OUTPUTS'] = str(self.outputs)
        self.sandbox.env.update({name: str(self.root / path) for name, path in self.paths.items()})

    def run_hook(
        self,
        deployment: Any,
        env: Optional[Mapping[str, str]] = None,
        python: Optional[sandbox.PathLike] = None,
    ) -> sandbox.Completed:
        """Run the hook on whatever it is to get on its standard input."""
        return self.run_script(self.hook, stdin=deployment, env=env, python=python)

    def deploy(
        self,
        name: str,
        /,
        inputs: Optional[Mapping[str, Any]] = None,
        env: Optional[Mapping[str, str]] = None,
        python: Optional[sandbox.PathLike] = None,
        **fields: Any,
    ) -> 'dict[str, Any]':
        """Run the hook on a recorded deployment, and return its response.

        It must exit with 0 and print one JSON object with the three keys that Heat knows.

        :param name: the deployment, and inputs and fields to change in it: deployments.load().
        :param env: variables added to the hook's environment.
        :param python: the interpreter that runs the hook.
        """
        done = self.run_hook(deployments.load(name, inputs, **fields), env, python)
        self.assertEqual(0, done.status, done.stderr)
        response = json.loads(done.stdout)
        self.assertEqual(KEYS, KEYS & set(response))
        return response

    def remove_stale(self, metadata: Optional[str]) -> str:
        """Have removed what the hook started and Heat no longer has, as os-refresh-config does.

        :param metadata: what the file with Heat's deployments holds; None if there is none.
        :returns: what was logged.
        """
        if not (self.sandbox.bin / 'bash').exists():
            self.sandbox.announce('bash')
        path = self.root / 'metadata'
        if metadata is not None:
            path.write_text(metadata)
        done = self.run_program(
            [
                'bash',
                base.ELEMENTS
                / f'heat-config-{self.group}/os-refresh-config/configure.d'
                / f'50-heat-config-{self.group}',
            ],
            env={'HEAT_CONFIG_HOOKS': str(self.root / 'hooks'), 'HEAT_SHELL_CONFIG': str(path)},
        )
        # Another status would keep the deployments waiting that come next.
        self.assertEqual((0, ''), (done.status, done.stdout), done.stderr)
        return done.stderr
