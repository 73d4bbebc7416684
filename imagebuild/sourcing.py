# SPDX-License-Identifier: Apache-2.0
"""What files of environment.d, which are shell, make of an environment."""

import pathlib
import subprocess
from collections.abc import Iterable, Mapping

#: Prints the environment after sourcing files; says which of them fails.
SOURCE = """
trap 'echo "$file ends with status $?" >&2' EXIT
for file in "$@"; do . "$file"; done
trap - EXIT
env -0
"""
#: What bash itself adds.
SHELL_VARIABLES = {'OLDPWD', 'PWD', 'SHLVL', '_'}


class BrokenFile(Exception):
    """A file of environment.d fails; the message says which."""


def sourced(files: Iterable[pathlib.Path], env: Mapping[str, str]) -> dict[str, str]:
    """Return the environment after sourcing files, as dib-run-parts does.

    :param env: the whole environment before.
    :raises BrokenFile: one of them fails.
    """
    done = subprocess.run(
        ['bash', '-euc', SOURCE, 'bash', *files], env=dict(env), capture_output=True
    )
    if done.returncode != 0:
        raise BrokenFile(done.stderr.decode(errors='replace').strip())
    entries = (entry.partition('=') for entry in done.stdout.decode().split('\0') if entry)
    return {name: value for name, _, value in entries if name not in SHELL_VARIABLES}
