# SPDX-License-Identifier: Apache-2.0
"""What scripts on servers report, without Heat between."""

from http.server import BaseHTTPRequestHandler

from tests.integration import web


class Reports(web.Server):
    """A web server on loopback that remembers, in order, what is posted to its URL."""

    def __init__(self) -> None:
        self._received: list[str] = []
        received = self._received

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers['Content-Length']))
                received.append(body.decode())
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        super().__init__(Handler)

    def take(self) -> list[str]:
        """Return what has come since the last time."""
        taken = self._received[:]
        del self._received[: len(taken)]
        return taken
