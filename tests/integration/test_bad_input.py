# SPDX-License-Identifier: Apache-2.0
"""What cannot work is said in words."""

from localheat.client import Stacks
from localheat.errors import LocalHeatError
from tests.integration import base, shared


class BadInputTest(base.IntegrationTestCase):
    def refuse(self, template: str, **parameters: str) -> str:
        """Try to create a stack; return what is said against it."""
        error = self.assertRaises(LocalHeatError, self.create, template, None, **parameters)
        return str(error)

    def write(self, text: str) -> str:
        path = self.root / 'template.yaml'
        path.write_text(text)
        return str(path)

    def test_an_image_that_is_not_there_is_named(self) -> None:
        said = self.refuse('no_deployment.yaml', flavor='chroot', image='nonesuch')
        self.assertIn('Heat refuses', said)
        self.assertIn('nonesuch', said)

    def test_a_flavor_that_is_not_there_is_named(self) -> None:
        said = self.refuse('no_deployment.yaml', flavor='nonesuch', image=shared.IMAGE)
        self.assertIn('nonesuch', said)

    def test_a_template_that_is_not_there_is_named(self) -> None:
        self.assertIn('/nowhere/template.yaml', self.refuse('/nowhere/template.yaml'))

    def test_a_template_that_is_not_yaml_is_named(self) -> None:
        path = self.write('resources: {\n')
        self.assertIn(path, self.refuse(path))

    def test_a_template_that_is_no_template_is_refused(self) -> None:
        self.assertIn(
            'Heat refuses',
            self.refuse(
                self.write(
                    'heat_template_version: 2018-08-31\nresources: {a: {type: OS::None::Such}}\n'
                )
            ),
        )

    def test_a_cloud_that_is_down_is_said_to_be_down(self) -> None:
        stacks = Stacks(dict(self.cloud.environment, OS_AUTH_URL='http://127.0.0.1:9/v3'))
        error = self.assertRaises(
            LocalHeatError, stacks.create, 'one', str(base.TEMPLATES / 'deployed_server.yaml')
        )
        self.assertIn('cannot be reached', str(error))
