# SPDX-License-Identifier: Apache-2.0
"""The stand-in as a process: ``python -m localheat.compute DIRECTORY``."""

import os
import sys

from localheat.compute.auth import Tokens
from localheat.compute.config import ComputeConfig
from localheat.compute.http import application
from localheat.compute.service import Compute
from localheat.services import wsgi
from localheat.services.state import State


def main(directory: str) -> None:
    """Serve a cloud's stand-in until it is stopped; its servers end with it."""
    state = State.load(directory)
    compute = Compute(ComputeConfig.load(directory), state.path('servers'))
    tokens = Tokens(state.url('keystone') + '/v3')
    wsgi.serve(application(compute.apis, tokens.project), state.ports['compute'])
    compute.manager.resume_all()
    wsgi.until_stopped()
    compute.manager.close()
    os._exit(0)


if __name__ == '__main__':
    main(sys.argv[1])
