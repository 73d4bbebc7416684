# SPDX-License-Identifier: Apache-2.0
"""Tools in virtual environments of their own, and the system packages that they call."""

import ast
import os
import pathlib
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from imagebuild import machine
from imagebuild.errors import Refusal
from imagebuild.lock import locked

HERE = pathlib.Path(__file__).resolve().parent
REQUIREMENTS = HERE / 'requirements.txt'
BINDEP = HERE.parent / 'bindep.txt'

#: How each package manager installs without asking; the first that is there is used.
INSTALLERS = {
    'apt-get': [
        'env',
        'DEBIAN_FRONTEND=noninteractive',
        'apt-get',
        '-o',
        'DPkg::Lock::Timeout=300',
        'install',
        '--yes',
        '--no-install-recommends',
    ],
    'dnf': ['dnf', 'install', '--assumeyes'],
    'zypper': ['zypper', '--non-interactive', 'install', '--no-recommends'],
}

#: Which of pip's settings have a meaning in the image too.
PIP_SETTINGS = (
    'index-url',
    'extra-index-url',
    'trusted-host',
    'proxy',
    'cert',
    'timeout',
    'retries',
)


@dataclass(frozen=True)
class Tools:
    """What is installed into a virtual environment of its own.

    :param program: a command of it; an environment that has it is taken for complete.
    :param variable: of the environment, that names another folder.
    :param folder: the virtual environment's parent, in the user's cache.
    :param files: pip's options and the files that they name.
    """

    name: str
    program: str
    variable: str
    folder: str
    files: tuple[tuple[str, pathlib.Path], ...]


DISKIMAGE_BUILDER = Tools(
    'diskimage-builder',
    'disk-image-create',
    'HEAT_IMAGE_VENV',
    'heat-image',
    (('--requirement', REQUIREMENTS),),
)


def cache(environ: Mapping[str, str]) -> pathlib.Path:
    """Return the folder of what this user's programs can make again."""
    return pathlib.Path(environ.get('XDG_CACHE_HOME') or os.path.expanduser('~/.cache'))


def venv_path(environ: Mapping[str, str], tools: Tools = DISKIMAGE_BUILDER) -> pathlib.Path:
    """Return the folder of the tools' virtual environment."""
    if environ.get(tools.variable):
        return pathlib.Path(environ[tools.variable]).absolute()
    return cache(environ) / tools.folder / 'venv'


def _log_run(command: list[str], log: pathlib.Path) -> int:
    with log.open('a') as output:
        output.write(f'$ {" ".join(command)}\n')
        output.flush()
        return subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        ).returncode


def _installer(packages: list[str]) -> list[str]:
    """Return the command that installs packages.

    HEAT_IMAGE_INSTALL=0 in the environment forbids it.

    :raises Refusal: there is none, or it is forbidden; the text names the packages.
    """
    installer = next((INSTALLERS[name] for name in INSTALLERS if shutil.which(name)), None)
    if installer is None or os.environ.get('HEAT_IMAGE_INSTALL') == '0':
        raise Refusal(
            f'These system packages are missing, install them first: {" ".join(packages)}'
        )
    return installer


def install_packages(packages: list[str], log: pathlib.Path, say: Callable[[str], None]) -> None:
    """Install system packages that are missing.

    :raises Refusal: they may not or cannot be installed; the text names them.
    """
    installer = _installer(packages)
    names = ' '.join(packages)
    say(f'installing system packages: {names}')
    command = machine.as_root([*installer, *packages])
    if _log_run(command, log) == 0:
        return
    if 'apt-get' in installer:  # on a fresh machine there are no package lists yet
        _log_run(machine.as_root(['apt-get', 'update']), log)
        if _log_run(command, log) == 0:
            return
    raise Refusal(
        f'These system packages are missing and could not be installed: {names}\n'
        f'What the package manager said is in {log}.'
    )


def set_up_venv(
    venv: pathlib.Path,
    log: pathlib.Path,
    say: Callable[[str], None],
    tools: Tools = DISKIMAGE_BUILDER,
) -> None:
    """Make the virtual environment, or bring it up to the requirements.

    One that this command did not make and that has the tools is used as it is.
    """
    marker = venv / 'heat-image-requirements.txt'
    wanted = ''.join(path.read_text() for _, path in tools.files)

    def is_ready() -> bool:
        return (venv / 'bin' / tools.program).exists() and (
            not marker.exists() or marker.read_text() == wanted
        )

    if is_ready():
        return
    with locked(venv.parent, say, f'{tools.variable} names another one'):
        if is_ready():  # by the one that had the lock before
            return
        say(f'installing {tools.name} into {venv}')
        try:
            import ensurepip  # noqa: F401
        except ImportError:
            install_packages(['python3-venv'], log, say)
        for command in (
            [sys.executable, '-m', 'venv', str(venv)],
            [
                str(venv / 'bin' / 'pip'),
                'install',
                *(word for option, path in tools.files for word in (option, str(path))),
            ],
        ):
            if _log_run(command, log) != 0:
                raise Refusal(
                    f'{tools.name} could not be installed ({" ".join(command)}).\n'
                    f'What pip said is in {log}. Is the package index reached? pip reads '
                    f'PIP_INDEX_URL, https_proxy and, for a private CA, PIP_CERT.'
                )
        marker.write_text(wanted)


def missing_packages(venv: pathlib.Path, profiles: Sequence[str]) -> list[str]:
    """Return what bindep.txt names for these profiles and the machine lacks.

    Nothing is known to be missing where the virtual environment, being the caller's own, has no
    bindep.
    """
    bindep = venv / 'bin' / 'bindep'
    if not bindep.exists():
        return []
    done = subprocess.run(
        [bindep, '--brief', '--file', BINDEP, *profiles],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    packages = re.findall(r'(?m)^[a-z0-9][\w.+-]*$', done.stdout) if done.returncode else []
    if done.returncode and not packages:
        raise Refusal(f'bindep cannot tell what is missing on this machine: {done.stdout}')
    return packages


def check_packages(venv: pathlib.Path, profiles: Sequence[str]) -> list[str]:
    """Return what is missing, which may be installed.

    :raises Refusal: it may not.
    """
    packages = missing_packages(venv, profiles)
    if packages:
        _installer(packages)
    return packages


def set_up_packages(
    venv: pathlib.Path, profiles: Sequence[str], log: pathlib.Path, say: Callable[[str], None]
) -> None:
    """Install what bindep.txt names for these profiles and the machine lacks."""
    packages = missing_packages(venv, profiles)
    if packages:
        install_packages(packages, log, say)


def pip_variables(venv: pathlib.Path, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the settings of pip's files on this machine as the variables that mean the same.

    The image's pip reads its variables; the files stay behind. Variables that are set already
    win, as they do in pip; local folders mean nothing in the image.
    """
    done = subprocess.run(
        [venv / 'bin' / 'pip', 'config', 'list'],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    settings = {}
    for name, value in re.findall(r"(?m)^(?:global|install)\.([\w-]+)=('.*'|\".*\")$", done.stdout):
        variable = 'PIP_' + name.upper().replace('-', '_')
        if name in PIP_SETTINGS and not environ.get(variable):
            words = [
                word for word in ast.literal_eval(value).split() if not word.startswith('file:')
            ]
            if words:
                settings[variable] = ' '.join(words)
    return settings
