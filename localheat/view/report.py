# SPDX-License-Identifier: Apache-2.0
"""What there is to say when a stack is done: its outputs, or why it failed."""

import json
from collections.abc import Iterator
from typing import Any

from localheat.view.model import Item, Snapshot
from localheat.view.output import Output

CONSOLE_LINES = 40
INDENT = '    '


def outputs(heat: Any, stack: str) -> Iterator[str]:
    """Return a stack's outputs, as lines."""
    found = heat.stacks.get(stack).to_dict().get('outputs') or []
    if found:
        yield 'Outputs:'
    for item in found:
        value = item.get('output_value')
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)
        if item.get('output_error'):
            text = f'(unknown: {item["output_error"]})'
        lines = text.splitlines()
        if len(lines) > 1:
            yield f'  {item["output_key"]}:'
            yield from (INDENT + line for line in lines)
        else:
            yield f'  {item["output_key"]}: {text.strip()}'


def failure(snapshot: Snapshot, output: Output) -> Iterator[str]:
    """Return why a stack failed, as lines: reasons, what deployments said, servers' consoles."""
    yield f'{snapshot.status}: {snapshot.reason}'
    failed = [item for item in snapshot.failed() if not _only_repeats(item, snapshot)]
    late = [item for item in snapshot.unfinished() if item.is_deployment]
    for item in failed:
        yield f'{item.path} ({item.type}): {item.reason}'
        if item.is_deployment:
            yield from _said(item, output)
    for item in late:
        yield f'{item.path} ({item.type}): no signal came from its server.'
    for item in snapshot.items:
        if item.is_server and item.identifier and _concerns(item, failed, late, output):
            yield f'The end of the console of {item.path}:'
            text = output.console(item.identifier, CONSOLE_LINES)
            yield from (INDENT + line for line in (text or '(empty)').splitlines())


def _only_repeats(item: Item, snapshot: Snapshot) -> bool:
    """Whether a resource failed only because one within it did."""
    return any(other.path.startswith(item.path + '.') for other in snapshot.failed())


def _said(item: Item, output: Output) -> Iterator[str]:
    """Return a deployment's whole stderr, or what it printed where that is empty."""
    found = output.deployment(item.identifier)
    values = (found.output_values if found else None) or {}
    for name in ('deploy_stderr', 'deploy_stdout'):
        text = values.get(name)
        if text and str(text).strip():
            yield f'  Its {name}:'
            yield from (INDENT + line for line in str(text).splitlines())
            return


def _concerns(server: Item, failed: 'list[Item]', late: 'list[Item]', output: Output) -> bool:
    """Whether a server's console can tell why: it failed, or never answered."""
    if server in failed:
        return True
    interrupted = late + [
        item for item in failed if item.is_deployment and not _answered(item, output)
    ]
    for item in interrupted:
        found = output.deployment(item.identifier)
        if found is not None and found.server_id == server.identifier:
            return True
    return False


def _answered(item: Item, output: Output) -> bool:
    found = output.deployment(item.identifier)
    values = (found.output_values if found else None) or {}
    return values.get('deploy_status_code') is not None
