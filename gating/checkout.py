# SPDX-License-Identifier: Apache-2.0
"""Wheels: of git checkouts, and of what the package index has.

A checkout's wheel is built from a copy, so that nothing is left in the checkout, and nothing that
earlier builds left there comes in. What is not committed counts, unless git ignores it.
"""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from typing import NamedTuple

from imagebuild.errors import Refusal

#: Of pip's output; at its end is why it failed.
TAIL_LINES = 20


class Wheel(NamedTuple):
    """A wheel.

    :param project: its name as package indexes spell it (PEP 503).
    :param source: where it comes from, for people.
    """

    path: pathlib.Path
    project: str
    version: str
    source: str


class Pip:
    """pip of a virtual environment.

    :param environ: its settings, such as PIP_INDEX_URL.
    """

    def __init__(self, venv: pathlib.Path, environ: Mapping[str, str]) -> None:
        self._python = str(venv / 'bin' / 'python')
        self._environ = environ

    def wheel(self, what: str, folder: pathlib.Path, source: str, **environ: str) -> Wheel:
        """Put a project's wheel into a folder that has none.

        :param what: the project's folder, or its name in the package index.
        :param source: where it comes from, for people.
        :param environ: more variables.
        :raises Refusal: pip failed; with the end of what it said.
        """
        done = subprocess.run(
            [
                self._python,
                '-m',
                'pip',
                'wheel',
                '--no-deps',
                '--progress-bar',
                'off',
                '--wheel-dir',
                str(folder),
                what,
            ],
            env={**self._environ, **environ},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors='replace',
        )
        if done.returncode:
            raise Refusal(
                '\n'.join(
                    [
                        *('  ' + line for line in done.stdout.splitlines()[-TAIL_LINES:]),
                        f'{source}: pip could not make a wheel of it.',
                    ]
                )
            )
        [path] = folder.glob('*.whl')
        project, version = path.name.split('-')[:2]
        return Wheel(path, re.sub('[-_.]+', '-', project).lower(), version, source)

    def checkout_wheel(self, checkout: pathlib.Path, folder: pathlib.Path) -> Wheel:
        """Put a checkout's wheel into a folder that has none.

        pbr derives the version from the tags. Where these are missing, as in a shallow clone, it
        would be one below all that others require; then it becomes the one after the latest
        release, with the number of commits, as pbr itself numbers what comes after a release.

        :raises Refusal: it is no checkout, or cannot be built.
        """
        commit = git(checkout, 'rev-parse', '--short', 'HEAD')
        source = f'{checkout} at {commit}'
        if git(checkout, 'status', '--porcelain'):
            source += ', with changes'
        with tempfile.TemporaryDirectory(dir=folder) as name:
            copy, first, release = (pathlib.Path(name, part) for part in 'cfr')
            copy_checkout(checkout, copy)
            built = self.wheel(str(copy), first, source)
            if uses_pbr(copy) and not self._environ.get('PBR_VERSION') and not has_tags(copy):
                try:
                    newest = self.wheel(built.project, release, built.project).version
                except Refusal:  # the index does not know it
                    newest = built.version
                shutil.rmtree(first)
                count = git(copy, 'rev-list', '--count', 'HEAD')
                built = self.wheel(
                    str(copy), first, source, PBR_VERSION=f'{next_version(newest)}.dev{count}'
                )
            return built._replace(path=built.path.rename(folder / built.path.name))


def git(checkout: pathlib.Path, *arguments: str) -> str:
    """Run git in a checkout.

    :returns: what it printed, without blanks at the ends.
    :raises Refusal: it failed; with what it said.
    """
    try:
        done = subprocess.run(
            ['git', '-C', str(checkout), *arguments], stdin=subprocess.DEVNULL, capture_output=True
        )
    except FileNotFoundError:
        raise Refusal('git is not installed: install it first.')
    if done.returncode:
        said = done.stderr.decode(errors='replace').strip()
        raise Refusal(f'{checkout}: no git checkout that can be used: {said}')
    return os.fsdecode(done.stdout).strip()


def copy_checkout(checkout: pathlib.Path, copy: pathlib.Path) -> None:
    """Copy a checkout, with its history and tags, as it is now."""
    git(checkout, 'clone', '--quiet', '--no-checkout', str(checkout.absolute()), str(copy))
    names = git(checkout, 'ls-files', '-z', '--cached', '--others', '--exclude-standard')
    for name in filter(None, names.split('\0')):
        source, target = checkout / name, copy / name
        if source.is_symlink() or source.is_file():  # not removed, and no submodule
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target, follow_symlinks=False)
    git(copy, 'add', '--all')  # pbr asks git which files there are


def uses_pbr(checkout: pathlib.Path) -> bool:
    return any(
        'pbr' in (checkout / name).read_text(errors='replace')
        for name in ('setup.py', 'pyproject.toml')
        if (checkout / name).is_file()
    )


def next_version(release: str) -> str:
    """The version after a release: 1.2.4 after 1.2.3."""
    number = re.match(r'\d+(\.\d+)*', release)
    assert number is not None, release
    *first, last = number.group().split('.')
    return '.'.join([*first, str(int(last) + 1)])


def has_tags(checkout: pathlib.Path) -> bool:
    """Whether there is a tag that the checked-out commit comes after."""
    try:
        return bool(git(checkout, 'describe', '--tags'))
    except Refusal:
        return False
