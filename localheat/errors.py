# SPDX-License-Identifier: Apache-2.0
"""What went wrong, in words for the person who started it."""

from typing import Optional


class LocalHeatError(Exception):
    """An error that is shown as a message, never as a traceback.

    :param message: what is wrong
    :param hint: what to do about it
    """

    def __init__(self, message: str, hint: Optional[str] = None):
        super().__init__(message if hint is None else f'{message}\n{hint}')
