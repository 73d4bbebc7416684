# SPDX-License-Identifier: Apache-2.0
"""Nova's conductor, scheduler, compute service and API, and the placement service."""

import os
import sys

from localheat.services import wsgi
from localheat.services.state import State

# binary, topic and a second topic
PARTS = (
    ('nova-conductor', 'conductor', None),
    ('nova-scheduler', 'scheduler', None),
    ('nova-compute', 'compute', 'compute-alt'),
)


def serve(state: State) -> None:
    """Serve a cloud's Nova from now on."""
    os.environ['OS_NOVA_DISABLE_EVENTLET_PATCHING'] = '1'
    os.environ['OS_NOVA_CONFIG_DIR'] = state.path('etc')
    import nova.monkey_patch

    # Nova refuses to start where eventlet has been imported, which oslo.service has done
    nova.monkey_patch.poison_eventlet = lambda: None
    nova.monkey_patch.patch(backend='threading')
    # before Nova, which then sets logging up for itself
    _serve_placement(state)

    import os_brick
    from nova import context, objects, service
    from nova.api.openstack import wsgi_app
    from nova.objects import host_mapping

    # reads the configuration, which all the rest wants
    wsgi_app.init_global_data([state.path('etc/nova.conf')], 'osapi_compute', 'nova')
    from localheat.servers import driver

    # "compute_driver" names something below nova.virt, nothing else is loaded
    sys.modules['nova.virt.localheat'] = driver
    os_brick.setup(service.CONF)
    objects.Service.enable_min_version_cache()
    # the compute service asks placement as it starts, and that Keystone
    wsgi.wait_for(state.ports['keystone'])
    for binary, topic, second in PARTS:
        service.Service.create(binary=binary, topic=topic, topic_alt=second).start()
    # without it the scheduler finds no host
    host_mapping.discover_hosts(context.get_admin_context())
    # the first of these files is taken for paste's
    os.environ['OS_NOVA_CONFIG_FILES'] = service.CONF.wsgi.api_paste_config
    wsgi.serve(wsgi_app.init_application('osapi_compute', 'nova-api'), state.ports['nova'])


def stop() -> None:
    """Cut the power of all servers; what they are is kept for the next start."""
    from localheat.servers import driver

    driver.close()


def _serve_placement(state: State) -> None:
    os.environ['OS_PLACEMENT_CONFIG_DIR'] = state.path('etc')
    from placement import wsgi as placement

    # Two claims at once of the one host's resources conflict; the loser reads the host again in a
    # second transaction while its first one holds SQLite's lock, so it waits for itself, a minute.
    application = wsgi.one_at_a_time(placement.init_application())
    wsgi.serve(application, state.ports['placement'])
