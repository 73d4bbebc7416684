# SPDX-License-Identifier: Apache-2.0
"""Keystone as a process: ``python -m localheat.services.keystone DIRECTORY``."""

import os
import sys
import threading

from localheat.services import sqlite, wsgi
from localheat.services.state import State


def main(directory: str) -> None:
    """Serve a cloud's Keystone until it is stopped."""
    state = State.load(directory)
    os.environ['OS_KEYSTONE_CONFIG_FILES'] = state.path('keystone.conf')
    sys.argv = ['keystone']
    sqlite.share_among_threads()
    from keystone.server.wsgi import initialize_public_application

    app = initialize_public_application()
    lock = threading.Lock()

    def one_at_a_time(environ, start_response):
        # Keystone's middleware keeps a request's token as an attribute of itself: with threads one
        # request gets another's permissions, and now and then a 403.
        with lock:
            return app(environ, start_response)

    wsgi.serve(one_at_a_time, state.ports['keystone'])
    wsgi.until_stopped()
    os._exit(0)


if __name__ == '__main__':
    main(sys.argv[1])
