# SPDX-License-Identifier: Apache-2.0
"""Glance."""

import os

from localheat.services import wsgi
from localheat.services.state import State


def serve(state: State) -> None:
    """Serve a cloud's Glance from now on."""
    os.environ['OS_GLANCE_CONFIG_DIR'] = state.path('etc')
    from glance.common import wsgi_app

    wsgi.serve(wsgi_app.init_app(), state.ports['glance'])
