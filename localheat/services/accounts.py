# SPDX-License-Identifier: Apache-2.0
"""The users, roles and catalogue of a cloud."""

from typing import Any

from localheat.services.session import connect
from localheat.services.state import HOST, HOST_SEEN_BY_SERVERS, REGION, SERVICE_USERS, State

# name, type, the name of its port, and what its URL has behind the port
CATALOGUE = (
    ('placement', 'placement', 'placement', ''),
    ('nova', 'compute', 'nova', '/v2.1'),
    ('neutron', 'network', 'neutron', ''),
    ('glance', 'image', 'glance', ''),
    ('heat', 'orchestration', 'heat', '/v1/%(tenant_id)s'),
    ('heat-cfn', 'cloudformation', 'heat-cfn', '/v1'),
    # a volume service's type is "block-storage"; this is what Heat and Nova look for
    ('cinder', 'volumev3', 'cinder', '/v3/%(tenant_id)s'),
    ('swift', 'object-store', 'swift', '/v1/AUTH_%(tenant_id)s'),
    ('zaqar', 'messaging', 'zaqar', ''),
)
# in the catalogue only of clouds that run them
OPTIONAL = ('cinder', 'swift', 'zaqar')
# Heat tells servers the address at which itself reaches these, so the two could not differ: they
# are for programs on this machine, not for servers that boot.
FOR_THIS_MACHINE = ('swift', 'zaqar')


def populate(state: State) -> None:
    """Make users, roles and catalogue, in a Keystone that runs.

    Servers use the public endpoints, everybody on this machine the internal ones.
    """
    keystone = _client(state)
    roles = {role.name: role for role in keystone.roles.list()}
    keystone.roles.create('heat_stack_user')
    project = keystone.projects.create('service', 'default')
    for name in SERVICE_USERS:
        user = keystone.users.create(name, domain='default', password=state.passwords[name])
        # "service" is what Nova asks of Neutron, and others, that send it events
        for role in ('admin', 'service'):
            keystone.roles.grant(roles[role], user=user, project=project)

    demo_project = keystone.projects.create('demo', 'default')
    demo = keystone.users.create('demo', domain='default', password=state.passwords['demo'])
    keystone.roles.grant(roles['member'], user=demo, project=demo_project)

    domain = keystone.domains.create('heat')
    domain_admin = keystone.users.create(
        'heat_domain_admin', domain=domain, password=state.passwords['heat_domain_admin']
    )
    keystone.roles.grant(roles['admin'], user=domain_admin, domain=domain)

    for name, kind, port, path in CATALOGUE:
        entry = keystone.services.create(name, type=kind, enabled=name not in OPTIONAL)
        public = HOST if name in FOR_THIS_MACHINE else HOST_SEEN_BY_SERVERS
        for interface, host in (('public', public), ('internal', HOST)):
            keystone.endpoints.create(entry, state.url(port, host) + path, interface, REGION)


def publish(state: State, names: list[str]) -> None:
    """Have the catalogue, in a Keystone that runs, hold optional services."""
    keystone = _client(state)
    for service in keystone.services.list() if names else ():
        if service.name in names and not service.enabled:
            keystone.services.update(service, enabled=True)


def _client(state: State) -> Any:
    from keystoneclient.v3 import client

    url = state.url('keystone') + '/v3'
    return client.Client(session=connect(state.environment('admin')), endpoint_override=url)
