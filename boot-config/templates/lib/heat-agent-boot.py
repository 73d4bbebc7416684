#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Carry out the steps that give a server its agent, or tell Heat why it gets none.

Usage: heat-agent-boot.py [--report]

cloud-init writes it, with settings.json beside it, and runs it at a server's
first boot.  The first step that fails ends the installation: the console and
cloud-init's log say which and why, and so does Heat, for the server's
deployments are signalled as failed with that reason until somebody starts
the agent (--report does that, in the background).  Until all steps succeed,
each boot begins again.  A server whose agent is running keeps that agent.

settings.json is an object of first_boot.yaml's parameters; see there.
"""
import base64
import collections
import hashlib
import hmac
import http.client
import json
import os
import re
import shutil
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
    from typing import Any

FOLDER = os.path.dirname(os.path.realpath(__file__))
REASON = os.path.join(FOLDER, 'failure')
# cloud-init does not run again by itself what a power cut has ended.
AT_BOOT = os.path.join(os.path.dirname(FOLDER), 'cloud/scripts/per-boot/heat-agent-boot')
FIRST_METADATA = '/var/lib/heat-cfntools/cfn-init-data'
AGENTS = ('os-collect-config.service', 'heat-container-agent.service')

PATIENCE = 600  # seconds to wait for Heat
POLLING_INTERVAL = 20  # seconds between two looks for deployments to signal
REQUEST_TIMEOUT = 30  # seconds
LINES = 20  # of a failed step's output that Heat is told

# Where a distribution takes CAs from, how such files end, and the command that makes them known.
TRUST_STORES = (
    ('/usr/local/share/ca-certificates', '.crt', 'openssl rehash /etc/ssl/certs'),  # Debian
    ('/etc/pki/ca-trust/source/anchors', '.pem', 'update-ca-trust'),  # Fedora, EL
    ('/etc/pki/trust/anchors', '.pem', 'update-ca-certificates'),  # openSUSE
)
CERTIFICATE = re.compile('-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----', re.DOTALL)


class Failure(Exception):
    """The agent cannot come up; the message says which step failed, and why."""


class Heat:
    """Heat's API as servers use it.

    :param trusted_ca: certificates (PEM) to trust besides the system's.
    """

    def __init__(self, trusted_ca: str = '') -> None:
        self._tls = ssl.create_default_context()
        if trusted_ca:
            self._tls.load_verify_locations(cadata=trusted_ca)

    def request(self, url: str, data: 'Any' = None, method: 'str | None' = None,
                **headers: str) -> 'tuple[bytes, Any]':
        """Send JSON, or nothing.

        :returns: the answer's body and headers.
        :raises OSError: when there is no good answer; URLError is one, too.
        """
        headers = {name.replace('_', '-'): value for name, value in headers.items()}
        if data is not None:
            data = json.dumps(data).encode('ascii')
            headers['Content-Type'] = 'application/json'
        asked = urllib.request.Request(url, data, headers, method=method)
        with urllib.request.urlopen(asked, timeout=REQUEST_TIMEOUT, context=self._tls) as answer:
            return answer.read(), answer.headers

    def metadata(self, source: 'dict[str, Any]') -> 'dict[str, Any]':
        """A server's metadata.

        :param source: its os-collect-config map: where it is read, and the credentials.
        :raises OSError: when it cannot be read.
        :raises Failure: when it says nothing that is understood here.
        """
        for section, read in (
                ('cfn', self._from_cfn), ('heat', self._from_heat),
                # POLL_TEMP_URL
                ('request', lambda settings: self.request(settings['metadata_url'])[0])):
            # A transport that was given up for another one leaves nulls.
            settings = {name: value for name, value in (source.get(section) or {}).items()
                        if value is not None}
            if settings:
                return json.loads(read(settings).decode('utf-8'))
        raise Failure('the metadata come by a transport that is not supported here '
                      '(there is no cfn, heat or request in: ' + ', '.join(sorted(source)) + ')')

    def _from_cfn(self, settings: 'dict[str, Any]') -> bytes:
        """POLL_SERVER_CFN: AWS's DescribeStackResource, signed (version 2)."""
        url = urllib.parse.urlsplit(settings['metadata_url'])
        query = urllib.parse.urlencode(sorted({
            'Action': 'DescribeStackResource',
            'AWSAccessKeyId': settings['access_key_id'],
            'LogicalResourceId': settings['path'].split('.')[0],
            'SignatureMethod': 'HmacSHA256',
            'SignatureVersion': '2',
            'StackName': settings['stack_name'],
        }.items()), quote_via=urllib.parse.quote, safe='-_~')
        text = '\n'.join(('GET', url.netloc, url.path, query))
        signature = base64.b64encode(hmac.new(
            settings['secret_access_key'].encode(), text.encode(), hashlib.sha256).digest())
        answer, _ = self.request(
            f'{url.geturl()}?{query}&Signature={urllib.parse.quote(signature, safe="")}')
        try:
            text = xml.etree.ElementTree.fromstring(answer).findtext('.//Metadata')
        except xml.etree.ElementTree.ParseError:
            text = None
        if not text:
            raise ValueError(f'{url.netloc} answered what are no metadata')
        return text.encode('utf-8')

    def _from_heat(self, settings: 'dict[str, Any]') -> bytes:
        """POLL_SERVER_HEAT."""
        endpoint, token = self._log_in(settings)
        answer, _ = self.request(
            f"{endpoint}/stacks/{settings['stack_id']}/resources/{settings['resource_name']}"
            '/metadata', X_Auth_Token=token)
        return json.dumps(json.loads(answer.decode('utf-8'))['metadata']).encode('ascii')

    def _log_in(self, settings: 'dict[str, Any]') -> 'tuple[str, str]':
        """Heat's endpoint and a token, from Keystone.

        :param settings: auth_url, user_id, password, project_id and, perhaps, region_name.
        """
        url = re.sub('/v2.0$', '', settings['auth_url'].rstrip('/'))
        if not url.endswith('/v3'):
            url += '/v3'
        answer, headers = self.request(url + '/auth/tokens', {'auth': {
            'identity': {'methods': ['password'], 'password': {'user': {
                'id': settings['user_id'], 'password': settings['password']}}},
            'scope': {'project': {'id': settings['project_id']}}}})
        region = settings.get('region_name')
        for service in json.loads(answer.decode('utf-8'))['token']['catalog']:
            for endpoint in service['endpoints']:
                if (service['type'], endpoint['interface']) == ('orchestration', 'public') and (
                        not region or region == endpoint.get('region_id')):
                    return endpoint['url'].rstrip('/'), headers['X-Subject-Token']
        raise OSError(f"Keystone's catalogue at {url} has no public endpoint of Heat's")

    def signal(self, deployment: 'dict[str, Any]', response: 'dict[str, Any]') -> bool:
        """Signal a deployment's result.

        :returns: whether that is possible from here.
        :raises OSError: when it cannot be delivered.
        """
        inputs = {item['name']: item.get('value') for item in deployment.get('inputs') or ()}
        transport = inputs.get('deploy_signal_transport')
        if transport in ('CFN_SIGNAL', 'TEMP_URL_SIGNAL'):
            self.request(inputs['deploy_signal_id'], response,
                         method=inputs.get('deploy_signal_verb') or 'POST')
        elif transport == 'HEAT_SIGNAL':
            endpoint, token = self._log_in({
                name[len('deploy_'):]: value for name, value in inputs.items()
                if name.startswith('deploy_')})
            self.request(f"{endpoint}/stacks/{inputs['deploy_stack_id']}/resources/"
                         f"{inputs['deploy_resource_name']}/signal", response, X_Auth_Token=token)
        else:
            return False
        return True


def main(arguments: 'list[str]') -> int:
    with open(os.path.join(FOLDER, 'settings.json')) as file:
        settings = json.load(file)
    if arguments == ['--report']:
        with open(REASON) as file:
            report(Heat(settings.get('trusted_ca') or ''), file.read())
        return 0
    if arguments:
        print(__doc__.strip())
        return 0 if arguments in (['-h'], ['--help']) else 2
    if not os.path.lexists(AT_BOOT):
        os.symlink(os.path.realpath(__file__), AT_BOOT)
    try:
        install(settings)
    except Failure as failure:
        if agent_is_running():
            alert(f'The Heat agent goes on as it is. {failure}')
            return 1
        alert(f'The Heat agent is not installed. {failure}')
        with open(REASON, 'w') as file:
            file.write(str(failure))
        report_in_background()
        return 1
    if os.path.exists(REASON):
        os.unlink(REASON)
    os.unlink(AT_BOOT)
    say('done')
    return 0


def install(settings: 'dict[str, Any]') -> None:
    """Carry out the steps.

    :raises Failure: when one fails.
    """
    trusted_ca = settings.get('trusted_ca') or ''
    environment = dict(os.environ, LC_ALL='C.UTF-8')
    environment.update(
        (name, value) for name, value in settings.get('environment', {}).items() if value)
    if trusted_ca:
        trust(trusted_ca)
        # pip trusts a list of its own.
        paths = ssl.get_default_verify_paths()
        environment['PIP_CERT'] = paths.cafile or paths.capath
    index = urllib.parse.urlsplit(environment.get('PIP_INDEX_URL', ''))
    if index.scheme == 'http':
        environment['PIP_TRUSTED_HOST'] = index.netloc.rpartition('@')[2]
    if settings.get('source'):
        fetch(Heat(trusted_ca), settings['source'])
    for step in settings['steps']:
        run(step['name'], step['command'], environment)


def trust(certificates: str) -> None:
    """Add certificates to those that the system trusts."""
    stores = [store for store in TRUST_STORES if os.path.isdir(store[0])]
    if not stores:
        raise Failure('trust the CA: this system has no folder for certificates that is known '
                      'here: ' + ', '.join(store[0] for store in TRUST_STORES))
    folder, suffix, text = stores[0]
    command = text.split()
    # Without it there is no TLS yet; the package that brings it reads the files.
    known = shutil.which(command[0])
    # One a file: OpenSSL does not find the others by their hashes.
    for certificate in CERTIFICATE.findall(certificates):
        name = 'heat-agent-' + hashlib.sha256(certificate.encode()).hexdigest()[:8]
        path = os.path.join(folder, name + suffix)
        with open(path, 'w') as file:
            file.write(certificate + '\n')
        # What Debian's update-ca-certificates does for all CAs; emulated, that takes a minute.
        link = os.path.join(command[-1], name + '.pem')
        if known and command[0] == 'openssl' and not os.path.lexists(link):
            os.symlink(path, link)
            with open(os.path.join(command[-1], 'ca-certificates.crt'), 'a') as file:
                file.write(certificate + '\n')
    if known:
        run('trust the CA', command, dict(os.environ))


def fetch(heat: Heat, source: 'dict[str, Any]') -> None:
    """Read what the steps need from Heat, which may not be there at once.

    :raises Failure: when Heat refuses it, or is not there for too long.
    """
    give_up = time.monotonic() + PATIENCE
    pause = 1
    while True:
        try:
            metadata = heat.metadata(source)
            break
        except (OSError, ValueError, http.client.HTTPException) as error:
            problem = f'read the agent from Heat: {describe(error)}'
            refused = isinstance(error, urllib.error.HTTPError) and error.code in (401, 403, 404)
            if refused or time.monotonic() > give_up:
                raise Failure(problem)
        say(f'{problem}; another try in {pause} seconds')
        time.sleep(pause)
        pause = min(2 * pause, 30)
    for name, content in metadata['files'].items():
        with open(os.path.join(FOLDER, name), 'w') as file:
            file.write(content if isinstance(content, str) else json.dumps(content))


def describe(error: Exception) -> str:
    """What went wrong, without the URL: it can be a credential."""
    if isinstance(error, urllib.error.HTTPError):
        host = urllib.parse.urlsplit(error.url).netloc
        return f'{host} answered {error.code} {error.reason}'
    return str(getattr(error, 'reason', '') or error)


def run(name: str, command: 'list[str]', environment: 'dict[str, str]') -> None:
    """Run a step's command, and let its output be seen.

    :raises Failure: when it fails; with the end of its output.
    """
    say(f'{name} ...')
    tail = collections.deque(maxlen=LINES)
    try:
        process = subprocess.Popen(
            command, cwd=FOLDER, env=environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    except OSError as error:
        raise Failure(f'{name}: {command[0]} cannot run: {error.strerror}')
    for line in process.stdout:
        tail.append(without_passwords(line.decode('utf-8', 'replace').rstrip()))
        print(tail[-1].encode('ascii', 'replace').decode(), flush=True)
    status = process.wait()
    if status:
        raise Failure('\n'.join([
            f"{name}: failed with status {status}: {tail[-1] if tail else 'no output'}",
            'The end of its output:', *tail]))


def without_passwords(text: str) -> str:
    """A text without the passwords of the URLs in it."""
    return re.sub('://[^/@ ]+@', '://***@', text)


def agent_is_running() -> bool:
    # Not its status: in a chroot, that is always good.
    return 'active' in subprocess.getoutput('systemctl is-active ' + ' '.join(AGENTS)).split()


def report_in_background() -> None:
    """Start what tells Heat; as a unit, it ends when somebody starts the agent."""
    command = [sys.executable, '-B', os.path.abspath(__file__), '--report']
    unit = ['systemd-run', '--unit', 'heat-agent-failure', '--collect',
            '--description', 'Tell Heat that there is no agent',
            '--property', 'Restart=on-failure', '--property', 'RestartSec=20',
            '--property', 'Conflicts=' + ' '.join(AGENTS)]
    try:
        subprocess.check_call(unit + command)
    except (OSError, subprocess.CalledProcessError):
        subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)


def report(heat: Heat, reason: str) -> None:
    """Signal each deployment that the server gets as failed, for ever."""
    with open(FIRST_METADATA) as file:
        source = json.load(file)['os-collect-config']
    response = {'deploy_status_code': 1, 'deploy_stdout': '', 'deploy_stderr': reason}
    told = set()
    while True:
        try:
            for deployment in heat.metadata(source).get('deployments') or ():
                if deployment['id'] not in told:
                    tell(heat, deployment, response)
                    told.add(deployment['id'])
        except (OSError, ValueError) as error:
            say(f'Heat could not be told: {describe(error)}')
        time.sleep(POLLING_INTERVAL)


def tell(heat: Heat, deployment: 'dict[str, Any]', response: 'dict[str, Any]') -> None:
    """Signal one deployment; one that Heat refuses is done with.

    :raises OSError: when another try may help.
    """
    name = deployment.get('name')
    try:
        if heat.signal(deployment, response):
            say(f'{name}: signalled as failed')
        else:
            say(f'{name}: its signal transport is not supported here; Heat is not told')
    except urllib.error.HTTPError as error:
        if error.code >= 500:
            raise
        say(f'{name}: Heat refuses the signal: {describe(error)}')


def say(message: str) -> None:
    print(f'heat-agent-boot: {message}', flush=True)


def alert(message: str) -> None:
    """Say something where it is seen, too, that nobody can log in."""
    say(message)
    try:
        with open('/dev/console', 'w') as console:
            console.write(f'\r\nheat-agent-boot: {message}\r\n')
    except OSError:
        pass    # it has none


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
