# SPDX-License-Identifier: Apache-2.0
"""Neutron, without agents: what they do is localheat.network's."""

import os
import pathlib
import sys

import localheat.network
from localheat.services import wsgi
from localheat.services.state import State

# stevedore finds the mechanism driver here; its cache goes by the path, so that is a fixed one
PLUGINS = pathlib.Path(localheat.network.__file__).with_name('plugins')


def serve(state: State) -> None:
    """Serve a cloud's Neutron from now on."""
    sys.path.insert(0, str(PLUGINS))
    os.environ['OS_NEUTRON_CONFIG_DIR'] = state.path('etc')
    os.environ['OS_NEUTRON_CONFIG_FILES'] = 'neutron.conf'
    from neutron import policy
    from neutron.wsgi.api import application
    from sqlalchemy import orm

    # Attributes that models add to others come with the first query; a list of ports, where it is
    # the first request, wants one before.
    orm.configure_mappers()
    # The first request does so, but another meanwhile finds no rule, and is given an empty list.
    policy.init()
    wsgi.serve(application, state.ports['neutron'])
