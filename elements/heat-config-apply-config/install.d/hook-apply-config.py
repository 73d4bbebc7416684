#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Group apply-config: run os-apply-config, which applies all of the server's metadata."""

from heat_hook import UTF8_LOCALE, Deployment, Result, Workspace, main, program, run

VENV = '/opt/stack/venvs/heat-agent/bin'
OPTIONS = ()


def deploy(deployment: Deployment, workspace: Workspace) -> Result:
    return run(
        [program('os-apply-config', variable='HEAT_APPLY_CONFIG_CMD', folders=[VENV])],
        env=UTF8_LOCALE,
    )


if __name__ == '__main__':
    main(deploy, 'apply-config', OPTIONS)
