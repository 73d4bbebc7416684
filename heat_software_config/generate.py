# SPDX-License-Identifier: Apache-2.0
"""Shell completion and man pages, made of the commands' parsers when a package is built.

By hand: python -m heat_software_config.generate FOLDER
"""

import argparse
import os
import pathlib
import re
import sys

import shtab
from argparse_manpage.manpage import Manpage

from heat_software_config.commands import COMMANDS

#: Where each shell looks for a command's completion, below a prefix such as /usr or ~/.local.
COMPLETIONS = {
    'bash': 'share/bash-completion/completions/{name}',
    'zsh': 'share/zsh/site-functions/_{name}',
}
MAN = 'share/man/man1/{name}.1'


def man_page(parser: argparse.ArgumentParser) -> str:
    # It is laid out for a terminal, and would be filled as text is.
    epilog, parser.epilog = parser.epilog or '', None
    page = Manpage(parser)
    page.description = (parser.description or '').split('. ')[0].rstrip('.')
    page.manual = 'heat-software-config'
    text = str(page)
    parts = re.split(r'(?m)^([a-z]+):\n', f'notes:\n{epilog.strip()}')
    for heading, body in zip(parts[1::2], parts[2::2]):
        if body.strip():
            literal = body.strip('\n').replace('\\', r'\e').replace('-', r'\-')
            # A dot or a quote at its head would make a line a request.
            lines = '\n'.join(rf'\&{line}' for line in literal.split('\n'))
            text += f'.SH {heading.upper()}\n.nf\n{lines}\n.fi\n'
    return text


def files() -> 'dict[str, str]':
    """Return what each file below a prefix holds."""
    # Some defaults lie in the home of whoever calls.
    os.environ.update(HOME='~', XDG_CACHE_HOME='')
    found = {}
    for name, command in COMMANDS.items():
        names = [name, f'{name}.sh'] if command.script else [name]
        for called in names:
            parser = command.parser()
            parser.prog = called
            for shell, path in COMPLETIONS.items():
                found[path.format(name=called)] = shtab.complete(parser, shell)
            found[MAN.format(name=called)] = man_page(parser)
    return found


def write(prefix: pathlib.Path) -> 'dict[str, list[str]]':
    """Write the files; return their paths by the folders below the prefix that they belong in."""
    written: dict[str, list[str]] = {}
    for name, text in files().items():
        path = prefix / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding='utf-8')
        written.setdefault(str(pathlib.PurePath(name).parent), []).append(str(path))
    return written


if __name__ == '__main__':
    if len(sys.argv) != 2:
        sys.exit(__doc__.strip())
    write(pathlib.Path(sys.argv[1]))
