# SPDX-License-Identifier: Apache-2.0
"""Keystone."""

import os

from localheat.services import wsgi
from localheat.services.state import State


def serve(state: State) -> None:
    """Serve a cloud's Keystone from now on."""
    os.environ['OS_KEYSTONE_CONFIG_FILES'] = state.path('etc/keystone.conf')
    from keystone.server.wsgi import initialize_public_application

    # Keystone's middleware keeps a request's token as an attribute of itself: with threads one
    # request gets another's permissions, and now and then a 403.
    application = wsgi.one_at_a_time(initialize_public_application())
    wsgi.serve(application, state.ports['keystone'])
