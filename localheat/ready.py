# SPDX-License-Identifier: Apache-2.0
"""The virtual environment in which this program runs, and the system packages that it calls.

This part needs nothing but the standard library.
"""

import importlib.util
import os
import pathlib
import sys
from typing import Callable

from imagebuild import tools

ROOT = pathlib.Path(__file__).resolve().parent.parent
#: Keystone, Heat and the other services, with what the functional job and the view need.
LOCALHEAT = tools.Tools(
    'localheat',
    'keystone-manage',
    'LOCALHEAT_VENV',
    'localheat',
    (
        ('--requirement', ROOT / 'localheat' / 'requirements.txt'),
        ('--requirement', ROOT / 'gating' / 'requirements.txt'),
        ('--constraint', ROOT / 'localheat' / 'constraints.txt'),
    ),
)


def enter(say: 'Callable[[str], None]') -> None:
    """Go on in an interpreter that has what the program imports, made where there is none.

    :raises Refusal: it cannot be made
    """
    if os.environ.get('LOCALHEAT_VENV') is None and importlib.util.find_spec('heat'):
        # somebody's own environment, such as tox's
        return
    venv = tools.venv_path(os.environ, LOCALHEAT)
    venv.parent.mkdir(parents=True, exist_ok=True)
    tools.set_up_venv(venv, venv.parent / 'set-up.log', say, LOCALHEAT)
    if os.path.realpath(sys.prefix) != os.path.realpath(venv):
        python = str(venv / 'bin' / 'python')
        os.execv(python, [python, '-m', 'localheat', *sys.argv[1:]])
