#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Carry out the steps that give a server its agent, or have Heat told why it gets none.

Usage: heat_agent_steps.py

heat_agent_boot.py has fetched it.  The first step that fails ends the
installation: the console and cloud-init's log say which and why, and so does
Heat, for heat_agent_report.py signals the server's deployments as failed with
that reason until somebody starts the agent.  A server whose agent is running
keeps that agent.

steps.json is an object:
  steps        a list of {name, command}; a command is a list, and runs in
               the folder of this program
  environment  variables for them

Python 3.6's standard library suffices.
"""

import collections
import hashlib
import json
import os
import re
import shutil
import ssl
import subprocess
import sys
import urllib.parse

import heat_agent_boot as boot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

REASON = os.path.join(boot.FOLDER, 'failure')
LINES = 20  # of a failed step's output that Heat is told

# Where a distribution takes CAs from, how such files end, and the command that makes them known.
TRUST_STORES = (
    ('/usr/local/share/ca-certificates', '.crt', 'openssl rehash /etc/ssl/certs'),  # Debian
    ('/etc/pki/ca-trust/source/anchors', '.pem', 'update-ca-trust'),  # Fedora, EL
    ('/etc/pki/trust/anchors', '.pem', 'update-ca-certificates'),  # openSUSE
)
CERTIFICATE = re.compile('-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----', re.DOTALL)


def main(arguments: 'list[str]') -> int:
    if arguments:
        print(__doc__.strip())
        return 0 if arguments in (['-h'], ['--help']) else 2
    try:
        install(read('steps.json'), read('settings.json').get('trusted_ca') or '')
    except boot.Failure as failure:
        if boot.agent_is_running():
            boot.alert(f'The Heat agent goes on as it is. {failure}')
            return 1
        boot.alert(f'The Heat agent is not installed. {failure}')
        with open(REASON, 'w') as file:
            file.write(str(failure))
        boot.in_background(
            'heat-agent-failure',
            [os.path.join(boot.FOLDER, 'heat_agent_report.py')],
            'Description=Tell Heat that there is no agent',
            'Restart=on-failure',
            'RestartSec=20',
            # It ends when somebody starts the agent.
            'Conflicts=' + ' '.join(boot.AGENTS),
        )
        return 1
    # What was installed is on the disk before nothing begins again any more.
    os.sync()
    for path in (REASON, boot.AT_BOOT):
        if os.path.lexists(path):
            os.unlink(path)
    boot.say('done')
    return 0


def read(name: str) -> 'dict[str, Any]':
    with open(os.path.join(boot.FOLDER, name)) as file:
        return json.load(file)


def install(plan: 'dict[str, Any]', trusted_ca: str) -> None:
    """Carry out the steps.

    :param plan: the content of steps.json.
    :param trusted_ca: certificates (PEM) that the system and pip shall trust.
    :raises boot.Failure: when one fails.
    """
    environment = dict(os.environ, LC_ALL='C.UTF-8')
    environment.update(
        (name, value) for name, value in plan.get('environment', {}).items() if value
    )
    if trusted_ca:
        trust(trusted_ca)
        # pip trusts a list of its own.
        paths = ssl.get_default_verify_paths()
        environment['PIP_CERT'] = paths.cafile or paths.capath
    index = urllib.parse.urlsplit(environment.get('PIP_INDEX_URL', ''))
    if index.scheme == 'http':
        environment['PIP_TRUSTED_HOST'] = index.netloc.rpartition('@')[2]
    for step in plan['steps']:
        run(step['name'], step['command'], environment)


def trust(certificates: str) -> None:
    """Add certificates to those that the system trusts.

    :raises boot.Failure: when there are none, or the system has no place for them.
    """
    found = CERTIFICATE.findall(certificates)
    if not found:
        raise boot.Failure('trust the CA: there is no PEM certificate in trusted_ca')
    stores = [store for store in TRUST_STORES if os.path.isdir(store[0])]
    if not stores:
        raise boot.Failure(
            'trust the CA: this system has no folder for certificates that is known here: '
            + ', '.join(store[0] for store in TRUST_STORES)
        )
    folder, suffix, text = stores[0]
    command = text.split()
    # Without it there is no TLS yet; the package that brings it reads the files.
    known = shutil.which(command[0])
    # One a file: OpenSSL does not find the others by their hashes.
    for certificate in found:
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


def run(name: str, command: 'list[str]', environment: 'dict[str, str]') -> None:
    """Run a step's command, and let its output be seen.

    :raises boot.Failure: when it fails; with the end of its output.
    """
    boot.say(f'{name} ...')
    tail = collections.deque(maxlen=LINES)
    try:
        process = subprocess.Popen(
            command,
            cwd=boot.FOLDER,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
    except OSError as error:
        raise boot.Failure(f'{name}: {command[0]} cannot run: {error.strerror}')
    for line in process.stdout:
        tail.append(without_passwords(line.decode('utf-8', 'replace').rstrip()))
        print(tail[-1].encode('ascii', 'replace').decode(), flush=True)
    status = process.wait()
    if status:
        raise boot.Failure(
            '\n'.join(
                [
                    f'{name}: failed with status {status}: {tail[-1] if tail else "no output"}',
                    'The end of its output:',
                    *tail,
                ]
            )
        )


def without_passwords(text: str) -> str:
    """A text without the passwords of the URLs in it."""
    return re.sub('://[^/@ ]+@', '://***@', text)


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
