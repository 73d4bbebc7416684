# SPDX-License-Identifier: Apache-2.0
"""The built image, opened: it says what it is, and has nothing of the machine that built it."""

import json
import os
import pathlib
import re
import socket
import subprocess

from localheat.servers import images
from tests import base

#: A user and a password in an address, whatever they are.
CREDENTIALS = re.compile(rb'[a-z]://[^/\s:@"\'$<>{}]+:[^/\s:@"\'$<>{}]+@')


class ImageContentsTest(base.TestCase):
    #: mount, umount and qemu-img.
    guard_processes = False

    def setUp(self) -> None:
        super().setUp()
        if os.geteuid() != 0:
            self.skipTest('opening an image takes root')
        raw = images.raw_copy(os.environ['HEAT_IMAGE'], str(self.root / 'images'))
        offset, size = images.root_partition(raw)
        self.image = self.root / 'mounted'
        self.image.mkdir()
        subprocess.run(
            ['mount', '-o', f'ro,noload,loop,offset={offset},sizelimit={size}', raw, self.image],
            check=True,
        )
        self.addCleanup(subprocess.run, ['umount', self.image], check=True)

    def files(self, *folders: str) -> 'list[pathlib.Path]':
        return [
            path
            for folder in folders
            for path in (self.image / folder).rglob('*')
            if path.is_file() and not path.is_symlink()
        ]

    def test_it_says_what_it_was_made_of(self):
        release = (self.image / 'etc' / 'heat-agent-release').read_text()
        self.assertRegex(release, r'(?m)^VERSION=(?!unknown)\S+$')
        manifest = json.loads((self.image / 'usr/share/heat-agent/manifest.json').read_text())
        self.assertIn('script', manifest['hooks'])
        self.assertRegex(manifest['agents']['os-collect-config'], r'^\d+\.\d+')
        self.assertRegex(manifest['elements']['vm'], '^diskimage-builder 3')
        self.assertIn('heat-config', manifest['elements'])

    def test_it_has_no_identity_yet(self):
        self.assertIn((self.image / 'etc/machine-id').read_text(), ('', 'uninitialized\n'))
        self.assertEqual([], list((self.image / 'etc/ssh').glob('ssh_host_*')))
        self.assertFalse((self.image / 'var/lib/systemd/random-seed').exists())
        self.assertFalse(
            (self.image / 'etc/os-collect-config.conf').exists()
            and 'deploy' in (self.image / 'etc/os-collect-config.conf').read_text()
        )

    def test_it_has_nothing_of_the_machine_that_built_it(self):
        for name in ('etc/pip.conf', 'root/.config/pip', 'root/.pip', 'root/.netrc'):
            self.assertFalse((self.image / name).exists(), name)
        self.assertEqual([], self.files('tmp', 'var/tmp', 'root/.cache'))
        secrets = [
            os.environ[name].encode()
            for name in ('http_proxy', 'https_proxy', 'PIP_INDEX_URL')
            if '@' in os.environ.get(name, '')
        ]
        for path in self.files('etc', 'root', 'opt', 'var/log', 'usr/local', 'home'):
            text = path.read_bytes()
            for secret in secrets:
                self.assertNotIn(secret, text, path)
            if 'site-packages' not in path.parts:  # where libraries have examples
                self.assertEqual([], CREDENTIALS.findall(text), path)
        self.assertNotEqual(
            socket.gethostname(), (self.image / 'etc' / 'hostname').read_text().strip()
        )
