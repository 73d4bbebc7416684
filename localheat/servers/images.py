# SPDX-License-Identifier: Apache-2.0
"""Images as files: their format, and where their root file system lies."""

import json
import os
import tempfile
import threading
from typing import Any

from localheat.errors import LocalHeatError
from localheat.process import run

_lock = threading.Lock()


def image_format(path: str) -> str:
    """Return an image's format, as QEMU names it.

    Only two are taken, so that no image makes QEMU open what it names as its backing file.
    """
    with open(path, 'rb') as stream:
        return 'qcow2' if stream.read(4) == b'QFI\xfb' else 'raw'


def raw_copy(image: str, directory: str) -> str:
    """Return a raw image's path: the image itself, or one made from it in a folder, once.

    The kernel can mount raw images only.
    """
    if image_format(image) == 'raw':
        return image
    stamp = os.stat(image)
    name = f'{os.path.basename(image)}.{stamp.st_mtime_ns}.{stamp.st_size}.raw'
    path = os.path.join(directory, name)
    with _lock:
        if not os.path.exists(path):
            os.makedirs(directory, mode=0o700, exist_ok=True)
            handle, draft = tempfile.mkstemp(dir=directory)
            os.close(handle)
            try:
                run(['qemu-img', 'convert', '-f', 'qcow2', '-O', 'raw', image, draft], 'qemu-utils')
                os.rename(draft, path)
            except BaseException:
                os.unlink(draft)
                raise
    return path


def root_partition(path: str) -> tuple[int, int]:
    """Return offset and size, in bytes, of a raw image's largest partition.

    An image without a partition table is one file system: its offset is 0.
    """
    with open(path, 'rb') as stream:
        head = stream.read(1024)
    # every partition table, GPT's too, ends its first sector so; but so do some file systems' boot
    # sectors, and sfdisk tells them apart
    if head[510:512] == b'\x55\xaa':
        table = _partition_table(path)
        if table:
            sector = table.get('sectorsize', 512)
            largest = max(table['partitions'], key=lambda part: part['size'])
            return largest['start'] * sector, largest['size'] * sector
    return 0, os.path.getsize(path)


def _partition_table(path: str) -> Any:
    try:
        table = json.loads(run(['sfdisk', '--json', path], 'fdisk'))['partitiontable']
    except LocalHeatError:
        return None
    return table if table.get('partitions') else None
