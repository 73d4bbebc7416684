#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Fetch from Heat what gives a server its agent, and carry it out.

Usage: heat_agent_boot.py [--go-on]

cloud-init writes it, with settings.json beside it, and runs it at a server's
first boot.  It holds only what it takes to read files from Heat, for user
data have a limit; heat_agent_steps.py is one of these files, and goes on from
there.  Until that has succeeded, each boot begins again.

When Heat cannot be read, the console and cloud-init's log say why, and it is
tried again in the background (--go-on does that), for ever.

settings.json is an object:
  source      an os-collect-config map: where a resource is read in whose
              metadata "files" is {name: content}; what is no text is
              written as JSON
  trusted_ca  certificates (PEM) to trust besides the system's
"""

import base64
import contextlib
import hashlib
import hmac
import http.client
import json
import os
import re
import signal
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import xml.etree.ElementTree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Iterator

FOLDER = os.path.dirname(os.path.realpath(__file__))
STEPS = os.path.join(FOLDER, 'heat_agent_steps.py')
# cloud-init does not run again by itself what a power cut has ended.
AT_BOOT = os.path.join(os.path.dirname(FOLDER), 'cloud/scripts/per-boot/heat-agent-boot')
AGENTS = ('os-collect-config.service', 'heat-container-agent.service')

PATIENCE = 600  # seconds to wait for Heat, while cloud-init waits
REQUEST_TIMEOUT = 60  # seconds for a whole request and its answer


class Failure(Exception):
    """The agent cannot come up; the message says which step failed, and why."""


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """Follow a redirection only where nothing is sent that another server must not get.

    Moreover, urllib would make a POST a GET, and a signal would be lost.
    """

    def redirect_request(self, request: 'Any', *answer: 'Any') -> 'Any':
        if request.data is not None or request.has_header('X-auth-token'):
            return None
        return super().redirect_request(request, *answer)


@contextlib.contextmanager
def time_limit(seconds: int) -> 'Iterator[None]':
    """End with TimeoutError what takes longer; for the main thread."""

    def expire(*_: 'Any') -> None:
        raise TimeoutError(f'no complete answer within {seconds} seconds')

    handler = signal.signal(signal.SIGALRM, expire)
    remaining = signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(remaining)
        signal.signal(signal.SIGALRM, handler)


class Heat:
    """Heat's API as servers use it.

    :param trusted_ca: certificates (PEM) to trust besides the system's.
    """

    def __init__(self, trusted_ca: str = '') -> None:
        tls = ssl.create_default_context()
        if trusted_ca:
            tls.load_verify_locations(cadata=trusted_ca)
        self._opener = urllib.request.build_opener(
            NoRedirect, urllib.request.HTTPSHandler(context=tls)
        )

    def request(
        self, url: str, data: 'Any' = None, method: 'str | None' = None, **headers: str
    ) -> 'tuple[bytes, Any]':
        """Send JSON, or nothing.

        :returns: the answer's body and headers.
        :raises OSError: when there is no good answer; URLError is one, too.
        """
        headers = {name.replace('_', '-'): value for name, value in headers.items()}
        if data is not None:
            data = json.dumps(data).encode('ascii')
            headers['Content-Type'] = 'application/json'
        asked = urllib.request.Request(url, data, headers, method=method)
        try:
            # A server that sends a byte now and then must not hold up the others.
            with time_limit(REQUEST_TIMEOUT):
                with self._opener.open(asked, timeout=REQUEST_TIMEOUT) as answer:
                    return answer.read(), answer.headers
        except http.client.HTTPException as error:
            raise OSError(f'{asked.host} gave a broken answer: {error!r}')

    def readers(self) -> 'tuple[tuple[str, Any], ...]':
        """What reads metadata, by the section of os-collect-config that says where."""
        return (
            ('cfn', self._from_cfn),
            ('heat', self._from_heat),
            # POLL_TEMP_URL
            ('request', lambda settings: self.request(settings['metadata_url'])[0]),
        )

    def metadata(self, source: 'dict[str, Any]') -> 'dict[str, Any]':
        """A server's metadata.

        :param source: its os-collect-config map: where it is read, and the credentials.
        :raises OSError: when it cannot be read.
        :raises ValueError: when it is not what it should be.
        :raises Failure: when it says nothing that is understood here.
        """
        for section, read in self.readers():
            # A transport that was given up for another one leaves nulls.
            settings = {
                name: value
                for name, value in (source.get(section) or {}).items()
                if value is not None
            }
            if settings:
                metadata = json.loads(read(settings).decode('utf-8'))
                if not isinstance(metadata, dict):
                    raise ValueError('the metadata are no map')
                return metadata
        raise Failure(
            'the metadata come by a transport that is not supported here (there is none of '
            + ', '.join(section for section, _ in self.readers())
            + ' in: '
            + ', '.join(sorted(source))
            + ')'
        )

    def _from_cfn(self, settings: 'dict[str, Any]') -> bytes:
        """POLL_SERVER_CFN: AWS's DescribeStackResource, signed (version 2)."""
        url = urllib.parse.urlsplit(settings['metadata_url'])
        query = urllib.parse.urlencode(
            sorted(
                {
                    'Action': 'DescribeStackResource',
                    'AWSAccessKeyId': settings['access_key_id'],
                    'LogicalResourceId': settings['path'].split('.')[0],
                    'SignatureMethod': 'HmacSHA256',
                    'SignatureVersion': '2',
                    'StackName': settings['stack_name'],
                }.items()
            ),
            quote_via=urllib.parse.quote,
            safe='-_~',
        )
        text = '\n'.join(('GET', url.netloc, url.path, query))
        key = settings['secret_access_key'].encode()
        digest = hmac.new(key, text.encode(), hashlib.sha256).digest()
        signature = urllib.parse.quote(base64.b64encode(digest), safe='')
        answer, _ = self.request(f'{url.geturl()}?{query}&Signature={signature}')
        try:
            text = xml.etree.ElementTree.fromstring(answer).findtext('.//Metadata')
        except xml.etree.ElementTree.ParseError:
            text = None
        if not text:
            raise ValueError(f'{url.netloc} answered what are no metadata')
        return text.encode('utf-8')

    def _from_heat(self, settings: 'dict[str, Any]') -> bytes:
        """POLL_SERVER_HEAT."""
        endpoint, token = self.log_in(settings, 'orchestration')
        answer, _ = self.request(
            f'{endpoint}/stacks/{settings["stack_id"]}/resources/{settings["resource_name"]}'
            '/metadata',
            X_Auth_Token=token,
        )
        return json.dumps(json.loads(answer.decode('utf-8'))['metadata']).encode('ascii')

    def log_in(self, settings: 'dict[str, Any]', service_type: str) -> 'tuple[str, str]':
        """A service's endpoint and a token, from Keystone.

        :param settings: auth_url, user_id, password, project_id and, perhaps, region_name.
        :raises OSError: when there is none; not HTTPError, for what Keystone refuses while it is
            restarted it may grant later.
        """
        url = re.sub('/v2.0$', '', settings['auth_url'].rstrip('/'))
        if not url.endswith('/v3'):
            url += '/v3'
        user = {'id': settings['user_id'], 'password': settings['password']}
        auth = {
            'identity': {'methods': ['password'], 'password': {'user': user}},
            'scope': {'project': {'id': settings['project_id']}},
        }
        try:
            answer, headers = self.request(url + '/auth/tokens', {'auth': auth})
        except urllib.error.HTTPError as error:
            raise OSError('Keystone: ' + describe(error))
        region = settings.get('region_name')
        for service in json.loads(answer.decode('utf-8'))['token']['catalog']:
            for endpoint in service['endpoints']:
                if (service['type'], endpoint['interface']) == (service_type, 'public') and (
                    not region or region == endpoint.get('region_id')
                ):
                    return endpoint['url'].rstrip('/'), headers['X-Subject-Token']
        raise OSError(
            f"Keystone's catalogue at {url} has no public endpoint of the service {service_type}"
        )


def main(arguments: 'list[str]') -> int:
    if arguments not in ([], ['--go-on']):
        print(__doc__.strip())
        return 0 if arguments in (['-h'], ['--help']) else 2
    with open(os.path.join(FOLDER, 'settings.json')) as file:
        settings = json.load(file)
    if not os.path.lexists(AT_BOOT):
        os.symlink(os.path.realpath(__file__), AT_BOOT)
        os.sync()
    heat = Heat(settings.get('trusted_ca') or '')
    try:
        fetch(heat, settings['source'], patient=bool(arguments))
    except Failure as failure:
        if agent_is_running():
            alert(f'The Heat agent goes on as it is. {failure}')
        else:
            alert(f'The Heat agent is not installed. {failure}')
            if not arguments:
                say('from now on it is tried in the background')
                in_background('heat-agent-boot', [os.path.abspath(__file__), '--go-on'])
        return 1
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, '-B', STEPS])


def fetch(heat: Heat, source: 'dict[str, Any]', patient: bool = False) -> None:
    """Read files from Heat, which may not be there at once.

    :param patient: whether to go on for ever.
    :raises Failure: when Heat refuses it, or is not there for too long.
    """
    give_up = time.monotonic() + PATIENCE
    pause = 1
    while True:
        try:
            files = heat.metadata(source)['files']
            break
        except (OSError, ValueError, KeyError) as error:
            problem = f'read the agent from Heat: {describe(error)}'
            refused = isinstance(error, urllib.error.HTTPError) and error.code in (401, 403, 404)
            if not patient and (refused or time.monotonic() > give_up):
                raise Failure(problem)
        say(f'{problem}; another try in {pause} seconds')
        time.sleep(pause)
        pause = min(2 * pause, 30)
    for name, content in files.items():
        # A proxy's URL, for one, can hold a password.
        with open(os.path.join(FOLDER, name), 'w', opener=private) as file:
            file.write(content if isinstance(content, str) else json.dumps(content))


def private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def describe(error: Exception) -> str:
    """What went wrong, without the URL: it can be a credential."""
    if isinstance(error, urllib.error.HTTPError):
        host = urllib.parse.urlsplit(error.url).netloc
        return f'{host} answered {error.code} {error.reason}'
    if isinstance(error, KeyError):
        return f'there is no {error} in what was read'
    return str(getattr(error, 'reason', '') or error)


def agent_is_running() -> bool:
    # Not its status: in a chroot, that is always good.
    return 'active' in subprocess.getoutput('systemctl is-active ' + ' '.join(AGENTS)).split()


def in_background(unit: str, command: 'list[str]', *properties: str) -> None:
    """Start a Python program that outlives this one, as a unit where systemd runs.

    :param properties: of the unit.
    """
    command = [sys.executable, '-B'] + command
    options = ['--unit', unit, '--collect']
    for value in properties:
        options += ['--property', value]
    try:
        subprocess.check_call(['systemd-run'] + options + command)
    except (OSError, subprocess.CalledProcessError):
        subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)


def say(message: str) -> None:
    print(f'heat-agent-boot: {message}', flush=True)


def alert(message: str) -> None:
    """Say something where it is seen, too, that nobody can log in."""
    say(message)
    try:
        with open('/dev/console', 'w') as console:
            console.write(f'\r\nheat-agent-boot: {message}\r\n')
    except OSError:
        pass  # it has none


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
