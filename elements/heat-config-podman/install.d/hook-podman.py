#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Group podman: the config is a map of containers, or pods, run by podman."""

from heat_containers import podman
from heat_hook import Deployment, Result, Workspace, main

OPTIONS = ()


def deploy(deployment: Deployment, workspace: Workspace) -> Result:
    return podman().deploy(deployment)


if __name__ == '__main__':
    main(deploy, 'podman', OPTIONS)
