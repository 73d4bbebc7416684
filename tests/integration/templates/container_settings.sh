#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes a machine in a chroot one on which podman runs: mounts control groups, and chooses what
# works on a file system that is an overlay already, with no networks but the machine's.
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

mkdir -p /etc/containers
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
