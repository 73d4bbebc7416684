# SPDX-License-Identifier: Apache-2.0
"""What this machine is, and what the caller may do on it."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from typing import Optional

from imagebuild.errors import Refusal

GIB = 1024**3
#: Free space, in GiB, that a build takes at its peak: the root file system twice (as a tree and in
#: the raw disk). A Debian image with all hooks takes 3.5 GiB.
BUILD_GIB = 5.0
#: Free space, in GiB, for the compressed image, and as much for the package caches.
IMAGE_GIB = 1.0


def is_root() -> bool:
    return os.geteuid() == 0


def as_root(command: list[str]) -> list[str]:
    """Return a command that does the same with root's rights."""
    return command if is_root() else ['sudo', *command]


def check_rights(ask: bool = True) -> None:
    """Make sure that sudo, which diskimage-builder calls, will work.

    :param ask: sudo itself; else only look whether there is one.
    :raises Refusal: neither root nor allowed to become root.
    """
    if is_root():
        return
    if shutil.which('sudo') is None:
        raise Refusal(
            'Building an image takes root rights (mounts, chroot), and there is no sudo '
            'on this machine: run this command as root.'
        )
    if not ask:
        return
    interactive = [] if sys.stdin.isatty() else ['--non-interactive']
    if subprocess.run(['sudo', *interactive, '--validate']).returncode != 0:
        raise Refusal(
            'Building an image takes root rights (mounts, chroot), and sudo gives none '
            'to this user: run this command as root, or have sudo allowed.'
        )
    # As the build calls it: for minutes, and without a terminal to ask for a password.
    quiet = subprocess.run(
        ['sudo', '--non-interactive', 'true'],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
        text=True,
    )
    if quiet.returncode != 0:
        raise Refusal(
            'sudo asks this user for a password, and a build calls it again and again where nobody '
            'can answer: run this command itself by sudo.'
        )
    warning = quiet.stderr.strip()
    if warning:
        raise Refusal(
            f"sudo warns '{warning}', which diskimage-builder takes for the output of "
            'the commands that it runs: mend that first.'
        )


def needed_gib(environ: Mapping[str, str]) -> float:
    """Return the space for a build, HEAT_IMAGE_BUILD_GIB or the default, in GiB."""
    text = environ.get('HEAT_IMAGE_BUILD_GIB') or str(BUILD_GIB)
    try:
        return float(text)
    except ValueError:
        raise Refusal(f"HEAT_IMAGE_BUILD_GIB: '{text}' is not a number.")


def free_memory_gib() -> float:
    """Return the memory, in GiB, that a tmpfs can take without anything being swapped out.

    A tmpfs is at most half of the memory, as diskimage-builder mounts it.
    """
    values = dict(
        re.findall(r'^(\w+):\s+(\d+) kB$', pathlib.Path('/proc/meminfo').read_text(), re.MULTILINE)
    )
    return min(int(values['MemAvailable']), int(values['MemTotal']) // 2) / 1024**2


def check_disk(wanted: Iterable[tuple[str, pathlib.Path, float]]) -> None:
    """Make sure that the disks have room, before the build takes minutes to find out.

    :param wanted: what for, in which folder (it or a parent exists), how many GiB.
    :raises Refusal: a file system has less than what is wanted of it in sum.
    """
    by_device: dict[int, list[tuple[str, pathlib.Path, float]]] = {}
    for purpose, folder, gib in wanted:
        while not folder.exists():
            folder = folder.parent
        by_device.setdefault(os.stat(folder).st_dev, []).append((purpose, folder, gib))
    for uses in by_device.values():
        free = shutil.disk_usage(uses[0][1]).free / GIB
        total = sum(gib for _, _, gib in uses)
        if free < total:
            listed = '; '.join(
                f'{gib:g} GiB for {purpose} in {folder}' for purpose, folder, gib in uses
            )
            raise Refusal(
                f'Too little disk: {free:.1f} GiB are free, {total:g} GiB are needed '
                f'({listed}). Free some, or name folders on another disk: TMPDIR for '
                f'the build, -o for the image, DIB_IMAGE_CACHE for the cache.'
            )


def has_device_mapper(may_load: bool) -> bool:
    """Tell whether kpartx can work: the kernel has device-mapper, perhaps as a module.

    :param may_load: try the module; a distribution's kernel loads it by itself when it is needed.
    """
    if may_load and (not is_root() or shutil.which('modprobe')):
        subprocess.run(as_root(['modprobe', '--quiet', 'dm_mod']), stderr=subprocess.DEVNULL)
    # It can be read by all.
    return 'device-mapper' in pathlib.Path('/proc/misc').read_text()


def _apt_sources(folder: pathlib.Path) -> Iterable[tuple[str, str]]:
    """Yield (URI, suite) of the machine's apt sources of binary packages, both formats."""
    for path in [folder / 'sources.list', *sorted(folder.glob('sources.list.d/*'))]:
        text = path.read_text(errors='replace') if path.is_file() else ''
        if path.suffix == '.sources':
            for stanza in re.split(r'\n\s*\n', re.sub(r'(?m)^#.*\n', '', text)):
                fields = {
                    name.lower(): value.split()
                    for name, value in re.findall(r'(?m)^([\w-]+):(.*(?:\n[ \t].*)*)', stanza)
                }
                if fields.get('enabled') != ['no'] and 'deb' in fields.get('types', []):
                    for uri in fields.get('uris', []):
                        for suite in fields.get('suites', []):
                            yield uri, suite
        elif path.suffix == '.list':
            for uri, suite in re.findall(r'(?m)^deb\s+(?:\[.*?\]\s+)?(\S+)\s+(\S+)', text):
                yield uri, suite


def apt_mirrors(distro: str, etc: pathlib.Path = pathlib.Path('/etc')) -> dict[str, str]:
    """Return the variables that name this machine's own apt mirrors for an image of its own kind.

    Only for the same distribution, and only over http: in the image there is no CA yet.

    :param distro: `debian` or `ubuntu`, anything else has none.
    """
    release = (etc / 'os-release').read_text() if (etc / 'os-release').is_file() else ''
    identity = re.search(r'(?m)^ID="?(\w+)"?$', release)
    codename = re.search(r'(?m)^VERSION_CODENAME="?(\w+)"?$', release)
    if not identity or not codename or identity.group(1) != distro:
        return {}
    main: Optional[str] = None
    security: Optional[str] = None
    for uri, suite in _apt_sources(etc / 'apt'):
        if uri.startswith('http://'):
            if suite == codename.group(1):
                main = main or uri.rstrip('/')
            elif suite == codename.group(1) + '-security':
                security = security or uri.rstrip('/')
    mirrors = {'DIB_DISTRIBUTION_MIRROR': main}
    if distro == 'debian':
        mirrors['DIB_DEBIAN_SECURITY_MIRROR'] = security
    return {name: value for name, value in mirrors.items() if value}
