#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Group json-file: the config maps paths of files to what each is to hold, as JSON."""

import json
import os

from heat_hook import BAD_DATA, HookError, Result, main, make_folder, write_file
from heat_options import Option

OPTIONS = (
    Option(
        'mode',
        'mode',
        "The files' mode. By default a file that exists keeps its mode, and a new one has "
        '``0644``. A file that exists keeps its owner in any case.',
    ),
)


def deploy(deployment, workspace):
    mode = deployment.options['mode']
    files = deployment.mapping()
    for path in files:
        if not os.path.isabs(path):
            raise HookError(f'{path!r} is not the absolute path of a file.', BAD_DATA)
    for path, data in files.items():
        text = json.dumps(data, indent=4, sort_keys=True, separators=(',', ': '))
        replace(os.path.realpath(path), text, mode)
    return Result()


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
    main(deploy, 'json-file', OPTIONS)
