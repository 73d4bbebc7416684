#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Group json-file: the config maps paths of files to what each is to hold, as JSON."""

import json
import os

from heat_hook import BAD_DATA, HookError, Result, main, make_folder, write_file


def deploy(deployment, workspace):
    mode = file_mode(deployment.options.get('mode'))
    files = deployment.mapping()
    for path in files:
        if not os.path.isabs(path):
            raise HookError(f'{path!r} is not the absolute path of a file.', BAD_DATA)
    for path, data in files.items():
        text = json.dumps(data, indent=4, sort_keys=True, separators=(',', ': '))
        replace(os.path.realpath(path), text, mode)
    return Result()


def file_mode(wanted):
    """The option `mode`, octal digits, as a number; None if it is not set."""
    if wanted is None:
        return None
    try:
        mode = int(str(wanted), 8)
    except ValueError:
        mode = -1
    if not 0 <= mode <= 0o777:
        raise HookError(
            f'The option mode must be a text such as "0640", and is {wanted!r}.', BAD_DATA
        )
    return mode


def replace(path, text, mode):
    """Write a file, keeping its owner, and its mode unless another is wanted."""
    make_folder(os.path.dirname(path))
    try:
        old = os.stat(path)
    except FileNotFoundError:
        write_file(path, text, 0o644 if mode is None else mode)
        return
    write_file(path, text, old.st_mode & 0o777 if mode is None else mode)
    if (old.st_uid, old.st_gid) != (os.geteuid(), os.getegid()):
        os.chown(path, old.st_uid, old.st_gid)


if __name__ == '__main__':
    main(deploy, 'json-file')
