# SPDX-License-Identifier: Apache-2.0
"""Deployments of the group os-apply-config: done when os-apply-config has written its files.

No hook carries them out: os-apply-config reads them with all other metadata,
before the dispatcher runs.
"""

import glob
import os

import heat_notify
from heat_deployed import METADATA, Record
from heat_process import FAILED, Result

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

GROUP = 'os-apply-config'
#: What could not be written, a line each; not there when all was.
FAILURES = os.path.join(os.path.dirname(METADATA), 'os-apply-config.failed')
SCRIPTS = os.environ.get('OS_REFRESH_CONFIG_BASE_DIR') or '/usr/libexec/os-refresh-config'


def is_awaited(record: Record) -> bool:
    """Whether the signal of such a deployment is left to the dispatcher.

    A script 99-refresh-completed signals these by itself where there is one,
    as images have long been built.
    """
    if record.deployment.group != GROUP:
        return False
    inputs = heat_notify.texts_of(record.deployment.all_inputs)
    return heat_notify.transport_of(inputs) != 'NO_SIGNAL' and not glob.glob(
        os.path.join(SCRIPTS, 'post-configure.d', '*refresh-completed*')
    )


def response() -> 'dict[str, Any]':
    """What to signal: whether os-apply-config could write all files."""
    try:
        with open(FAILURES, 'rb') as file:
            failures = file.read().decode('utf-8', 'replace')
    except FileNotFoundError:
        return Result(stdout='os-apply-config has written its files.\n').response()
    except OSError as error:
        failures = f'{FAILURES}: {error.strerror}\n'
    return Result(FAILED, stderr=f'os-apply-config failed:\n{failures}').response()
