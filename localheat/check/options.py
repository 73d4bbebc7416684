# SPDX-License-Identifier: Apache-2.0
"""Options that a hook does not know, or that have a value which it cannot take."""

from collections.abc import Iterator

from localheat.check import hooks
from localheat.check.finding import Finding
from localheat.check.subject import Subject


def unknown_or_wrong(subject: Subject) -> Iterator[Finding]:
    reader = hooks.module('heat_options')
    if reader is None:
        return
    for config in subject.deployed():
        module = hooks.module(config.group) if config.group in hooks.known() else None
        table = getattr(module, 'OPTIONS', None)
        if table is None:
            continue
        try:
            _, warnings = reader.read(table, config.options)
        except reader.HookError as error:
            yield Finding.of(config.resource, True, str(error), 'The deployment will fail.')
            continue
        for warning in warnings:
            wrong, _, hint = warning.replace('Warning: ', '').partition('; ')
            yield Finding.of(
                config.resource, False, wrong.rstrip('.') + '.', hint[:1].upper() + hint[1:]
            )
