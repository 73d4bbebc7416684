# SPDX-License-Identifier: Apache-2.0
"""WSGI applications served on loopback by threads of one process."""

import os
import signal
import socket
import stat
import sys
import threading
import time
from typing import Any, Callable

from werkzeug import serving

from localheat.services.state import HOST

Application = Callable[..., Any]


class _Handler(serving.WSGIRequestHandler):
    # or a reply's second part might wait for the acknowledgement of its first one
    disable_nagle_algorithm = True

    def log_request(self, code: 'int | str' = '-', size: 'int | str' = '-') -> None:
        # a URL's query can hold a signature
        sys.stderr.write('{} {} {}\n'.format(self.command, self.path.partition('?')[0], code))


def serve(application: Application, port: int) -> None:
    """Serve an application from now on.

    Werkzeug's server, which comes with Keystone, understands chunked requests, as uploads of images
    are; Python's own does not.
    """
    server = serving.make_server(HOST, port, application, threaded=True, request_handler=_Handler)
    server.daemon_threads = True  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()


def one_at_a_time(application: Application) -> Application:
    """Have an application answer one request after the other."""
    lock = threading.Lock()

    def locked(environ: Any, start_response: Any) -> Any:
        with lock:
            return application(environ, start_response)

    return locked


def wait_for(port: int, patience: float = 120) -> None:
    """Wait until somebody listens on a port.

    :param patience: in seconds
    :raises OSError: nobody does
    """
    deadline = time.monotonic() + patience
    while True:
        try:
            return socket.create_connection((HOST, port), 1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def until_stopped() -> None:
    """Wait for SIGTERM, SIGINT, or the end of the process that holds the lifeline.

    The lifeline is standard input, where it is a pipe.
    """
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())

    def watch_lifeline() -> None:
        sys.stdin.buffer.read()
        stopped.set()

    if stat.S_ISFIFO(os.fstat(0).st_mode):
        threading.Thread(target=watch_lifeline, daemon=True).start()
    stopped.wait()
