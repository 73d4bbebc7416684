# SPDX-License-Identifier: Apache-2.0
"""./try-template.sh --check: what is wrong with templates."""

import argparse
import json
import sys
from typing import Optional

from localheat import check, parameters
from localheat.check.valid import REMEDY
from localheat.errors import LocalHeatError
from localheat.template import Source, Stack
from localheat.trial.needs import DEFAULTS


def run(options: argparse.Namespace) -> int:
    """Print what is wrong with each template; return 1 if one of them will fail."""
    hooks = frozenset({*options.hook, *check.hooks.STANDARD}) if options.hook else None
    found = []
    for path in options.templates:
        found += findings(path, options.environment, options.parameter, hooks)
    if options.format == 'json':
        json.dump([finding.as_json() for finding in found], sys.stdout, indent=2)
        print()
    else:
        for finding in found:
            print(finding)
        errors = sum(finding.fails for finding in found)
        print(f'{_count(errors, "error")}, {_count(len(found) - errors, "warning")}')
    return 1 if any(finding.fails for finding in found) else 0


def findings(
    path: str, environments: list[str], options: list[str], hooks: Optional[frozenset[str]]
) -> list[check.Finding]:
    """Return what is wrong with a template.

    :param options: parameters, of the form NAME=VALUE
    :raises LocalHeatError: when one of these has another form
    """
    given = parameters.of_options(options)
    try:
        source = Source.load(path, environments)
        chosen = parameters.choose(source, given, DEFAULTS)
        values = {**chosen.values, **parameters.placeholders(source, chosen)}
        stack = Stack.read(source, values)
    except LocalHeatError as error:
        text = str(error).removeprefix(f'{path}: ').replace('\n', ' ')
        return [check.Finding(True, path, '', text, REMEDY)]
    return check.findings(check.Subject(source, stack, hooks, frozenset(chosen.unknown)))


def _count(number: int, word: str) -> str:
    return f'{number} {word}{"" if number == 1 else "s"}'
