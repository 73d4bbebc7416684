# SPDX-License-Identifier: Apache-2.0
"""A server for signals to be sent to: answers as a test says, and keeps what it was sent."""

import http.server
import json
import ssl
import threading
from typing import Any, NamedTuple, Optional, Union

import fixtures

# What Heat's pre-signed URLs have behind their address.
SIGNED = (
    '/v1/signal/arn%3Aopenstack%3Aheat%3A%3Ap%3Astacks/s/1/resources/{}?Timestamp={}'
    '&SignatureMethod=HmacSHA256&AWSAccessKeyId=key&SignatureVersion=2&Signature=SECRET'
)


class Request(NamedTuple):
    """What was sent. The names of headers are lower case."""

    method: str
    path: str
    headers: 'dict[str, str]'
    body: Any  # of JSON


class Answer(NamedTuple):
    status: int = 200
    body: Any = None  # sent as JSON
    headers: 'dict[str, str]' = {}


class Held(NamedTuple):
    """Bytes to send, after which the connection stays open until the server is stopped."""

    start: bytes = b''
    drip: bytes = b''  # sent again and again, ten times a second


#: A status, an Answer, a Held one, bytes to send as they are, or for no answer at all 'close'.
Programmed = Union[int, Answer, Held, bytes, str]


class SignalServer(fixtures.Fixture):
    """A server on a port of its own of the loopback address.

    :param answers: to the first request, the second and so on; the last serves all further ones.
    :param certificate: a PEM file with a key and a certificate, for HTTPS.
    """

    def __init__(self, *answers: Programmed, certificate: Optional[str] = None) -> None:
        super().__init__()
        self.answers = list(answers) or [200]
        #: Answers that depend on the method and path, which go before the others.
        self.routes: dict[tuple[str, str], Programmed] = {}
        self.requests: list[Request] = []
        self._certificate = certificate
        self._lock = threading.Lock()
        self._server: Any = None
        self._stopped = threading.Event()
        self.port = 0

    def _setUp(self) -> None:
        self.start()
        self.addCleanup(self.stop)

    def start(self) -> None:
        """Listen; on the same port if this was done before."""
        self._stopped.clear()
        self._server = Server(('127.0.0.1', self.port), handler_for(self))
        self.port = self._server.server_address[1]
        if self._certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self._certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def stop(self) -> None:
        """Refuse connections from now on."""
        self._stopped.set()
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()
            self._server = None

    @property
    def url(self) -> str:
        return f'http{"s" if self._certificate else ""}://127.0.0.1:{self.port}'

    def signed(self, name: str, timestamp: str = '2099-01-01T00%3A00%3A00Z') -> str:
        """A pre-signed URL, as Heat makes one.

        :param name: tells which deployment's it is.
        """
        return self.url + SIGNED.format(name, timestamp)

    def bodies(self, name: str = '') -> 'list[Any]':
        """What was sent to signed(name), or to anywhere, in order."""
        return [
            request.body
            for request in self.requests
            if not name or f'/resources/{name}?' in request.path
        ]

    def is_stopped(self, seconds: float) -> bool:
        """Wait for the server's end, at most so long."""
        return self._stopped.wait(seconds)

    def answer(self, request: Request) -> Programmed:
        with self._lock:
            self.requests.append(request)
            route = self.routes.get((request.method, request.path))
            if route is not None:
                return route
            return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, *_: Any) -> None:
        """Say nothing: programs under test are killed while they talk to it."""


def handler_for(server: SignalServer) -> Any:

    class Handler(http.server.BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            length = int(self.headers.get('Content-Length') or 0)
            text = self.rfile.read(length)
            if len(text) < length:  # the client died; no server would take this
                return
            answer = server.answer(
                Request(
                    self.command,
                    self.path,
                    {k.lower(): v for k, v in self.headers.items()},
                    json.loads(text) if text else None,
                )
            )
            self.close_connection = True
            if answer == 'close':
                return
            if isinstance(answer, bytes):
                self.wfile.write(answer)
                return
            if isinstance(answer, Held):
                self.wfile.write(answer.start)
                while not server.is_stopped(0.1):
                    self.wfile.write(answer.drip)
                return
            if isinstance(answer, int):
                answer = Answer(answer)
            body = b'' if answer.body is None else json.dumps(answer.body).encode()
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header('Content-Length', str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = handle_any

        def log_message(self, *_: Any) -> None:
            """Not to the tests' output."""

    return Handler
