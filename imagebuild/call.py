# SPDX-License-Identifier: Apache-2.0
"""The call of disk-image-create that builds a recipe: its words and its environment.

A build runs it, and --dry-run prints it; what is printed does the same in a shell.
"""

import getpass
import os
import pathlib
import shlex
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from imagebuild import machine
from imagebuild.recipe import Recipe

SHIMS = pathlib.Path(__file__).resolve().parent / 'shims'
#: What the caller's environment may have and a build must not: the first three are for Python
#: here, and TMPDIR would be handed on into the chroot, where its folder is not.
UNSET = ('PYTHONPATH', 'PYTHONHOME', 'VIRTUAL_ENV', 'TMPDIR')


@dataclass(frozen=True)
class Call:
    """A program to run.

    :param words: its name and arguments.
    :param variables: that it gets beside those of the caller's environment.
    """

    words: tuple[str, ...]
    variables: Mapping[str, str]

    def full_environment(self, environ: Mapping[str, str]) -> dict[str, str]:
        """Return all variables of the program."""
        kept = {name: value for name, value in environ.items() if name not in UNSET}
        return {**kept, **self.variables}

    def for_shell(self, environ: Mapping[str, str]) -> str:
        """Return it as lines that can be pasted into a shell with this environment."""
        # Our own PYTHONPATH is not in the shell that this is pasted into.
        unset = [name for name in UNSET if name in environ and name != 'PYTHONPATH']
        lines = [' '.join(['env', *(f'-u {name}' for name in unset)])] if unset else []
        lines += [
            f'{name}={shlex.quote(value)}'
            for name, value in sorted(self.variables.items())
            if environ.get(name) != value
        ]
        return ' \\\n'.join([*lines, shlex.join(self.words)])


def image_cache(environ: Mapping[str, str]) -> pathlib.Path:
    """Return diskimage-builder's cache of packages and base images."""
    return pathlib.Path(
        environ.get('DIB_IMAGE_CACHE') or os.path.expanduser('~/.cache/image-create')
    ).absolute()


def stand_ins(may_load: bool) -> dict[pathlib.Path, str]:
    """Return the folders of stand-ins for what this machine lacks, and why each is used.

    :param may_load: ask the kernel for its module first.
    """
    folders = {}
    if not machine.has_device_mapper(may_load):
        folders[SHIMS / 'partitions'] = (
            'no device-mapper in this kernel: partitions by partx instead of kpartx'
        )
    if machine.is_root():
        # A real sudo would look for programs on a PATH of its own, and miss the stand-ins.
        folders[SHIMS / 'sudo'] = 'running as root: what asks for sudo runs without it'
    elif folders:
        folders[SHIMS / 'sudo'] = 'sudo runs these stand-ins by their paths'
    return folders


def disk_image_create(
    recipe: Recipe,
    venv: pathlib.Path,
    shims: Iterable[pathlib.Path],
    environ: Mapping[str, str],
    *,
    image: pathlib.Path,
    work: pathlib.Path,
    on_disk: bool,
    verbosity: int = 0,
) -> Call:
    """Return the call that builds a recipe's image.

    :param image: where it writes, a path without type.
    :param work: the folder that it works in.
    :param on_disk: not in memory.
    """
    words = ['disk-image-create', '-o', str(image), '-t', ','.join(recipe.types)]
    if recipe.arch:
        words += ['-a', recipe.arch]
    if recipe.packages:
        words += ['-p', ','.join(recipe.packages)]
    if on_disk:
        words.append('--no-tmpfs')
    words += ['-x'] * verbosity + list(recipe.elements)

    path = environ.get('PATH', os.defpath)
    defaults = {
        'HOME': os.path.expanduser('~'),
        'USER': getpass.getuser(),
        # diskimage-builder's own default for Debian is 2, which no release has any more.
        'DIB_PYTHON_VERSION': '3',
        # Write the tarball, and use it: each alone does nothing.
        'DIB_DEBOOTSTRAP_CACHE': '1',
        'DIB_DEBIAN_USE_DEBOOTSTRAP_CACHE': '1',
    }
    real_sudo = shutil.which('sudo', path=path)
    if real_sudo and not machine.is_root():
        defaults['HEAT_IMAGE_SUDO'] = real_sudo
    return Call(
        tuple(words),
        {
            **{name: environ.get(name, value) for name, value in defaults.items()},
            **recipe.variables,
            'PATH': os.pathsep.join(
                [*map(str, shims), str(venv / 'bin'), path, '/usr/sbin', '/sbin']
            ),
            'ELEMENTS_PATH': os.pathsep.join(map(str, recipe.elements_path)),
            'TMP_DIR': str(work),
            'DIB_IMAGE_CACHE': str(image_cache(environ)),
            # Its output is the log.
            'DIB_QUIET': '0',
            'DIB_NO_TIMESTAMP': '0',
        },
    )
