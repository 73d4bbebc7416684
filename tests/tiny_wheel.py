# SPDX-License-Identifier: Apache-2.0
"""Wheels of one module, written by the standard library alone, as in a build's own environment."""

import pathlib
import zipfile
from typing import Union


def write_wheel(
    folder: Union[str, pathlib.Path], project: str, version: str, program: str, requires: str = ''
) -> pathlib.Path:
    """Write a wheel.

    :param program: the text of its module, which is named after the project.
    :param requires: one requirement.
    """
    name = project.replace('-', '_')
    info = f'{name}-{version}.dist-info'
    path = pathlib.Path(folder, f'{name}-{version}-py3-none-any.whl')
    metadata = f'Metadata-Version: 2.1\nName: {project}\nVersion: {version}\n'
    if requires:
        metadata += f'Requires-Dist: {requires}\n'
    with zipfile.ZipFile(path, 'w') as wheel:
        wheel.writestr(name + '.py', program)
        wheel.writestr(info + '/METADATA', metadata)
        wheel.writestr(
            info + '/WHEEL', 'Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n'
        )
        wheel.writestr(info + '/RECORD', f'{name}.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n')
    return path
