#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Build a package index of git checkouts. What it can do: test-image/build-pip-repo.sh --help
# By the name run-functional-job.sh, the functional job: test-image/run-functional-job.sh --help
# How they do it: gating/
set -eu -o pipefail

here=$(dirname "$(readlink -f "$0")")/..
case $(basename "$0") in
    run-functional-job*) program=gating.functional_job ;;
    *) program=gating.pip_repo ;;
esac
if ! python3 -c 'import sys; sys.exit(sys.version_info < (3, 9))' 2>/dev/null; then
    echo "$(basename "$0") needs python3, version 3.9 or later: install it first." >&2
    exit 1
fi
export PYTHONPATH=$here${PYTHONPATH:+:$PYTHONPATH}
# SIGINT waits until Python is ready for it, for while it imports that would be a traceback.
python=(python3 -m "$program" "$@")
if env --block-signal=INT true 2>/dev/null; then
    python=(env --block-signal=INT "${python[@]}")
fi
exec "${python[@]}"
