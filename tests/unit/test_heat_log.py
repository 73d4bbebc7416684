# SPDX-License-Identifier: Apache-2.0
"""What the agent says: without credentials, and whether anyone reads it or not."""

import os
import sys

import fixtures

from tests import agent, base, modules

LIBRARY = agent.ELEMENT / 'install.d'
heat_mask = modules.load(LIBRARY / 'heat_mask.py')


class MaskTest(base.TestCase):
    def test_a_credential_is_masked_wherever_the_pieces_of_the_stream_end(self):
        secrets = ['PASSWORD', 'PASS', 'SSW0', 'https://h/?Signature=x']
        text = 'a PASSWORD, PASSWORDPASSWORD PASS PAS PASSSSW0 https://h/?Signature=xPASSWOR\n'
        shown = 'a ***, ****** *** PAS ****** ******WOR\n'
        for size in range(1, len(text) + 1):
            mask = heat_mask.Mask(secrets)
            pieces = [text[n : n + size].encode() for n in range(0, len(text), size)]
            found = b''.join(map(mask.write, pieces)) + mask.close()
            self.assertEqual(shown, found.decode(), size)

    def test_what_is_no_credential_is_shown_at_once(self):
        mask = heat_mask.Mask(['PASSWORD'])
        self.assertEqual(b'progress: 10%', mask.write(b'progress: 10%'))
        self.assertEqual(b'', heat_mask.Mask([]).close())


class JournalTest(base.TestCase):
    def setUp(self):
        super().setUp()
        self.useFixture(fixtures.MonkeyPatch('sys.path', [str(LIBRARY), *sys.path]))
        self.heat_log = modules.load(LIBRARY / 'heat_log.py')

    def test_what_is_read_again_says_what_was_lost(self):
        journal = self.heat_log.Journal()
        reading, writing = os.pipe()
        self.useFixture(fixtures.MonkeyPatch('sys.stderr', open(writing, 'w')))
        with open(reading, 'rb') as file:
            journal.write(b'x' * 200000)
            journal.write(b'more')
            kept = len(os.read(reading, 10**6))
            journal.write(b'again\n')
            self.assertEqual(
                f'heat-config: [... {200004 - kept} bytes were read by nobody ...]\nagain\n',
                os.read(reading, 10**6).decode(),
            )
            sys.stderr.close()
            self.assertEqual(b'', file.read())
