# SPDX-License-Identifier: Apache-2.0
"""Credentials, taken out of what is to be shown."""

import json
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Iterable

MASK = b'***'


class Mask:
    """Takes credentials out of a stream, wherever its pieces begin and end.

    :param secrets: what must not be seen.
    """

    def __init__(self, secrets: 'Iterable[str]') -> None:
        # As they are, and as JSON has them.
        forms = {form for text in secrets if text for form in (text, json.dumps(text)[1:-1])}
        self._secrets = sorted(
            (form.encode('utf-8', 'backslashreplace') for form in forms), key=len, reverse=True
        )
        self._pattern = re.compile(b'|'.join(map(re.escape, self._secrets)))
        self._held = b''

    def write(self, data: bytes) -> bytes:
        """Take in a piece; return what can be shown, without what may begin a secret."""
        data = self._held + data
        shown, end = [], 0
        for match in self._pattern.finditer(data) if self._secrets else ():
            if self._may_go_on(data[match.start() :]):
                break
            shown += [data[end : match.start()], MASK]
            end = match.end()
        rest = data[end:]
        longest = len(self._secrets[0]) if self._secrets else 1
        begin = len(rest)
        for length in range(min(len(rest), longest - 1), 0, -1):
            if self._may_go_on(rest[-length:]):
                begin -= length
                break
        self._held = rest[begin:]
        return b''.join(shown) + rest[:begin]

    def close(self) -> bytes:
        """What was held back."""
        held, self._held = self._held, b''
        return self._pattern.sub(MASK, held) if self._secrets else held

    def _may_go_on(self, data: bytes) -> bool:
        return any(len(data) < len(secret) and secret.startswith(data) for secret in self._secrets)
