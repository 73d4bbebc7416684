#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes a machine in a chroot one on which podman and docker run: mounts control groups, starts
# Docker's daemon as systemd would, and chooses what works on a file system that is an overlay
# already, with no networks but the machine's. Both get an image, for there is no registry.
set -eu

# Of version 1 each controller has a hierarchy of its own.
if grep '^[1-9]' /proc/self/cgroup > /run/controllers; then
    mount -t tmpfs tmpfs /sys/fs/cgroup
    while IFS=: read -r _ controllers _; do
        case $controllers in name=*) continue ;; esac
        mkdir "/sys/fs/cgroup/$controllers"
        mount -t cgroup -o "$controllers" cgroup "/sys/fs/cgroup/$controllers"
    done < /run/controllers
else
    mount -t cgroup2 cgroup2 /sys/fs/cgroup
fi

mkdir -p /etc/containers /etc/docker
cat > /etc/containers/storage.conf <<'CONF'
[storage]
driver = "vfs"
graphroot = "/var/lib/containers/storage"
runroot = "/run/containers/storage"
CONF
cat > /etc/containers/containers.conf <<'CONF'
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
[containers]
netns = "host"
log_driver = "k8s-file"
CONF
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
