#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Try a Heat template on this machine, without a cloud: ./try-template.sh --help
# How it does it: localheat/
set -eu -o pipefail

here=$(dirname "$(readlink -f "$0")")
if ! python3 -c 'import sys; sys.exit(sys.version_info < (3, 9))' 2>/dev/null; then
    echo "$(basename "$0") needs python3, version 3.9 or later: install it first." >&2
    exit 1
fi
export PYTHONPATH=$here${PYTHONPATH:+:$PYTHONPATH} LOCALHEAT_PROGRAM=${LOCALHEAT_PROGRAM:-$0}
exec python3 -m localheat "$@"
