# SPDX-License-Identifier: Apache-2.0
"""Files that are there completely or not at all, and the ends of logs."""

import os
import tempfile


def write(path: str, text: str, mode: int = 0o600) -> None:
    """Write text to a file, atomically."""
    handle, temporary = tempfile.mkstemp(dir=os.path.dirname(path))
    try:
        with os.fdopen(handle, 'w') as stream:
            stream.write(text)
        os.chmod(temporary, mode)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def tail(path: str, lines: int = 20, limit: int = 1 << 20) -> str:
    """Return the last lines of a log; empty when there is none.

    :param limit: bytes of the file's end that are looked at
    """
    try:
        with open(path, 'rb') as stream:
            stream.seek(0, os.SEEK_END)
            stream.seek(max(0, stream.tell() - limit))
            text = stream.read().decode(errors='replace')
    except FileNotFoundError:
        return ''
    return '\n'.join(text.splitlines()[-lines:])
