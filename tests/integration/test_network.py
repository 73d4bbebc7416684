# SPDX-License-Identifier: Apache-2.0
"""Servers reach each other, and this machine reaches them."""

import urllib.request

from tests.integration import base, shared

LIMIT = base.LIMITS['chroot']


class NetworkTest(base.IntegrationTestCase):
    def test_servers_of_two_stacks_with_the_same_addresses_talk_each_with_its_own(self) -> None:
        stacks = {
            page: self.create(
                'two_servers.yaml', None, flavor='chroot', image=shared.IMAGE, page=page
            )
            for page in ('one', 'two')
        }
        for page, stack in stacks.items():
            stack.wait(LIMIT)
            outputs = stack.outputs()
            self.assertEqual(f'{page}\n', outputs['page'])
            self.assertEqual(2, len(set(outputs['fixed'])))
            for address in outputs['fixed']:
                self.assertIn('192.168.77.', address)
            with urllib.request.urlopen(f'http://{outputs["address"]}/', timeout=30) as answer:
                self.assertEqual(f'{page}\n', answer.read().decode())
