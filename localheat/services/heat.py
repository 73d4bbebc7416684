# SPDX-License-Identifier: Apache-2.0
"""Heat's engine, API and CFN API as one process: ``python -m localheat.services.heat DIRECTORY``.

Heat's own programs are one process for each, with a message broker between them.
"""

import os
import sys

from localheat.services import sqlite, wsgi
from localheat.services.state import State


def main(directory: str) -> None:
    """Serve a cloud's Heat until it is stopped."""
    state = State.load(directory)
    # before anything else of OpenStack is imported, as oslo.service demands
    from oslo_service import backend

    backend.init_backend(backend.BackendType.THREADING)
    sqlite.share_among_threads()

    from heat.common import config, messaging
    from heat.engine import service, template
    from heat.rpc import api
    from oslo_config import cfg
    from oslo_log import log

    log.register_options(cfg.CONF)
    cfg.CONF(['--config-file', state.path('heat.conf')], project='heat', prog='heat')
    log.setup(cfg.CONF, 'heat')
    config.set_config_defaults()
    messaging.setup()
    config.startup_sanity_check()
    # Heat's own engine loads the template plug-ins before its threads start, too
    template._get_template_extension_manager()
    engine = service.EngineService(cfg.CONF.host, api.ENGINE_TOPIC)
    engine.start()
    wsgi.serve(config.load_paste_app('heat-api'), state.ports['heat'])
    wsgi.serve(config.load_paste_app('heat-api-cfn'), state.ports['heat-cfn'])
    wsgi.until_stopped()
    # Engine threads may be in the middle of anything; Heat recovers what they leave when it
    # starts again, as it does after a crash.
    os._exit(0)


if __name__ == '__main__':
    main(sys.argv[1])
