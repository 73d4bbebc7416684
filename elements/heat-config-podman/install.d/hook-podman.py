#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Group podman: the config is a map of containers, or pods, run by podman."""

import heat_containers
import heat_removal
from heat_containers import OPTIONS
from heat_hook import Deployment, Result, Workspace


def deploy(deployment: Deployment, workspace: Workspace) -> Result:
    return heat_containers.podman().deploy(deployment)


def remove_stale(current: 'list[Deployment]') -> None:
    heat_containers.podman().remove_stale(current)


if __name__ == '__main__':
    heat_removal.main(deploy, remove_stale, 'podman', OPTIONS)
