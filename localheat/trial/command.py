# SPDX-License-Identifier: Apache-2.0
"""From the command line of ./try-template.sh to what it asks for."""

import argparse
import os
import sys
from typing import Callable, Optional

from imagebuild import ending
from imagebuild.errors import Refusal
from imagebuild.progress import Progress
from localheat import ready
from localheat.errors import LocalHeatError
from localheat.trial import options


def main(arguments: 'list[str]') -> int:
    """Carry out a command; return its exit status."""
    chosen = options.parse(arguments)

    def run() -> int:
        for path in (*chosen.templates, *chosen.environment):
            if '://' not in path and not os.path.isfile(path):
                raise Refusal(f'There is no file {path}.')
        if chosen.image and not chosen.image.is_file():
            raise Refusal(f'--image: there is no file {chosen.image}.')
        # what is printed may be JSON for another program
        progress = Progress(sys.stderr if chosen.check else sys.stdout)
        ready.enter(progress.say)
        return _carry_out(chosen, progress)

    return guarded(run, 'Interrupted. What was begun has been removed.')


def guarded(run: Callable[[], Optional[int]], on_interruption: str = 'Interrupted.') -> int:
    """Run something; return its exit status, after saying in a sentence what went wrong."""

    def refused() -> Optional[int]:
        try:
            return run()
        except LocalHeatError as error:
            raise Refusal(str(error))

    return ending.main(refused, on_interruption)


def _carry_out(chosen: argparse.Namespace, progress: Progress) -> int:
    # these import what only the virtual environment has
    if chosen.check:
        from localheat.trial import checking

        return checking.run(chosen)
    if chosen.kept_action:
        from localheat.trial import kept

        return kept.run(chosen, progress)
    from localheat.trial import run

    return run.run(chosen, progress)
