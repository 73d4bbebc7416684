# SPDX-License-Identifier: Apache-2.0
"""What is wrong with a template, as a reviewer would see it before any server boots.

Each module here looks for one kind of mistake. ``CHECKS`` names them all; a new one is a function
that takes a ``Subject`` and yields ``Finding``s, and a line in that table.
"""

from localheat.check import (
    files,
    hooks,
    inputs,
    networks,
    options,
    outputs,
    scripts,
    signals,
    user_data,
    valid,
)
from localheat.check.finding import Finding
from localheat.check.subject import Subject

CHECKS = (
    files.missing,
    valid.refused_by_heat,
    hooks.without_hook,
    options.unknown_or_wrong,
    scripts.without_interpreter,
    inputs.without_usable_name,
    inputs.too_large,
    inputs.not_declared,
    outputs.never_written,
    signals.waited_for_and_never_sent,
    signals.not_waited_for,
    signals.expired,
    user_data.too_large,
    user_data.not_ascii,
    networks.none_named,
)


def findings(subject: Subject) -> list[Finding]:
    """Return all that is wrong, each thing once: first what will fail, then what may."""
    found = dict.fromkeys(finding for check in CHECKS for finding in check(subject))
    return sorted(found, key=lambda finding: not finding.fails)


__all__ = ['Finding', 'Subject', 'findings']
