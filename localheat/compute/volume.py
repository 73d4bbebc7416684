# SPDX-License-Identifier: Apache-2.0
"""Cinder's API: volumes that are there by name only; no server gets one."""

from typing import Any, Callable

from localheat.compute.collection import Collection
from localheat.compute.http import Router


def volumes(changed: Callable[[], None]) -> Collection:
    return Collection('volume', 'volumes', _complete, changed)


def _complete(volume: dict[str, Any]) -> None:
    for key, value in (('status', 'available'), ('attachments', []), ('metadata', {})):
        volume.setdefault(key, value)


def router(collection: Collection) -> Router:
    """Return the API. The catalogue's URL ends in the project's id, which is of no interest."""
    result = Router(lambda status, message: {'error': {'code': status, 'message': message}})
    collection.serve(result, '/v3/{}/volumes')
    return result
