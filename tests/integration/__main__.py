# SPDX-License-Identifier: Apache-2.0
"""Run a command, such as stestr's, with one cloud for all of its processes.

    python -m tests.integration stestr --test-path tests/integration run --concurrency 4

Tests that are run in another way start a cloud in each of their processes.
"""

import os
import signal
import subprocess
import sys

from localheat.errors import LocalHeatError
from tests.integration import shared


def main() -> int:
    # so that the cloud is stopped and its folder removed
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    if not shared.image():
        # the tests say why they are skipped
        return subprocess.run(sys.argv[1:]).returncode
    try:
        with shared.new_cloud() as cloud:
            environment = dict(os.environ)
            environment[shared.VARIABLE] = cloud.state.directory
            return subprocess.run(sys.argv[1:], env=environment).returncode
    except LocalHeatError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == '__main__':
    sys.exit(main())
