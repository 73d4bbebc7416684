# SPDX-License-Identifier: Apache-2.0
"""JSON over HTTP, as OpenStack's APIs speak it."""

import dataclasses
import json
import re
from typing import Any, Callable, Optional
from urllib.parse import parse_qs

REASONS = {
    200: 'OK',
    201: 'Created',
    202: 'Accepted',
    204: 'No Content',
    300: 'Multiple Choices',
    400: 'Bad Request',
    401: 'Unauthorized',
    404: 'Not Found',
    409: 'Conflict',
    500: 'Internal Server Error',
}


class ApiError(Exception):
    """An answer other than success."""

    def __init__(self, status: int, message: str):
        super().__init__(message)
        self.status = status
        self.message = message


def not_found(kind: str, name: str) -> ApiError:
    return ApiError(404, f'{kind} {name} could not be found.')


@dataclasses.dataclass
class Request:
    """A request, as its handler sees it.

    :param base: URL of the API's root, without a slash at the end
    :param query: the last value of each query parameter
    :param body: the decoded JSON, an empty map when there is none
    :param project: the id of the project whose token the request carries
    """

    method: str
    path: str
    base: str
    query: dict[str, str]
    body: dict[str, Any]
    project: str = ''


Answer = tuple[int, Any]
Handler = Callable[..., Answer]


class Router:
    """Maps method and path to handlers.

    :param error: makes the body of an error from its status and message, for each API has its own
    """

    def __init__(self, error: Callable[[int, str], dict[str, Any]]):
        self._error = error
        self._routes: list[tuple[str, re.Pattern[str], Handler]] = []

    def route(self, method: str, path: str) -> Callable[[Handler], Handler]:
        """Declare a handler, which gets the request and what stands for ``{}`` in the path."""
        pattern = re.compile(re.escape(path).replace(r'\{\}', '([^/]+)') + '/?$')

        def declare(handler: Handler) -> Handler:
            self._routes.append((method, pattern, handler))
            return handler

        return declare

    def answer(self, request: Request) -> Answer:
        """Return status and body; errors, and only they, become the API's error answers."""
        try:
            for method, pattern, handler in self._routes:
                match = pattern.match(request.path)
                if match and method == request.method:
                    return handler(request, *match.groups())
            raise ApiError(404, f'{request.method} {request.path} is not provided here.')
        except ApiError as error:
            return error.status, self._error(error.status, error.message)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            # what a malformed body leads to
            return 400, self._error(400, f'{type(error).__name__}: {error}')


def application(
    apis: dict[str, Router], project_of: Callable[[str], Optional[str]]
) -> Callable[..., list[bytes]]:
    """Return the WSGI application that serves APIs by the first part of their paths.

    :param project_of: returns the project of a valid token, None for others
    """

    def serve(environ, start_response):
        status, body = _serve(environ)
        content = b'' if body is None else json.dumps(body).encode()
        headers = [('Content-Type', 'application/json'), ('Content-Length', str(len(content)))]
        start_response(f'{status} {REASONS[status]}', headers)
        return [content]

    def _serve(environ) -> Answer:
        _, name, *rest = environ['PATH_INFO'].split('/', 2)
        if not name:
            return 200, {'apis': sorted(apis)}
        if name not in apis:
            return 404, {'message': f'There is no API {name}.'}
        path = '/' + ''.join(rest)
        raw = environ['wsgi.input'].read(int(environ.get('CONTENT_LENGTH') or 0))
        try:
            body = json.loads(raw) if raw else {}
        except ValueError as error:
            return 400, {'message': f'The body is not JSON: {error}'}
        query = {key: values[-1] for key, values in parse_qs(environ['QUERY_STRING']).items()}
        request = Request(
            environ['REQUEST_METHOD'],
            path,
            'http://{}/{}'.format(environ['HTTP_HOST'], name),
            query,
            body,
        )
        project = project_of(environ.get('HTTP_X_AUTH_TOKEN', ''))
        if project is None:
            return 401, {'message': 'The token is missing or not valid.'}
        request.project = project
        return apis[name].answer(request)

    return serve
