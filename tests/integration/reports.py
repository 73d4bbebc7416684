# SPDX-License-Identifier: Apache-2.0
"""What scripts on servers report, without Heat between."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import List

from localheat.servers.network import GATEWAY


class Reports:
    """A web server on loopback that remembers, in order, what is posted to its URL."""

    def __init__(self) -> None:
        self._received: List[str] = []
        received = self._received

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers['Content-Length']))
                received.append(body.decode())
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(('127.0.0.1', 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """The URL as servers reach it."""
        return 'http://%s:%d/' % (GATEWAY, self._server.server_port)

    def take(self) -> List[str]:
        """Return what has come since the last time."""
        taken = self._received[:]
        del self._received[:len(taken)]
        return taken

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
