# SPDX-License-Identifier: Apache-2.0
"""Whether this machine runs the programs of another architecture: by QEMU, through binfmt_misc.

A build runs the image's own programs, in a chroot.
"""

import pathlib
import re
import subprocess
from collections.abc import Callable
from typing import Optional

from imagebuild import machine, recipe
from imagebuild.errors import Refusal

BINFMT_MISC = pathlib.Path('/proc/sys/fs/binfmt_misc')
#: Where distributions' packages of qemu-user keep the lines for the kernel.
RULES = (pathlib.Path('/usr/lib/binfmt.d'), pathlib.Path('/etc/binfmt.d'))
#: What QEMU calls architectures, and how their programs begin: the machine of ELF, at byte 18.
MACHINES = {'arm64': ('aarch64', 'b700'), 'amd64': ('x86_64', '3e00')}


def is_native(arch: str) -> bool:
    """Tell whether the processor runs an architecture, in diskimage-builder's words, itself."""
    return arch == recipe.architecture(None)


def handler(arch: str, folder: pathlib.Path = BINFMT_MISC) -> Optional[str]:
    """Return what the kernel runs an architecture's programs by, None if it does not.

    Only one that the kernel has opened beforehand (flag F) works in a chroot.
    """
    _, number = MACHINES[arch]
    for entry in folder.glob('qemu-*'):
        text = entry.read_text()
        found = re.search(r'(?m)^magic 7f454c46(?:..){14}(\w{4})', text)
        flags = re.search(r'(?m)^flags: (\w*)', text)
        if text.startswith('enabled') and found and found.group(1) == number:
            if flags and 'F' in flags.group(1):
                return entry.name
    return None


def _rule(arch: str) -> Optional[str]:
    """Return the line by which the kernel is told of QEMU, None if it is not installed."""
    name, _ = MACHINES[arch]
    for folder in RULES:
        for path in folder.glob(f'qemu-{name}*.conf'):
            lines = [line for line in path.read_text().splitlines() if line.startswith(':')]
            if lines and pathlib.Path(lines[0].split(':')[6]).exists():
                return lines[0]
    return None


def _advice(arch: str) -> str:
    name, _ = MACHINES[arch]
    return (
        f'An image for {arch} is built by running its programs, which this machine cannot. Install '
        'qemu-user-static and arch-test (Debian, Ubuntu), qemu-user-static (Fedora and its '
        'relatives) or qemu-linux-user (openSUSE), and tell the kernel, as root: systemctl '
        'restart systemd-binfmt, or without systemd: '
        f'mount -t binfmt_misc binfmt_misc {BINFMT_MISC} && '
        f'cat /usr/lib/binfmt.d/qemu-{name}*.conf > {BINFMT_MISC}/register'
    )


def check(arch: str) -> None:
    """Make sure that an architecture's programs run here, or could be made to.

    :raises Refusal: they cannot; the text says what to install.
    """
    if not (is_native(arch) or handler(arch) or _rule(arch)):
        raise Refusal(_advice(arch))


def set_up(arch: str, say: Callable[[str], None]) -> None:
    """Have the kernel run an architecture's programs.

    :raises Refusal: it does not, and cannot be told to.
    """
    if is_native(arch):
        return
    if not handler(arch):
        rule = _rule(arch)
        if rule is None:
            raise Refusal(_advice(arch))
        say(f'telling the kernel to run programs for {arch} by QEMU')
        script = (
            f'[ -e {BINFMT_MISC}/register ] || mount -t binfmt_misc binfmt_misc {BINFMT_MISC}\n'
            f'printf %s "$1" > {BINFMT_MISC}/register'
        )
        done = subprocess.run(
            machine.as_root(['sh', '-euc', script, 'sh', rule]),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if done.returncode:
            raise Refusal(f'{_advice(arch)}\nThe kernel said: {done.stdout.strip()}')
    say(f'programs for {arch} run by QEMU here: this takes several times as long')
