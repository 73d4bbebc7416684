# SPDX-License-Identifier: Apache-2.0
"""An image's format and root file system are found."""

import shutil

from localheat.servers import images
from tests import base


class ImagesTest(base.TestCase):
    def image(self, content):
        path = self.root / 'image'
        path.write_bytes(content)
        return str(path)

    def test_qcow2_is_known_by_its_magic_number(self):
        self.assertEqual('qcow2', images.image_format(self.image(b'QFI\xfb' + b'\0' * 100)))

    def test_anything_else_is_raw(self):
        self.assertEqual('raw', images.image_format(self.image(b'backing_file=/etc/shadow')))

    def test_a_raw_image_is_used_as_it_is(self):
        path = self.image(b'\0' * 4096)
        self.assertEqual(path, images.raw_copy(path, str(self.root / 'copies')))

    def test_an_image_without_partitions_is_one_file_system(self):
        self.assertEqual((0, 4096), images.root_partition(self.image(b'\0' * 4096)))

    def test_the_root_is_on_the_largest_partition(self):
        if not shutil.which('sfdisk'):
            self.skipTest('sfdisk is not installed')
        self.announce('sfdisk')
        path = self.image(b'')
        with open(path, 'wb') as stream:
            stream.truncate(16 << 20)
        table = 'label: gpt\n2048 2048 U\n4096 16384 L\n'
        self.assertEqual(0, self.run_program(['sfdisk', '-q', path], stdin=table).status)
        self.assertEqual((4096 * 512, 16384 * 512), images.root_partition(path))
