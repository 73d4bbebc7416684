# SPDX-License-Identifier: Apache-2.0
"""The Python interpreters of this machine, for what must run on every server's Python."""

import functools
import os
import pathlib
import re
import subprocess

OLDEST = (3, 6)
PROBE = 'import sys; print("%d.%d" % sys.version_info[:2]); print(sys.executable)'


@functools.cache
def present() -> 'dict[str, str]':
    """Each version found, as in "3.6", with its interpreter's path, oldest first.

    Looked for as python3.N on PATH and among pyenv's versions, whether pyenv is active or not.
    """
    pyenv = pathlib.Path(os.environ.get('PYENV_ROOT', '~/.pyenv')).expanduser()
    folders = [pathlib.Path(name) for name in os.get_exec_path() if name]
    folders += sorted(pyenv.glob('versions/*/bin'))
    found: dict[tuple[int, int], str] = {}
    for folder in folders:
        for program in sorted(folder.glob('python3.*')):
            if not re.fullmatch(r'python3\.\d+', program.name):
                continue
            answer = subprocess.run(
                [program, '-c', PROBE],
                check=False,
                text=True,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
            if answer.returncode:  # pyenv's shim of a version that is not active
                continue
            version, path = answer.stdout.splitlines()
            major, minor = version.split('.')
            found.setdefault((int(major), int(minor)), path)
    return {
        f'{major}.{minor}': found[major, minor]
        for major, minor in sorted(found)
        if (major, minor) >= OLDEST
    }


def scenarios() -> 'list[tuple[str, dict[str, str]]]':
    """For testscenarios: one scenario per interpreter; tests find its path in self.python."""
    return [('python' + version, {'python': path}) for version, path in present().items()]
