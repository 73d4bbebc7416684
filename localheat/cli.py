# SPDX-License-Identifier: Apache-2.0
"""The command line: ``./try-template.sh --help``, which is ``python -m localheat --help``.

This part needs nothing but the standard library; it makes what the rest needs.
"""

import sys
from typing import Optional

from localheat.trial import command, options
from localheat.trial.options import CACHE

#: The services by hand; anything else is about a template.
SERVICES = ('start', 'stop', 'env', 'status', 'run')

__all__ = ['CACHE', 'main', 'parser']

parser = options.parser


def main(arguments: Optional[list[str]] = None) -> int:
    """Carry out a command.

    :returns: the exit code: 0, or 1 when it failed, or that of the command given to "run"
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    if not arguments or arguments[0] not in SERVICES:
        return command.main(arguments)
    from localheat import by_hand

    return command.guarded(lambda: by_hand.main(arguments))
