# SPDX-License-Identifier: Apache-2.0
"""Heat's engine, API and CFN API.

Heat's own programs are one process for each, with a message broker between them.
"""

from localheat.services import wsgi
from localheat.services.state import State


def serve(state: State) -> None:
    """Serve a cloud's Heat from now on."""
    from heat.common import config, messaging, policy
    from heat.engine import service, template
    from heat.rpc import api
    from oslo_config import cfg
    from oslo_log import log

    log.register_options(cfg.CONF)
    cfg.CONF(['--config-file', state.path('etc/heat.conf')], project='heat', prog='heat')
    log.setup(cfg.CONF, 'heat')
    config.set_config_defaults()
    messaging.setup()
    config.startup_sanity_check()
    # Heat's own engine loads the template plug-ins before its threads start, too
    template._get_template_extension_manager()
    service.EngineService(cfg.CONF.host, api.ENGINE_TOPIC).start()
    # the first of two requests at once would do so, and the other find no rule
    policy.get_enforcer().load_rules(True)
    wsgi.serve(config.load_paste_app('heat-api'), state.ports['heat'])
    wsgi.serve(config.load_paste_app('heat-api-cfn'), state.ports['heat-cfn'])
