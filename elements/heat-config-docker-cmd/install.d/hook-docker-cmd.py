#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Group docker-cmd: the config is a map of containers, run by docker."""

from heat_containers import docker
from heat_hook import Deployment, Result, Workspace, main

OPTIONS = ()


def deploy(deployment: Deployment, workspace: Workspace) -> Result:
    return docker().deploy(deployment)


if __name__ == '__main__':
    main(deploy, 'docker-cmd', OPTIONS)
