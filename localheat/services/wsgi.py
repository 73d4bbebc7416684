# SPDX-License-Identifier: Apache-2.0
"""WSGI applications served on loopback by threads of one process."""

import os
import signal
import socketserver
import stat
import sys
import threading
from typing import Any, Callable
from wsgiref import simple_server

from localheat.services.state import HOST


class _Server(socketserver.ThreadingMixIn, simple_server.WSGIServer):
    daemon_threads = True
    request_queue_size = 64

    def server_bind(self):
        # the base class asks DNS for the host's name
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = self.server_address[:2]
        self.setup_environ()


class _Handler(simple_server.WSGIRequestHandler):
    def address_string(self):
        return self.client_address[0]

    def log_request(self, code='-', size='-'):
        # a URL's query can hold a signature
        sys.stderr.write('{} {} {}\n'.format(self.command, self.path.partition('?')[0], code))


def serve(app: Callable, port: int) -> Any:
    """Serve an application from now on.

    :returns: a server with a ``shutdown`` method
    """
    server = simple_server.make_server(HOST, port, app, _Server, _Handler)
    threading.Thread(
        target=server.serve_forever, kwargs={'poll_interval': 0.1}, daemon=True
    ).start()
    return server


def until_stopped() -> None:
    """Wait for SIGTERM, SIGINT, or the end of the process that holds the lifeline.

    The lifeline is standard input, where it is a pipe.
    """
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())

    def watch_lifeline():
        sys.stdin.buffer.read()
        stopped.set()

    if stat.S_ISFIFO(os.fstat(0).st_mode):
        threading.Thread(target=watch_lifeline, daemon=True).start()
    stopped.wait()
