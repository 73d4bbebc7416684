# SPDX-License-Identifier: Apache-2.0
"""What servers take over from this machine, to install from the network as it does."""

import glob
import os
import pathlib

from pip._internal.models.index import PyPI


def certificates() -> str:
    """What this machine's administrator trusts, for servers to trust, too."""
    return ''.join(
        pathlib.Path(name).read_text()
        for name in glob.glob('/usr/local/share/ca-certificates/*.crt')
    )


def index() -> 'dict[str, str]':
    """The package index, as a parameter of boot-config."""
    return {'pip_mirror': os.environ['PIP_INDEX_URL']} if os.environ.get('PIP_INDEX_URL') else {}


def index_url() -> str:
    """The package index's URL, pip's own default where there is no other."""
    return os.environ.get('PIP_INDEX_URL') or PyPI.simple_url
