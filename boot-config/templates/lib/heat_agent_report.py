#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tell Heat that a server gets no agent: signal its deployments as failed, for ever.

Usage: heat_agent_report.py

heat_agent_steps.py starts it, with the reason in the file "failure" beside
it; the unit ends it when somebody starts the agent.  Whatever is wrong with a
deployment or an answer is said, and the others are told all the same.
Python 3.6's standard library suffices.
"""

import json
import os
import sys
import time
import urllib.error
import uuid

import heat_agent_boot as boot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

REASON = os.path.join(boot.FOLDER, 'failure')
FIRST_METADATA = '/var/lib/heat-cfntools/cfn-init-data'
POLLING_INTERVAL = 20  # seconds between two looks for deployments to signal
MESSAGE_TTL = 3600  # seconds for which Zaqar keeps a signal
# Older Heats do not name the transport; which inputs are there says it.
TRANSPORTS = (
    ('deploy_signal_id', 'CFN_SIGNAL'),
    ('deploy_queue_id', 'ZAQAR_SIGNAL'),
    ('deploy_auth_url', 'HEAT_SIGNAL'),
)


class Heat(boot.Heat):
    """Heat's API as servers use it, to signal and with all transports of metadata."""

    def readers(self) -> 'tuple[tuple[str, Any], ...]':
        return super().readers() + (('zaqar', self._from_zaqar),)

    def _from_zaqar(self, settings: 'dict[str, Any]') -> bytes:
        """ZAQAR_MESSAGE: the last message of a queue; an agent still finds it there."""
        url, headers = self._queue(settings)
        # Whose own messages are not shown otherwise is nobody here.
        answer, found = url + '?echo=true&limit=20', None
        while answer:
            page = json.loads(self.request(answer, **headers)[0].decode('utf-8'))
            messages = page.get('messages')
            if not messages:
                break
            found = messages[-1]['body']
            following = [link['href'] for link in page.get('links', ()) if link['rel'] == 'next']
            # Relative to the endpoint's root.
            answer = following and url[: url.index('/v2/')] + following[0]
        if found is None:
            raise OSError('there are no metadata in the queue')
        return json.dumps(found).encode('ascii')

    def _queue(self, settings: 'dict[str, Any]') -> 'tuple[str, dict[str, str]]':
        """The URL of a queue's messages, and the headers for requests to it."""
        endpoint, token = self.log_in(settings, 'messaging')
        for version in ('/v2', '/v1.1', '/v1'):  # some catalogues name one
            if endpoint.endswith(version):
                endpoint = endpoint[: -len(version)]
        return f'{endpoint}/v2/queues/{settings["queue_id"]}/messages', {
            'Client_ID': str(uuid.uuid4()),
            'X_Project_Id': settings['project_id'],
            'X_Auth_Token': token,
        }

    def signal(self, deployment: 'dict[str, Any]', response: 'dict[str, Any]') -> bool:
        """Signal a deployment's result.

        :returns: whether one is awaited.
        :raises OSError: when it cannot be delivered.
        """
        inputs = {item['name']: item.get('value') for item in deployment.get('inputs') or ()}
        credentials = {
            name[len('deploy_') :]: value
            for name, value in inputs.items()
            if name.startswith('deploy_')
        }
        transport = inputs.get('deploy_signal_transport') or next(
            (transport for name, transport in TRANSPORTS if inputs.get(name)), None
        )
        if transport in ('CFN_SIGNAL', 'TEMP_URL_SIGNAL'):
            method = inputs.get('deploy_signal_verb') or 'POST'
            self.request(inputs['deploy_signal_id'], response, method=method)
        elif transport == 'HEAT_SIGNAL':
            endpoint, token = self.log_in(credentials, 'orchestration')
            self.request(
                f'{endpoint}/stacks/{inputs["deploy_stack_id"]}/resources/'
                f'{inputs["deploy_resource_name"]}/signal',
                response,
                X_Auth_Token=token,
            )
        elif transport == 'ZAQAR_SIGNAL':
            url, headers = self._queue(credentials)
            self.request(url, {'messages': [{'ttl': MESSAGE_TTL, 'body': response}]}, **headers)
        else:
            return False
        return True


def report(heat: Heat, reason: str) -> None:
    """Signal each deployment that the server gets as failed, for ever."""
    response = {'deploy_status_code': 1, 'deploy_stdout': '', 'deploy_stderr': reason}
    told = set()
    while True:
        for deployment in deployments(heat):
            key = json.dumps(deployment.get('id') if isinstance(deployment, dict) else deployment)
            if key not in told and tell(heat, deployment, response):
                told.add(key)
        time.sleep(POLLING_INTERVAL)


def deployments(heat: Heat) -> 'list[Any]':
    """What the server is to do, as far as that can be read now."""
    try:
        with open(FIRST_METADATA) as file:
            source = json.load(file)['os-collect-config']
        return list(heat.metadata(source).get('deployments') or ())
    except Exception as error:  # whatever the server was sent: the next look is another chance
        boot.say(f'the deployments could not be read: {boot.describe(error)}')
        return []


def tell(heat: Heat, deployment: 'Any', response: 'dict[str, Any]') -> bool:
    """Signal one deployment.

    :returns: whether that is done with, for Heat knows, or will not know by another try.
    """
    try:
        name = deployment.get('name')
        awaited = heat.signal(deployment, response)
        boot.say(f'{name}: ' + ('signalled as failed' if awaited else 'awaits no signal'))
        return True
    except urllib.error.HTTPError as error:
        # What redirects or is overloaded today may take it tomorrow.
        final = 400 <= error.code < 500 and error.code not in (408, 425, 429)
        said = 'Heat refuses the signal' if final else 'Heat could not be told'
        boot.say(f'{name}: {said}: {boot.describe(error)}')
        return final
    except OSError as error:
        boot.say(f'{name}: Heat could not be told: {boot.describe(error)}')
        return False
    except Exception as error:  # whatever is wrong with this one, the others are told
        boot.say(f'a deployment cannot be signalled: {error!r}')
        return True


def main(arguments: 'list[str]') -> int:
    if arguments:
        print(__doc__.strip())
        return 0 if arguments in (['-h'], ['--help']) else 2
    with open(os.path.join(boot.FOLDER, 'settings.json')) as file:
        trusted_ca = json.load(file).get('trusted_ca') or ''
    with open(REASON) as file:
        reason = file.read()
    report(Heat(trusted_ca), reason)
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
