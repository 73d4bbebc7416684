# SPDX-License-Identifier: Apache-2.0
"""The configuration files of Keystone and Heat."""

import configparser
import io
import os
import sys

from localheat import files
from localheat.services.state import HOST_SEEN_BY_SERVERS, REGION, State

Sections = dict[str, dict[str, object]]


def write(state: State, debug: bool = False) -> None:
    """Write keystone.conf, heat.conf and their policies into the state's folder."""
    files.write(state.path('keystone.conf'), ini(_keystone(state, debug)))
    files.write(state.path('keystone-policy.yaml'), '{}\n')
    files.write(state.path('heat.conf'), ini(_heat(state, debug)))
    # Heat's CFN API asks for permission without a target, so the default rule, which compares
    # projects, refuses the agents that poll it.
    files.write(
        state.path('heat-policy.yaml'),
        '"cloudformation:DescribeStackResource": "role:reader or role:heat_stack_user"\n',
    )


def ini(sections: Sections) -> str:
    """Return the text of a configuration file."""
    parser = configparser.RawConfigParser()
    parser.read_dict(sections)
    text = io.StringIO()
    parser.write(text)
    return text.getvalue()


def _keystone(state: State, debug: bool) -> Sections:
    return {
        'DEFAULT': {'debug': debug},
        'database': {'connection': _sqlite(state, 'keystone')},
        'token': {'provider': 'fernet'},
        'fernet_tokens': {'key_repository': state.path('fernet-keys')},
        'fernet_receipts': {'key_repository': state.path('fernet-keys')},
        # auth_ttl, in minutes: a signed URL must outlive the boot of an emulated server
        'credential': {'key_repository': state.path('credential-keys'), 'auth_ttl': 120},
        # bcrypt's cheapest: the passwords are random and live for one run
        'identity': {'password_hash_rounds': 4},
        'oslo_policy': {'policy_file': state.path('keystone-policy.yaml')},
        'cache': {'enabled': True, 'backend': 'dogpile.cache.memory'},
    }


def _heat(state: State, debug: bool) -> Sections:
    etc = os.path.join(sys.prefix, 'etc', 'heat')
    cfn = state.url('heat-cfn', HOST_SEEN_BY_SERVERS)
    user = {
        'auth_type': 'password',
        'auth_url': state.url('keystone') + '/v3',
        'username': 'heat',
        'password': state.passwords['heat'],
        'user_domain_id': 'default',
    }
    service = dict(user, project_name='service', project_domain_id='default')
    return {
        'DEFAULT': {
            'debug': debug,
            # within the process, for it is one process
            'transport_url': 'fake://',
            'num_engine_workers': 1,
            'auth_encryption_key': state.passwords['encryption'],
            'stack_user_domain_name': 'heat',
            'stack_domain_admin': 'heat_domain_admin',
            'stack_domain_admin_password': state.passwords['heat_domain_admin'],
            'region_name_for_services': REGION,
            'server_keystone_endpoint_type': 'public',
            'heat_metadata_server_url': cfn,
            'heat_waitcondition_server_url': cfn + '/v1/waitcondition',
            'environment_dir': os.path.join(etc, 'environment.d'),
            'template_dir': os.path.join(etc, 'templates'),
        },
        'database': {'connection': _sqlite(state, 'heat')},
        'oslo_messaging_notifications': {'driver': 'noop'},
        'oslo_policy': {'policy_file': state.path('heat-policy.yaml')},
        'paste_deploy': {'api_paste_config': os.path.join(etc, 'api-paste.ini')},
        'keystone_authtoken': dict(
            service, www_authenticate_uri=state.url('keystone') + '/v3', interface='internal'
        ),
        'trustee': user,
        'ec2authtoken': dict(service, valid_interfaces='internal'),
        'clients': {'endpoint_type': 'internalURL'},
        # The URLs that wait conditions hand to servers come from this one. Heat itself cannot
        # use them, so OS::Heat::Stack, a stack in another Heat, is what does not work here.
        'clients_heat': {'endpoint_type': 'publicURL'},
        'clients_keystone': {
            'endpoint_type': 'internalURL',
            # with /v3 the agents that poll the CFN API get an error 500
            'auth_uri': state.url('keystone'),
        },
        'volumes': {'backups_enabled': False},
    }


def _sqlite(state: State, name: str) -> str:
    options = 'timeout=60&check_same_thread=false'
    return 'sqlite:///{}?{}'.format(state.path(name + '.sqlite'), options)
