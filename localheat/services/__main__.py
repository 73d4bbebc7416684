# SPDX-License-Identifier: Apache-2.0
"""Services as processes: ``python -m localheat.services DIRECTORY NAME...``.

Two of them cannot be in one process, for each wants oslo.config's global object to itself. But they
are forked from one that has imported what they have in common, which saves a third of the time and
of the memory. That one ends when all have been forked; each has written its PID file by then.
"""

import gc
import importlib
import os
import signal
import sys
import traceback

from localheat.process import PidFile
from localheat.services import sqlite, wsgi
from localheat.services.state import State

COMMON = (
    'alembic',
    'cryptography.fernet',
    'jsonschema',
    'keystoneauth1.identity.v3',
    'keystoneauth1.session',
    'keystoneclient.v3.client',
    'keystonemiddleware.auth_token',
    'lxml.etree',
    'openstack.connection',
    'os_brick.initiator.connector',
    'oslo_cache.core',
    'oslo_concurrency.processutils',
    'oslo_db.sqlalchemy.enginefacade',
    'oslo_messaging',
    'oslo_middleware.cors',
    'oslo_policy.policy',
    'oslo_privsep.priv_context',
    'oslo_reports.guru_meditation_report',
    'oslo_versionedobjects.base',
    'paste.urlmap',
    'routes',
    'sqlalchemy.orm',
    'stevedore',
    'taskflow.engines',
    'webob.dec',
    'yaml',
)


def main(directory: str, *names: str) -> None:
    """Start a cloud's services, by name."""
    state = State.load(directory)
    # before anything else of OpenStack, as oslo.service demands; some services choose it again
    from oslo_service import backend

    backend.init_backend(backend.BackendType.THREADING)
    for module in COMMON if len(names) > 1 else ():
        importlib.import_module(module)
    # pages with these objects are then not written to, so they stay shared
    gc.collect()
    gc.freeze()
    for name in names:
        pid = os.fork()
        if pid == 0:
            _run(state, name)
        PidFile(state.path(name + '.pid')).write(pid)


def _run(state: State, name: str) -> None:
    """Be a service until it is stopped."""
    log = os.open(state.path(name + '.log'), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    # some services parse it
    sys.argv = [name]
    try:
        sqlite.share_among_threads()
        module = importlib.import_module('localheat.services.' + name)
        module.serve(state)
    except BaseException:
        traceback.print_exc()
        # threads that are up already would keep the process
        os._exit(1)
    wsgi.until_stopped()
    # a second signal must not interrupt this
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    getattr(module, 'stop', lambda: None)()
    # Threads may be in the middle of anything; services recover what they leave when they start
    # again, as they do after a crash.
    os._exit(0)


if __name__ == '__main__':
    main(*sys.argv[1:])
