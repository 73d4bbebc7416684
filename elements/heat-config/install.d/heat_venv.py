# SPDX-License-Identifier: Apache-2.0
"""The agents' virtual environment, for the few packages that a program may need of it."""

import glob
import os
import sys

PACKAGES = os.path.join(
    os.environ.get('HEAT_CONFIG_VENV') or '/opt/stack/venvs/heat-agent',
    'lib',
    'python3*',
    'site-packages',
)


def use_packages() -> None:
    """Look there, too, for what this Python does not have itself.

    Whichever Python they are for: what some have in C, they do without.
    """
    sys.path += [folder for folder in glob.glob(PACKAGES) if folder not in sys.path]
