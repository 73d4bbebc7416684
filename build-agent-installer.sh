#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Write one file that installs the Heat agent: ./build-agent-installer.sh --help
# How it does it: installer/
set -eu -o pipefail

here=$(dirname "$(readlink -f "$0")")
if ! python3 -c 'import sys; sys.exit(sys.version_info < (3, 9))' 2>/dev/null; then
    echo "build-agent-installer.sh needs python3, version 3.9 or later: install it first." >&2
    exit 1
fi
export PYTHONPATH=$here${PYTHONPATH:+:$PYTHONPATH}
exec env --block-signal=INT python3 -m installer.build "$@"
