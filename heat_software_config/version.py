# SPDX-License-Identifier: Apache-2.0
"""The version of this project, for the option --version of its commands."""

import argparse
import pathlib
import subprocess
from typing import Any

ROOT = pathlib.Path(__file__).resolve().parent.parent
#: Packages have it, checkouts do not.
FILE = pathlib.Path(__file__).with_name('VERSION')


def version() -> str:
    """Return it: of a package as setuptools-scm made it, of a checkout by git's tags and commit."""
    if FILE.exists():
        return FILE.read_text(encoding='utf-8').strip()
    if (ROOT / '.git').exists():
        try:
            done = subprocess.run(
                ['git', '-C', ROOT, 'describe', '--tags', '--always', '--dirty'],
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
        except OSError:  # no git on this machine
            return 'unknown'
        if done.returncode == 0:
            return done.stdout.strip()
    return 'unknown'


class _Show(argparse.Action):
    """As argparse's own, but git is asked only when somebody wants to know."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any, **__: Any) -> None:
        print(f'{parser.prog} {version()}')
        parser.exit()


def add_option(options: argparse.ArgumentParser) -> None:
    """Add --version to a command."""
    options.add_argument(
        '--version', action=_Show, nargs=0, help="show this project's version and stop"
    )
