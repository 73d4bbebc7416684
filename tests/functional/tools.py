# SPDX-License-Identifier: Apache-2.0
"""Real tools that no package of the machine brings, installed as the elements do it."""

import os
import pathlib
import shutil
import subprocess
import sys

from tests import base

#: In the virtual environment of the tests, so that they are installed once.
HOME = pathlib.Path(sys.prefix) / 'heat-tools'
INSTALLER = base.ELEMENTS / 'heat-tools/install.d/70-heat-tools'


def install(tool: str) -> str:
    """Install what an element's heat-tools/<tool> names, unless it is there.

    :return: a PATH that has it.
    """
    links = HOME / tool / 'links'
    path = os.pathsep.join([str(links), os.environ['PATH']])
    # The tree that diskimage-builder makes of the elements.
    for folder in ('links', 'install.d', 'heat-tools'):
        (HOME / tool / folder).mkdir(parents=True, exist_ok=True)
    installer = shutil.copy(INSTALLER, HOME / tool / 'install.d')
    declared = (base.ELEMENTS / f'heat-config-{tool}/heat-tools/{tool}').read_text()
    # This machine's services are none of our business.
    (HOME / tool / 'heat-tools' / tool).write_text(f'{declared}\nservices=\n')
    done = subprocess.run(
        [installer],
        check=False,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=dict(os.environ, PATH=path, HEAT_TOOLS_VENVS=str(HOME), HEAT_TOOLS_LINKS=str(links)),
    )
    if done.returncode:
        raise AssertionError(f'{installer} fails:\n{done.stdout}')
    return path
