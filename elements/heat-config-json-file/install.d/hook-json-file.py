#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Group json-file: the config maps paths of files to what each is to hold, as JSON."""

import json
import os

import heat_foreign_files
from heat_hook import BAD_DATA, Deployment, HookError, Result, Workspace, main
from heat_options import Option

OPTIONS = (
    Option(
        'mode',
        'mode',
        "The files' mode. By default a file that exists keeps its mode, and a new one has "
        '``0644``. A file that exists keeps its owner in any case.',
    ),
)


def deploy(deployment: Deployment, workspace: Workspace) -> Result:
    mode = deployment.options['mode']
    files = deployment.mapping()
    for path in files:
        if not os.path.isabs(path) or path.endswith('/') or '\0' in path:
            raise HookError(f'{path!r} is not the absolute path of a file.', BAD_DATA)
    if len({os.path.normpath(path) for path in files}) < len(files):
        raise HookError('Two of the paths are of the same file.', BAD_DATA)
    for path, data in files.items():
        text = json.dumps(data, indent=4, sort_keys=True, separators=(',', ': '))
        heat_foreign_files.write(path, text.encode('utf-8', 'replace'), mode)
    return Result()


if __name__ == '__main__':
    main(deploy, 'json-file', OPTIONS)
