# SPDX-License-Identifier: Apache-2.0
"""Which version of this project the agent on this system was made of."""

import os
import re

#: Written by the element heat-agent-release.
PATH = os.environ.get('HEAT_AGENT_RELEASE', '/etc/heat-agent-release')


def version() -> str:
    """Return it; `unknown` where nothing says so."""
    try:
        with open(PATH, errors='replace') as file:
            found = re.search(r'^VERSION=[\'"]?([^\'"\s]+)', file.read(), re.MULTILINE)
    except OSError:
        return 'unknown'
    return found.group(1) if found else 'unknown'
