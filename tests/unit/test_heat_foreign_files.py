# SPDX-License-Identifier: Apache-2.0
"""heat_foreign_files: writing as root where another user may have planted something."""

import json
import os
import sys

from tests import base

LIBRARY = base.ELEMENTS / 'heat-config/install.d'
NOBODY = 65534
CALL = """
import json, sys
sys.path.insert(0, {library!r})
import heat_foreign_files
from heat_process import HookError
name, arguments, options = json.load(sys.stdin)
if 'data' in options:
    arguments.append(options.pop('data').encode())
if options.get('owner'):
    options['owner'] = tuple(options['owner'])
try:
    print(getattr(heat_foreign_files, name)(*arguments, **options))
except HookError as error:
    print('refused:', error)
"""


class ForeignFilesTest(base.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = self.root / 'theirs'
        self.folder.mkdir()
        self.victim = self.root / 'victim'
        self.victim.write_text('secret')
        self.victim.chmod(0o600)

    def call(self, name, *arguments, **options):
        done = self.run_program(
            [sys.executable, '-B', '-c', CALL.format(library=str(LIBRARY))],
            stdin=json.dumps([name, arguments, options]),
        )
        self.assertEqual(0, done.status, done.stderr)
        return done.stdout.strip()

    def write(self, path, data='new', **options):
        return self.call('write', str(path), data=data, **options)

    def give(self, path):
        if os.geteuid():
            self.skipTest('a link of another user can be made by root alone')
        os.chown(path, NOBODY, NOBODY, follow_symlinks=False)

    def unharmed(self):
        status = self.victim.stat()
        self.assertEqual(('secret', 0o600), (self.victim.read_text(), status.st_mode & 0o777))
        self.assertEqual(os.geteuid(), status.st_uid)

    def test_a_file_is_written_with_its_mode_and_tells_whether_it_changed(self):
        path = self.folder / 'a/b/file'
        self.assertEqual('True', self.write(path))
        self.assertEqual(0o644, path.stat().st_mode & 0o777)
        self.assertEqual(0o700, path.parent.stat().st_mode & 0o777)
        self.assertEqual('False', self.write(path, mode=0o640))
        self.assertEqual(0o640, path.stat().st_mode & 0o777)
        self.assertEqual('True', self.write(path, 'newer'))
        self.assertEqual(('newer', 0o640), (path.read_text(), path.stat().st_mode & 0o777))
        self.assertEqual(['file'], os.listdir(path.parent))

    def test_links_of_root_are_followed(self):
        (self.root / 'real').mkdir()
        (self.folder / 'relative').symlink_to('../real')
        (self.folder / 'absolute').symlink_to(self.root / 'real')
        (self.folder / 'file').symlink_to('relative/../real/target')
        for name in ('relative/a', 'absolute/b', 'file'):
            self.assertEqual('True', self.write(self.folder / name))
        self.assertEqual(['a', 'b', 'target'], sorted(os.listdir(self.root / 'real')))

    def test_a_link_of_another_user_is_refused(self):
        link = self.folder / 'link'
        link.symlink_to(self.victim)
        self.give(link)
        self.assertIn(
            f'{link} is a link that belongs to the user with the id 65534', self.write(link)
        )
        self.unharmed()

    def test_a_folder_that_is_a_link_of_another_user_is_refused(self):
        link = self.folder / 'sub'
        link.symlink_to(self.root)
        self.give(link)
        self.assertIn('refused', self.write(link / 'victim'))
        self.assertIn('refused', self.write(link / 'new/file'))
        self.assertIn('refused', self.call('refuse_links_in', str(self.folder)))
        self.unharmed()
        self.assertFalse((self.root / 'new').exists())

    def test_a_hard_link_is_not_written_through(self):
        os.link(self.victim, self.folder / 'file')
        self.write(self.folder / 'file', owner=[os.geteuid(), os.getegid()], mode=0o644)
        self.unharmed()

    def test_a_fifo_in_its_place_does_not_hold_it_up(self):
        os.mkfifo(self.folder / 'file')
        self.assertEqual('True', self.write(self.folder / 'file', mode=0o600))
        self.assertEqual('new', (self.folder / 'file').read_text())

    def test_links_in_a_circle_are_an_error(self):
        (self.folder / 'a').symlink_to('b')
        (self.folder / 'b').symlink_to('a')
        self.assertIn('leads in a circle', self.write(self.folder / 'a'))
        self.assertIn('leads in a circle', self.write(self.folder / 'a/file'))

    def test_a_link_is_made_in_place_of_another_and_of_nothing_else(self):
        link = self.folder / 'link'
        self.assertEqual('True', self.call('link', str(link), 'there'))
        self.assertEqual('False', self.call('link', str(link), 'there'))
        self.assertEqual('True', self.call('link', str(link), 'elsewhere'))
        self.assertEqual('elsewhere', os.readlink(link))
        self.assertIn('refused', self.call('link', str(self.victim), 'there'))
        self.unharmed()
