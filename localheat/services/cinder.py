# SPDX-License-Identifier: Apache-2.0
"""Cinder's volume service, scheduler and API."""

import os
import sys

from localheat.services import wsgi
from localheat.services.state import State


def serve(state: State) -> None:
    """Serve a cloud's Cinder from now on."""
    os.environ['OS_CINDER_DISABLE_EVENTLET_PATCHING'] = '1'
    from cinder import monkey_patch

    monkey_patch.patch(backend='threading')
    from cinder import objects

    objects.register_all()
    import os_brick
    from cinder import manager, policy, privsep, service
    from cinder.common import config  # noqa: F401  registers options that the others want
    from oslo_config import cfg

    # what might need root is done in this process, not by a daemon that sudo starts
    privsep.sys_admin_pctxt.set_client_mode(False)
    # a pool of green threads, which nobody would run
    manager.ThreadPoolManager._add_to_threadpool = lambda self, function, *args, **options: (
        function(*args, **options)
    )
    sys.argv += ['--config-file', state.path('etc/cinder.conf')]
    from cinder.wsgi.api import application

    os_brick.setup(cfg.CONF)
    service.Service.create(
        binary='cinder-volume', host='localheat@files', coordination=True, service_name='files'
    ).start()
    # after the volume service, for whose report it waits up to a minute before it starts
    service.Service.create(binary='cinder-scheduler', coordination=True).start()
    # the first of two requests at once would do so, and the other find no rule
    policy.init()
    wsgi.serve(application, state.ports['cinder'])
