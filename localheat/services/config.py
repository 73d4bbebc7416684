# SPDX-License-Identifier: Apache-2.0
"""The configuration files of all services."""

import configparser
import io
import json
import os
import pwd
import sys
from typing import Any

from localheat import files, process
from localheat.servers.qemu import ISO_MAKERS
from localheat.services.state import HOST, HOST_SEEN_BY_SERVERS, REGION, State

Section = dict[str, Any]
Sections = dict[str, Section]

UNLIMITED = -1
SWIFT_STORES = ('account', 'container', 'object')
FOLDERS = (
    'databases',
    'etc',
    'glance/images',
    'glance/staging',
    'glance/tasks',
    'locks',
    'nova',
    'servers',
    'swift/devices/one',
    'volumes',
    'redis',
)


def write(state: State) -> None:
    """Write the configuration of each service into the folder ``etc``, and make their folders."""
    for folder in FOLDERS:
        os.makedirs(state.path(folder), mode=0o700, exist_ok=True)
    writers = {
        'keystone.conf': _keystone,
        'placement.conf': _placement,
        'nova.conf': _nova,
        'neutron.conf': _neutron,
        'glance-api.conf': _glance,
        'cinder.conf': _cinder,
        'heat.conf': _heat,
        'zaqar.conf': _zaqar,
        'swift/swift.conf': _swift,
        'swift/proxy.conf': _swift_proxy,
    }
    os.makedirs(state.path('etc/swift'), mode=0o700, exist_ok=True)
    for name, make in writers.items():
        files.write(state.path('etc', name), _ini(make(state)))
    for store in SWIFT_STORES:
        path = state.path('etc/swift', store + '.conf')
        files.write(path, _ini(_swift_store(state, store)))
    files.write(state.path('etc/policy.yaml'), '{}\n')
    # Heat's CFN API asks for permission without a target, so the default rule, which compares
    # projects, refuses the agents that poll it.
    files.write(
        state.path('etc/heat-policy.yaml'),
        '"cloudformation:DescribeStackResource": "role:reader or role:heat_stack_user"\n',
    )
    files.write(state.path('etc/vendor_data.json'), json.dumps(_vendor_data()))


def _ini(sections: Sections) -> str:
    """Return the text of a configuration file."""
    parser = configparser.RawConfigParser()
    parser.read_dict(sections)
    text = io.StringIO()
    parser.write(text)
    return text.getvalue()


def _common(state: State, policy: str = 'policy.yaml') -> Sections:
    return {
        'oslo_concurrency': {'lock_path': state.path('locks')},
        'oslo_messaging_notifications': {'driver': 'noop'},
        'oslo_policy': {'policy_file': state.path('etc', policy)},
    }


def _defaults(state: State) -> Section:
    # a service's parts find each other within its process; a busy machine takes long, in seconds
    return {'debug': state.debug, 'transport_url': 'fake://', 'rpc_response_timeout': 600}


def _user(state: State, name: str) -> Section:
    """Return the options by which a service speaks to others."""
    return {
        'auth_type': 'password',
        'auth_url': state.url('keystone') + '/v3',
        'username': name,
        'password': state.passwords[name],
        'project_name': 'service',
        'user_domain_id': 'default',
        'project_domain_id': 'default',
        'region_name': REGION,
        'valid_interfaces': 'internal',
    }


def _token(state: State, name: str) -> Section:
    """Return the options by which a service checks tokens."""
    return {
        **_user(state, name),
        'www_authenticate_uri': state.url('keystone') + '/v3',
        'interface': 'internal',
        'service_token_roles_required': True,
    }


def _packaged(*names: str) -> str:
    """Return the path of a configuration file that a service's package has installed."""
    return os.path.join(sys.prefix, 'etc', *names)


def _keystone(state: State) -> Sections:
    keys = state.path('fernet-keys')
    return {
        **_common(state),
        'DEFAULT': {'debug': state.debug},
        'database': {'connection': state.sqlite('keystone')},
        'token': {'provider': 'fernet'},
        'fernet_tokens': {'key_repository': keys},
        'fernet_receipts': {'key_repository': keys},
        # auth_ttl, in minutes: a signed URL must outlive the boot of an emulated server
        'credential': {'key_repository': state.path('credential-keys'), 'auth_ttl': 120},
        # bcrypt's cheapest: the passwords are random and live for one run
        'identity': {'password_hash_rounds': 4},
        'cache': {'enabled': True, 'backend': 'dogpile.cache.memory'},
    }


def _placement(state: State) -> Sections:
    return {
        'DEFAULT': {'debug': state.debug},
        'placement_database': {'connection': state.sqlite('placement')},
        'api': {'auth_strategy': 'keystone'},
        'oslo_policy': {'policy_file': state.path('etc/policy.yaml')},
        'keystone_authtoken': _token(state, 'placement'),
    }


def _nova(state: State) -> Sections:
    return {
        **_common(state),
        'DEFAULT': {
            **_defaults(state),
            # looked for below nova.virt, where the service puts it
            'compute_driver': 'localheat.Driver',
            'host': 'localheat',
            'my_ip': HOST,
            'state_path': state.path('nova'),
            'instances_path': state.path('servers'),
            # the driver awaits no event of Neutron
            'vif_plugging_is_fatal': False,
            'vif_plugging_timeout': 0,
            'allow_resize_to_same_host': True,
            'resize_confirm_window': 0,
            # seconds; an emulated, busy processor takes long to shut down
            'shutdown_timeout': 120,
            'force_config_drive': True,
            'mkisofs_cmd': next(filter(process.find, ISO_MAKERS.split()), 'genisoimage'),
            'resume_guests_state_on_host_boot': True,
        },
        'api': {'vendordata_jsonfile_path': state.path('etc/vendor_data.json')},
        'api_database': {'connection': state.sqlite('nova_api')},
        'database': {'connection': state.sqlite('nova_cell1')},
        'keystone_authtoken': _token(state, 'nova'),
        'service_user': {**_user(state, 'nova'), 'send_service_user_token': True},
        'placement': _user(state, 'placement'),
        'neutron': _user(state, 'neutron'),
        'cinder': {**_user(state, 'cinder'), 'catalog_info': 'volumev3::internalURL'},
        'glance': {'region_name': REGION, 'valid_interfaces': 'internal'},
        'wsgi': {'api_paste_config': _packaged('nova', 'api-paste.ini')},
        'vnc': {'enabled': False},
        'quota': dict.fromkeys(('instances', 'cores', 'ram', 'key_pairs'), UNLIMITED),
        'scheduler': {'discover_hosts_in_cells_interval': -1},
        'localheat': {
            'kind': state.kind,
            'images_path': state.path('glance/images'),
            'networks_path': _networks(state),
        },
    }


def _vendor_data() -> Section:
    """Return what this cloud adds to every server: the agent's output on the console.

    A server whose stack waits is asked by its console, for there is no other way in. A user's own
    bootcmd takes the place of this one. Where the agent is installed later, systemd is not asked to
    read its units here: that takes an emulated server seconds.
    """
    unit = '/run/systemd/system/os-collect-config.service.d'
    command = (
        f'mkdir -p {unit}; '
        f'printf "[Service]\\nStandardOutput=journal+console\\n" > {unit}/console.conf; '
        'if systemctl --quiet is-enabled os-collect-config.service 2>/dev/null; '
        'then systemctl daemon-reload; fi'
    )
    # JSON is YAML
    config = json.dumps({'bootcmd': [['sh', '-c', command]]})
    return {'cloud-init': '#cloud-config\n' + config}


def _neutron(state: State) -> Sections:
    kinds = (
        'network',
        'subnet',
        'port',
        'router',
        'floatingip',
        'security_group',
        'security_group_rule',
    )
    return {
        **_common(state),
        'DEFAULT': {
            **_defaults(state),
            'core_plugin': 'ml2',
            'service_plugins': 'router',
            'auth_strategy': 'keystone',
            'state_path': state.path('neutron'),
            'api_workers': 0,
            'rpc_workers': 0,
            'dhcp_agent_notification': False,
            'api_paste_config': _packaged('neutron', 'api-paste.ini'),
            # or a server shows a floating IP only after Nova's next periodic task
            'notify_nova_on_port_status_changes': True,
            'notify_nova_on_port_data_changes': True,
        },
        'database': {'connection': state.sqlite('neutron')},
        'keystone_authtoken': _token(state, 'neutron'),
        'nova': {**_user(state, 'nova'), 'endpoint_type': 'internal'},
        'placement': _user(state, 'placement'),
        'quotas': {'quota_' + kind: UNLIMITED for kind in kinds},
        'ml2': {
            'type_drivers': 'local,flat',
            'tenant_network_types': 'local',
            'mechanism_drivers': 'localheat',
            'extension_drivers': 'port_security',
        },
        'localheat': {'folder': _networks(state), 'number': state.number},
    }


def _networks(state: State) -> str:
    return state.path('networks') if state.network else ''


def _glance(state: State) -> Sections:
    return {
        **_common(state),
        'DEFAULT': {
            **_defaults(state),
            'enabled_backends': 'files:file',
            'worker_self_reference_url': state.url('glance'),
        },
        'database': {'connection': state.sqlite('glance')},
        'keystone_authtoken': _token(state, 'glance'),
        'glance_store': {'default_backend': 'files'},
        # from any port, beside the usual ones
        'import_filtering_opts': {'allowed_ports': '[]'},
        'files': {'filesystem_store_datadir': state.path('glance/images')},
        'os_glance_staging_store': {'filesystem_store_datadir': state.path('glance/staging')},
        'os_glance_tasks_store': {'filesystem_store_datadir': state.path('glance/tasks')},
        'paste_deploy': {
            'flavor': 'keystone',
            'config_file': _packaged('glance', 'glance-api-paste.ini'),
        },
    }


def _cinder(state: State) -> Sections:
    return {
        **_common(state),
        'DEFAULT': {
            **_defaults(state),
            'state_path': state.path('cinder'),
            'host': 'localheat',
            'my_ip': HOST,
            'auth_strategy': 'keystone',
            'enabled_backends': 'files',
            'default_volume_type': '__DEFAULT__',
            'scheduler_driver_init_wait_time': 5,
            'glance_api_servers': state.url('glance'),
            # in one process all services report as the one that was made last
            'service_down_time': 10**9,
            'api_paste_config': _packaged('cinder', 'api-paste.ini'),
            # lists by name are refused without it
            'resource_query_filters_file': _packaged('cinder', 'resource_filters.json'),
        },
        'database': {'connection': state.sqlite('cinder')},
        'keystone_authtoken': _token(state, 'cinder'),
        'nova': {**_user(state, 'nova'), 'interface': 'internal'},
        'service_user': {**_user(state, 'cinder'), 'send_service_user_token': True},
        'files': {
            'volume_driver': 'localheat.servers.volumes.Driver',
            'volume_backend_name': 'files',
            'localheat_folder': state.path('volumes'),
        },
    }


def _heat(state: State) -> Sections:
    cfn = state.url('heat-cfn', HOST_SEEN_BY_SERVERS)
    trustee = _user(state, 'heat')
    del trustee['project_name'], trustee['project_domain_id']
    options: Section = {
        **_defaults(state),
        'num_engine_workers': 1,
        'auth_encryption_key': state.passwords['encryption'],
        'stack_user_domain_name': 'heat',
        'stack_domain_admin': 'heat_domain_admin',
        'stack_domain_admin_password': state.passwords['heat_domain_admin'],
        'region_name_for_services': REGION,
        'server_keystone_endpoint_type': 'public',
        'heat_metadata_server_url': cfn,
        'heat_waitcondition_server_url': cfn + '/v1/waitcondition',
        'environment_dir': _packaged('heat', 'environment.d'),
        'template_dir': _packaged('heat', 'templates'),
        'enable_stack_abandon': True,
        'enable_stack_adopt': True,
    }
    if state.servers_without_networks:
        # a later Nova demands them
        options['max_nova_api_microversion'] = '2.36'
    return {
        **_common(state, 'heat-policy.yaml'),
        'DEFAULT': options,
        'database': {'connection': state.sqlite('heat')},
        'paste_deploy': {'api_paste_config': _packaged('heat', 'api-paste.ini')},
        'keystone_authtoken': _token(state, 'heat'),
        'trustee': trustee,
        'ec2authtoken': _user(state, 'heat'),
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


def _zaqar(state: State) -> Sections:
    return {
        'DEFAULT': {'auth_strategy': 'keystone', 'unreliable': True, 'debug': state.debug},
        'drivers': {
            'transport': 'wsgi',
            'message_store': 'redis',
            'management_store': 'sqlalchemy',
        },
        'drivers:transport:wsgi': {'bind': HOST, 'port': state.ports['zaqar']},
        'drivers:management_store:sqlalchemy': {'uri': state.sqlite('zaqar').partition('?')[0]},
        'drivers:message_store:redis': {'uri': f'redis://{HOST}:{state.ports["redis"]}'},
        'keystone_authtoken': _token(state, 'zaqar'),
        'oslo_policy': {'policy_file': state.path('etc/policy.yaml')},
        # Heat has it sign a URL for each queue
        'signed_url': {'secret_key': state.passwords['encryption']},
    }


def _swift(state: State) -> Sections:
    return {
        'swift-hash': {'swift_hash_path_prefix': 'local', 'swift_hash_path_suffix': 'heat'},
        'storage-policy:0': {'name': 'one', 'default': 'yes'},
    }


def _swift_server(state: State, port: str) -> Section:
    folder = state.path('etc/swift')
    return {
        'bind_ip': HOST,
        'bind_port': state.ports[port],
        'swift_dir': folder,
        'workers': 0,
        'devices': state.path('swift/devices'),
        'mount_check': 'false',
        'recon_cache_path': folder,
        'log_address': os.path.join(folder, 'no-syslog'),
        'user': pwd.getpwuid(os.getuid()).pw_name,
    }


def _swift_store(state: State, store: str) -> Sections:
    return {
        'DEFAULT': _swift_server(state, 'swift-' + store),
        'pipeline:main': {'pipeline': store + '-server'},
        f'app:{store}-server': {'use': 'egg:swift#' + store},
    }


def _swift_proxy(state: State) -> Sections:
    filters = ('catch_errors', 'healthcheck', 'tempurl')
    return {
        'DEFAULT': _swift_server(state, 'swift'),
        'pipeline:main': {
            'pipeline': ' '.join([*filters, 'authtoken', 'keystoneauth', 'proxy-server'])
        },
        'app:proxy-server': {'use': 'egg:swift#proxy', 'account_autocreate': 'true'},
        **{f'filter:{name}': {'use': 'egg:swift#' + name} for name in filters},
        'filter:keystoneauth': {
            'use': 'egg:swift#keystoneauth',
            'operator_roles': 'admin,member,heat_stack_user',
        },
        'filter:authtoken': {
            **_token(state, 'swift'),
            'delay_auth_decision': 'true',
            'paste.filter_factory': 'keystonemiddleware.auth_token:filter_factory',
        },
    }
