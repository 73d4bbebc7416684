#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Build a cloud image with the Heat agent. What it can do: ./build-heat-image.sh --help
# By the name build-heat-test-image.sh, an image for tests: test-image/build-heat-test-image.sh
# How it does it: imagebuild/
set -eu -o pipefail

here=$(dirname "$(readlink -f "$0")")
# Where links are not kept, as in wheels, test-image/ holds a copy.
[ -d "$here/imagebuild" ] || here=$(dirname "$here")
case $(basename "$0") in
    build-heat-test-image*) program=imagebuild.image_for_tests ;;
    *) program=imagebuild.agent_image ;;
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
# In a mount namespace of its own nobody else can hold on to the build's mounts, and none of them
# outlives the build, however it ends. It takes root.
if unshare --mount true 2>/dev/null; then
    exec unshare --mount "${python[@]}"
fi
exec "${python[@]}"
