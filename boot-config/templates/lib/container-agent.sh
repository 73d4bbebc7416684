#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The agent as a container, by podman or docker.
#
# Usage: container-agent.sh prepare|start
#
# prepare: get the image and make the container, unless that has been done; make
# it anew when the image of that name is another one by now.
# start: run it in the foreground. The container is kept.
#
# Environment:
#   AGENT_IMAGE          the image's name
#   AGENT_IMAGE_SOURCE   path or URL of a file that holds it: what
#                        "podman save" writes, or
#                        a tar file with a root file system; without it, the
#                        image is pulled
#   AGENT_CONFIG         an os-collect-config.conf to begin with
set -eu -o pipefail

name=heat-container-agent
image=${AGENT_IMAGE:-localhost/heat-container-agent}
source=${AGENT_IMAGE_SOURCE:-}

say() {
    echo "container-agent: $*" >&2
}

find_runtime() {
    if ! type -P podman && ! type -P docker; then
        say 'there is neither podman nor docker'
        return 1
    fi
}

retry() {
    local pause
    for pause in 5 10 20; do
        if "$@"; then
            return
        fi
        say "$1 failed; another try in $pause seconds"
        sleep "$pause"
    done
    "$@"
}

download() {
    if type -P curl >/dev/null; then
        curl --silent --show-error --fail --location --output "$2" "$1"
    else
        python3 -c 'import sys, urllib.request as web; web.urlretrieve(*sys.argv[1:])' "$1" "$2"
    fi
}

load_image() {
    local file=$1 archive
    archive=$(tar --list --file "$file" | grep -c -x -e manifest.json -e index.json || true)
    if [ "$archive" -gt 0 ]; then
        "$runtime" load --input "$file"
        "$runtime" image inspect "$image" >/dev/null
    else
        "$runtime" import "$file" "$image"
    fi
}

# A process of its own, so that its trap is run when this is done.
get_image() (
    case $source in
    '') retry "$runtime" pull "$image" ;;
    http://* | https://*)
        # Not /tmp, which can be memory.
        folder=$(mktemp -d /var/tmp/heat-container-agent.XXXXXX)
        trap 'rm -rf "$folder"' EXIT
        retry download "$source" "$folder/image.tar"
        load_image "$folder/image.tar"
        ;;
    *) load_image "$source" ;;
    esac
)

# What inspect says by a template; nothing where there is no such thing.
ask() {
    "$runtime" "$1" inspect --format "$2" "$3" 2>/dev/null || true
}

prepare() {
    local folder old new state=/var/lib/os-collect-config/os-collect-config.conf
    local arguments=(--privileged --network host --env LC_ALL=C) command=()
    old=$(ask container '{{.Image}}' "$name")
    new=$(ask image '{{.Id}}' "$image")
    # Also while its image cannot be told.
    if [ -n "$old" ] && { [ -z "$new" ] || [ "$old" = "$new" ]; }; then
        return
    fi
    [ -n "$new" ] || get_image
    # What cloud-init or Ignition left, what the agent must not forget, and the sockets of the
    # host's own services for hooks that start containers.
    local folders=(/var/lib/heat-cfntools /var/lib/os-collect-config /var/log/heat-config /run)
    if [ -n "$(ask image '{{range .Config.Entrypoint}}{{.}} {{end}}' "$image")" ]; then
        # One that knows how to run, to end and to be replaced.
        folders+=(/var/lib/heat-config /var/lib/cloud)
        arguments+=(--volume /:/host)
    else
        # A root file system. A host's timer sends signals that could not be delivered; here it is
        # a loop. The first process of a container ignores other signals, and the agent can be
        # killed at any instant.
        folders+=(/var/lib/heat-config/deployed)
        arguments+=(--stop-signal KILL)
        # shellcheck disable=SC2016 # the container expands it
        command=(sh -c '
            while sleep 60; do
                /usr/libexec/os-refresh-config/configure.d/55-heat-config --pending
            done &
            exec os-collect-config')
    fi
    for folder in "${folders[@]}"; do
        mkdir -p "$folder"
        arguments+=(--volume "$folder:$folder")
    done
    mkdir -p /var/lib/heat-config/deployed
    chmod 0700 /var/lib/os-collect-config /var/lib/heat-config/deployed
    # It gets its name when it is complete: this may be killed at any instant.
    "$runtime" rm --force "$name.new" >/dev/null 2>&1 || true
    "$runtime" create --name "$name.new" "${arguments[@]}" "$image" "${command[@]}"
    if [ -n "${AGENT_CONFIG:-}" ]; then
        "$runtime" cp "$AGENT_CONFIG" "$name.new:/etc/os-collect-config.conf"
    fi
    if [ -n "$old" ]; then
        say "the image $image is another one: replacing the container"
        # An older version kept the server's credentials in the container alone.
        if [ ! -e "$state" ]; then
            (umask 077 && "$runtime" cp "$name:/etc/os-collect-config.conf" "$state.old")
            mv "$state.old" "$state"
        fi
        "$runtime" rm --force "$name"
    fi
    "$runtime" rename "$name.new" "$name"
}

runtime=$(find_runtime | head -n 1)
case ${1:-} in
prepare) prepare ;;
start) exec "$runtime" start --attach "$name" ;;
*)
    say 'usage: container-agent.sh prepare|start'
    exit 2
    ;;
esac
