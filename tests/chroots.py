# SPDX-License-Identifier: Apache-2.0
"""Small systems of Debian in a folder, without kernel or boot: to install things in."""

import functools
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from tests.integration.this_machine import certificates

FOLDER = pathlib.Path(sys.prefix) / 'chroots'
PACKAGES = 'python3,ca-certificates,systemd'
#: Runs a command in another root file system, with /proc and /dev, which vanish with it.
ENTER = """
mount -t proc proc "$1/proc"
mount --rbind /dev "$1/dev"
exec chroot "$@"
"""


def why_not() -> str:
    """Why this machine can make none, or nothing."""
    if os.geteuid() != 0:
        return 'mounts take root'
    if not shutil.which('mmdebstrap'):
        return 'there is no mmdebstrap'
    return ''


@functools.cache
def archive(release: str) -> pathlib.Path:
    """A tar file of a system, made once for an environment of tests."""
    path = FOLDER / f'{release}.tar'
    if not path.exists():
        FOLDER.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=FOLDER) as name:
            new = pathlib.Path(name, path.name)
            command = ['mmdebstrap', '--quiet', '--variant=minbase', '--include=' + PACKAGES]
            mirror = os.environ.get('DIB_DISTRIBUTION_MIRROR', '').split()
            subprocess.run([*command, release, str(new), *mirror], check=True)
            new.rename(path)
    return path


def unpack(release: str, folder: pathlib.Path) -> None:
    """Make a system in a folder, which trusts whom this machine trusts."""
    folder.mkdir()
    subprocess.run(
        ['tar', '--extract', '--file', archive(release), '--exclude=./dev/*'],
        cwd=folder,
        check=True,
    )
    (folder / 'usr/local/share/ca-certificates/tests.crt').write_text(certificates())
    with (folder / 'etc/ssl/certs/ca-certificates.crt').open('a') as bundle:
        bundle.write(certificates())


def command(root: pathlib.Path, *words: str) -> 'list[str]':
    """What runs a command in a system."""
    return [
        'unshare',
        '--mount',
        '--propagation',
        'private',
        'sh',
        '-euc',
        ENTER,
        'sh',
        str(root),
        *words,
    ]
