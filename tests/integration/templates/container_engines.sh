#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Comes after container_settings.sh, and lets docker run, too: starts its daemon as systemd would.
# Both get an image, for there is no registry.
set -eu

mkdir -p /etc/docker
cat > /etc/docker/daemon.json <<'CONF'
{"storage-driver": "vfs", "iptables": false, "ip6tables": false, "bridge": "none"}
CONF
setsid dockerd < /dev/null > /var/log/dockerd.log 2>&1 &
dockerd=$!

image=$(mktemp -d)
mkdir "$image/bin" "$image/tmp" "$image/proc" "$image/sys" "$image/dev" "$image/etc"
cp "$(command -v busybox)" "$image/bin/busybox"
ln -s busybox "$image/bin/sh"
ln -s busybox "$image/bin/sleep"
tar --create --directory "$image" --file /tmp/tiny.tar .

# The first process of a container ignores signals that it does not expect.
podman import --change 'ENV PATH=/bin' --change 'STOPSIGNAL SIGKILL' /tmp/tiny.tar localhost/tiny:1
until docker version > /dev/null 2>&1; do
    if ! kill -0 "$dockerd"; then
        cat /var/log/dockerd.log >&2
        exit 1
    fi
    sleep 0.5
done
docker import --change 'ENV PATH=/bin' /tmp/tiny.tar localhost/tiny:1
