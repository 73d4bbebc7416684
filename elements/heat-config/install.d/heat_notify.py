#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Signal a deployment's result to Heat.

Usage: heat-config-notify DEPLOYMENT.json < RESPONSE.json

DEPLOYMENT.json is a deployment as Heat sends it; its inputs say how to signal:
CFN_SIGNAL, TEMP_URL_SIGNAL, HEAT_SIGNAL, ZAQAR_SIGNAL or NO_SIGNAL.
RESPONSE.json is what its hook answered, an object.  What is too long for a
signal is cut from deploy_stdout and deploy_stderr.

Exit status:
  0  Heat has the signal, or wants none
  1  it could not be delivered now; a later try may succeed
  2  wrong usage, or one of the two files cannot be used
  3  it was refused; another try will not help

Environment:
  HEAT_CONFIG_NOTIFY_PATIENCE  seconds to go on trying for (30)
  HEAT_CONFIG_VENV             the agents' virtual environment
                               (/opt/stack/venvs/heat-agent), of which
                               HEAT_SIGNAL and ZAQAR_SIGNAL use keystoneauth1
  REQUESTS_CA_BUNDLE           a private CA's certificates; otherwise the
                               ca_certificate of /etc/os-collect-config.conf
"""

# Most signals need little: what is slow to load is imported where it is used.
import json
import os
import re
import sys
import time

import heat_http

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

DELIVERED, UNREACHABLE, UNUSABLE, REFUSED = range(4)

# Heat's max_json_body_size is 1 MiB; Zaqar's max_messages_post_size 256 KiB,
# of which the envelope takes some.
BODY_LIMIT = 1024 * 1024 - 1024
ZAQAR_BODY_LIMIT = 256 * 1024 - 4096
ZAQAR_TTL = 3600  # seconds for which Zaqar keeps the message
PATIENCE = 30  # seconds to go on trying for
REQUEST_TIMEOUT = 30  # seconds, for a whole exchange
ANSWER_LIMIT = 64 * 1024  # bytes of an answer to read
# Nothing that would have to be quoted, decoded or left out.
PLAIN_URL = r'http://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]+))?(/[!"$-~]*)'
SIGNED_URL_LIFETIME = 15 * 60  # seconds; keystone's [credential] auth_ttl


class SignalError(Exception):
    """The signal was not delivered; the message says why."""

    exit_status = UNREACHABLE


class Doubtful(SignalError):
    """It was refused by what may be restarting; if it still is after some time, that is final."""


class Final(SignalError):
    """Another try will not help."""


class Unusable(Final):
    """The deployment or the response is not what it should be."""

    exit_status = UNUSABLE


class Refused(Final):
    """Heat does not want it."""

    exit_status = REFUSED


def deliver(
    inputs: 'dict[str, str]', response: 'dict[str, Any]', patience: float
) -> 'dict[str, Any]':
    """Signal a response, trying again for a while where that may help.

    :param inputs: the deployment's, as texts.
    :param response: what the hook answered.
    :param patience: seconds to go on trying for.
    :returns: what was sent, for the response may be too large for a signal.
    :raises SignalError: when it is not delivered.
    """
    transport = transport_of(inputs)
    if transport == 'NO_SIGNAL':
        return response
    if transport not in SENDERS:
        raise Unusable(f'the signal transport {transport} is not known')
    send, limit = SENDERS[transport]
    response = fit(response, limit)
    give_up = time.monotonic() + patience
    pause = 1.0
    while True:
        try:
            send_in_time(send, inputs, response)
            return response
        except Final:
            raise
        except KeyError as error:
            raise Unusable(
                f'{transport} needs the input {error.args[0]}, which the deployment does not have'
            ) from None
        except SignalError:
            pause = min(2 * pause, 30) * (0.75 + os.urandom(1)[0] / 512)
            if time.monotonic() + pause > give_up:
                raise
            time.sleep(pause)


def send_in_time(
    send: 'Callable[[dict[str, str], dict[str, Any]], None]',
    inputs: 'dict[str, str]',
    response: 'dict[str, Any]',
) -> None:
    """Send a signal, and let no server take longer over it than REQUEST_TIMEOUT.

    :raises SignalError: when it is not delivered.
    """
    try:
        with heat_http.deadline(REQUEST_TIMEOUT):
            send(inputs, response)
    except heat_http.Deadline as error:
        raise SignalError(str(error)) from None


def inputs_of(deployment: 'dict[str, Any]') -> 'dict[str, str]':
    """The values of a deployment's inputs, by name, as texts."""
    inputs = deployment.get('inputs')
    return texts_of(
        {
            str(item['name']): item.get('value')
            for item in (inputs if isinstance(inputs, list) else [])
            if isinstance(item, dict) and item.get('name')
        }
    )


def texts_of(inputs: 'dict[str, Any]') -> 'dict[str, str]':
    """Inputs as texts, without the nulls."""
    return {name: as_text(value) for name, value in inputs.items() if value is not None}


def transport_of(inputs: 'dict[str, str]') -> str:
    """How Heat wants the signal; older ones do not name it."""
    if 'deploy_signal_transport' in inputs:
        return inputs['deploy_signal_transport']
    for name, transport in (
        ('deploy_signal_id', 'CFN_SIGNAL'),
        ('deploy_queue_id', 'ZAQAR_SIGNAL'),
        ('deploy_auth_url', 'HEAT_SIGNAL'),
    ):
        if name in inputs:
            return transport
    return 'NO_SIGNAL'


def fit(response: 'dict[str, Any]', limit: int) -> 'dict[str, Any]':
    """Make a response small enough for a signal.

    The ends of deploy_stdout and deploy_stderr are kept, and the declared
    outputs whole.  Where those alone are too large, the result is a failure
    that names the largest.

    :param limit: how many bytes its JSON may have.
    """
    if json_size(response) <= limit:
        return response
    streams = ('deploy_stdout', 'deploy_stderr')
    texts = {name: as_text(response.get(name)) for name in streams}
    rest = dict(response, deploy_stdout='', deploy_stderr='')
    room = limit - json_size(rest) - 256  # for the marks
    if room < 0:
        sizes = {name: json_size(value) for name, value in rest.items()}
        largest = max(sizes, key=lambda name: sizes[name])
        return fit(
            {
                'deploy_stdout': texts['deploy_stdout'],
                'deploy_stderr': f'{texts["deploy_stderr"]}\nThe output {largest} has '
                f'{sizes[largest]} bytes; all outputs together may have {limit}.\n',
                'deploy_status_code': response.get('deploy_status_code')
                if has_failed(response)
                else 1,
            },
            limit,
        )
    # What the shorter one leaves of its half, the longer one may have.
    shorter, longer = sorted(streams, key=lambda name: json_size(texts[name]))
    rest[shorter] = end_of(texts[shorter], room // 2)
    rest[longer] = end_of(texts[longer], room - json_size(rest[shorter]))
    return rest


def has_failed(response: 'dict[str, Any]') -> bool:
    """Whether Heat takes a response for that of a failure."""
    return str(response.get('deploy_status_code') or 0) != '0'


def end_of(text: str, limit: int) -> str:
    """The end of a text whose JSON has at most so many bytes, and a mark."""
    if json_size(text) <= limit:
        return text
    low, high = 0, len(text)
    while low < high:  # the least cut that fits
        middle = (low + high) // 2
        if json_size(text[middle:]) <= limit:
            high = middle
        else:
            low = middle + 1
    return f'[... {low} characters cut to fit into the signal ...]\n{text[low:]}'


def as_text(value: 'Any') -> str:
    if value is None:
        return ''
    return value if isinstance(value, str) else json.dumps(value)


def json_size(value: 'Any') -> int:
    """How many bytes a value's JSON has; it is ASCII."""
    return len(json.dumps(value))


def send_to_url(inputs: 'dict[str, str]', response: 'dict[str, Any]') -> None:
    """CFN_SIGNAL and TEMP_URL_SIGNAL: to a URL that was signed beforehand."""
    # The URL is a credential: no message may hold it, only its host.
    url = inputs['deploy_signal_id']
    verb = inputs.get('deploy_signal_verb', 'POST')
    if not re.fullmatch('[A-Za-z]+', verb):
        raise Unusable('the input deploy_signal_verb is not a method of HTTP')
    if not re.fullmatch('https?://[!-~]+', url):
        raise Unusable('the input deploy_signal_id is not a URL of HTTP')
    body = json.dumps(response).encode('ascii')
    is_plain = re.fullmatch(PLAIN_URL, url) and not heat_http.names_a_proxy()
    send = send_plainly if is_plain else send_by_urllib
    host, code, reason = send(verb, url, body)
    if not 200 <= code < 300:
        raise http_error(host, code, reason, expiry(url) if code in (400, 401, 403) else '')


def send_plainly(verb: str, url: str, body: bytes) -> 'tuple[str, int, str]':
    """Send a request over HTTP as most signals are, without what loads for longer than it takes.

    :param url: as PLAIN_URL has it.
    :returns: the host, and the answer's status code and its reason.
    """
    import socket

    address, port, path = re.fullmatch(PLAIN_URL, url).groups()
    host = url[: -len(path)]
    try:
        connection = socket.create_connection((address.strip('[]'), int(port or 80)))
    except (OSError, OverflowError, UnicodeError) as error:
        raise SignalError(f'{host} cannot be reached: {error}') from None
    head = (
        f'{verb} {path} HTTP/1.1\r\nHost: {host[len("http://") :]}\r\n'
        'Content-Type: application/json\r\n'
        f'Content-Length: {len(body)}\r\nConnection: close\r\n\r\n'
    )
    answer = b''
    try:
        with connection:
            connection.sendall(head.encode('ascii') + body)
            # To its end, or the server would find itself interrupted.
            while not is_complete(answer):
                piece = connection.recv(ANSWER_LIMIT)
                if not piece:
                    break
                answer += piece
                if b'\r\n\r\n' in answer:
                    # All that counts has come; not every server closes what it was asked to.
                    connection.settimeout(1)
    except OSError as error:
        if b'\n' not in answer:
            raise SignalError(f'{host} did not answer: {error}') from None
    status = re.match(r'HTTP/1\.[01] ([2-5]\d\d) ?([^\r\n]*)', answer.decode('latin-1'))
    if not status:
        raise SignalError(f'{host} did not answer with a status of HTTP')
    return host, int(status.group(1)), status.group(2)


def is_complete(answer: bytes) -> bool:
    """Whether an answer is known to be all there."""
    head, _, rest = answer.partition(b'\r\n\r\n')
    length = re.search(rb'(?i)\r\nContent-Length: *(\d{1,9})(\r\n|$)', head)
    return bool(length and len(rest) >= int(length.group(1))) or len(answer) >= ANSWER_LIMIT


def send_by_urllib(verb: str, url: str, body: bytes) -> 'tuple[str, int, str]':
    """Send a request with all that HTTPS, proxies and unusual addresses need."""
    import http.client
    import urllib.error
    import urllib.request

    try:
        request = urllib.request.Request(
            url, body, {'Content-Type': 'application/json'}, method=verb
        )
        host = f'{request.type}://{request.host}'
        if not request.host:
            raise ValueError(url)
        proxy = heat_http.proxy_for(url)
    except ValueError:
        raise Unusable('the input deploy_signal_id is not a URL of HTTP') from None
    if proxy:
        host += f' (by the proxy {heat_http.without_password(proxy)})'

    class Redirects(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_: 'Any') -> None:
            """Not followed: a POST would become a GET, and seem to be delivered."""

    try:
        opener = heat_http.opener(Redirects)
    except OSError as error:
        raise Unusable(
            f'the CA certificates {error.filename} cannot be read: {error.strerror}'
        ) from None
    try:
        with opener.open(request, timeout=REQUEST_TIMEOUT) as answer:
            return host, answer.getcode(), ''
    except urllib.error.HTTPError as error:
        return host, error.code, error.reason
    except urllib.error.URLError as error:
        raise SignalError(f'{host} cannot be reached: {error.reason}') from None
    except http.client.InvalidURL:
        raise Unusable('the input deploy_signal_id is not a URL of HTTP') from None
    except OSError as error:
        raise SignalError(f'{host} did not answer: {error}') from None
    except http.client.HTTPException:
        raise SignalError(f'{host} did not answer with a status of HTTP') from None


def expiry(url: str) -> str:
    """Advice, where a signed URL is too old to be accepted any more."""
    import calendar
    import urllib.parse

    query = urllib.parse.parse_qs(urllib.parse.urlsplit(url).query)
    try:
        signed = calendar.timegm(
            time.strptime(query.get('Timestamp', [''])[0], '%Y-%m-%dT%H:%M:%SZ')
        )
    except ValueError:
        return ''
    age = time.time() - signed
    if age < SIGNED_URL_LIFETIME:
        return ''
    return (
        f' The signed URL is {age / 60:.0f} minutes old and has expired.  Use '
        'signal_transport HEAT_SIGNAL for deployments that take long, or raise '
        "auth_ttl in the [credential] section of Keystone's configuration."
    )


def http_error(host: str, code: int, reason: str, hint: str = '') -> SignalError:
    """What an HTTP status means: try again, or give up."""
    if code >= 500 or code in (407, 408, 425, 429):  # 407: a proxy asks for a password
        return SignalError(f'{host} answered {code} {reason}')
    if code < 400:
        hint = ' It redirects, and a signal must be sent to Heat itself.'
    return Refused(f'{host} refused the signal: {code} {reason}.{hint}')


def send_to_heat(inputs: 'dict[str, str]', response: 'dict[str, Any]') -> None:
    """HEAT_SIGNAL: to the resource, through Heat's API."""
    call_service(
        inputs,
        'orchestration',
        f'/stacks/{inputs["deploy_stack_id"]}/resources/{inputs["deploy_resource_name"]}/signal',
        response,
    )


def send_to_zaqar(inputs: 'dict[str, str]', response: 'dict[str, Any]') -> None:
    """ZAQAR_SIGNAL: a message in a queue that Heat reads (Zaqar's API v2)."""
    import uuid

    call_service(
        inputs,
        'messaging',
        f'/v2/queues/{inputs["deploy_queue_id"]}/messages',
        {'messages': [{'ttl': ZAQAR_TTL, 'body': response}]},
        {'Client-ID': str(uuid.uuid4()), 'X-Project-Id': inputs['deploy_project_id']},
    )


def call_service(
    inputs: 'dict[str, str]',
    service_type: str,
    path: str,
    body: 'dict[str, Any]',
    headers: 'dict[str, str] | None' = None,
) -> None:
    """POST to a service of the catalogue, as the deployment's own user."""
    exceptions, identity, session = load_keystoneauth()
    auth_url = inputs['deploy_auth_url'].rstrip('/')
    if auth_url.endswith('/v2.0'):  # Heat may still name it; only v3 exists
        auth_url = auth_url[: -len('/v2.0')]
    if not auth_url.endswith('/v3'):
        auth_url += '/v3'
    region = inputs.get('deploy_region_name')
    asked, refused = auth_url, keystone_error
    try:
        client = session.Session(
            auth=identity.v3.Password(
                auth_url=auth_url,
                user_id=inputs['deploy_user_id'],
                password=inputs['deploy_password'],
                project_id=inputs['deploy_project_id'],
            ),
            verify=heat_http.only_ca() or heat_http.agents_ca() or True,
            timeout=REQUEST_TIMEOUT,
        )
        # Not the session's own look-up, which would ask the service for its
        # versions first; Heat's and Zaqar's paths are known.
        endpoint = client.get_endpoint(
            service_type=service_type, interface='public', region_name=region, skip_discovery=True
        )
        if not endpoint:
            raise exceptions.EndpointNotFound()
        if service_type == 'messaging':  # some catalogues name a version
            for version in ('/v2', '/v1.1', '/v1'):
                if endpoint.rstrip('/').endswith(version):
                    endpoint = endpoint.rstrip('/')[: -len(version)]
        asked, refused = endpoint, http_error
        answer = client.post(endpoint.rstrip('/') + path, json=body, headers=headers or {})
        # keystoneauth1 hands back a redirection that it could not follow.
        if not 200 <= answer.status_code < 300:
            raise http_error(asked, answer.status_code, answer.reason)
    except exceptions.HttpError as error:
        raise refused(asked, error.http_status, error.message) from None
    except exceptions.CatalogException:
        place = f' in the region {region}' if region else ''
        raise Refused(
            f"Keystone's catalogue at {auth_url} has no public endpoint for "
            f'the service {service_type}{place}'
        ) from None
    except exceptions.ClientException as error:
        raise SignalError(str(error)) from None
    except heat_http.Deadline:
        raise
    except OSError as error:  # certificates that cannot be read
        raise SignalError(f'{asked} cannot be reached: {error}') from None


def keystone_error(host: str, code: int, reason: str) -> SignalError:
    """What Keystone's answer means: while it restarts it may know no path and no user."""
    error = http_error(host, code, reason)
    if code in (401, 404):
        return Doubtful(str(error))
    return error


def load_keystoneauth() -> 'tuple[Any, Any, Any]':
    """keystoneauth1: this Python's own, or that of the agents' environment."""
    import logging

    import heat_venv

    heat_venv.use_packages()
    try:
        from keystoneauth1 import exceptions, identity, session

        # What is wrong is said once, by the exception.
        logging.getLogger('keystoneauth').addHandler(logging.NullHandler())
    except ImportError as error:
        raise SignalError(
            f'HEAT_SIGNAL and ZAQAR_SIGNAL need keystoneauth1 ({error}); it was '
            f'looked for in {sys.executable} and in {heat_venv.PACKAGES}'
        ) from None
    return exceptions, identity, session


#: What sends a signal, and how many bytes it may have.
SENDERS: 'dict[str, tuple[Callable[[dict[str, str], dict[str, Any]], None], int]]' = {
    'CFN_SIGNAL': (send_to_url, BODY_LIMIT),
    'TEMP_URL_SIGNAL': (send_to_url, BODY_LIMIT),
    'HEAT_SIGNAL': (send_to_heat, BODY_LIMIT),
    'ZAQAR_SIGNAL': (send_to_zaqar, ZAQAR_BODY_LIMIT),
}


def patience_from_environment() -> float:
    """HEAT_CONFIG_NOTIFY_PATIENCE, in seconds."""
    text = os.environ.get('HEAT_CONFIG_NOTIFY_PATIENCE') or PATIENCE
    try:
        return max(0.0, float(text))
    except ValueError:
        raise Unusable(
            f'HEAT_CONFIG_NOTIFY_PATIENCE is {text!r}, which is no number of seconds'
        ) from None


def read_object(name: str, file: 'Any') -> 'dict[str, Any]':
    try:
        value = json.loads(file.read().decode('utf-8'))
    except ValueError as error:
        raise Unusable(f'{name} is not JSON: {error}') from None
    if not isinstance(value, dict):
        raise Unusable(f'{name} is not a JSON object')
    return value


def main(arguments: 'list[str]') -> int:
    if arguments in (['-h'], ['--help']):
        print(__doc__.strip())
        return DELIVERED
    if arguments == ['--version']:
        import heat_release

        print(f'heat-config-notify {heat_release.version()}')
        return DELIVERED
    if len(arguments) != 1:
        print(__doc__.strip().splitlines()[2], file=sys.stderr)
        return UNUSABLE
    try:
        with open(arguments[0], 'rb') as file:
            deployment = read_object(arguments[0], file)
        deliver(
            inputs_of(deployment),
            read_object('the response on stdin', sys.stdin.buffer),
            patience_from_environment(),
        )
    except OSError as error:
        print(f'heat-config-notify: {error}', file=sys.stderr)
        return UNUSABLE
    except SignalError as error:
        print(f'heat-config-notify: {error}', file=sys.stderr)
        return error.exit_status
    return DELIVERED


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
