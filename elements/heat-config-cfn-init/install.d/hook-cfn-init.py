#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Group cfn-init: the config is the content of AWS::CloudFormation::Init.

An output is what one of its commands writes to the file
``$heat_outputs_path.<output name>``.
"""

import json
import os

from heat_hook import (
    Deployment,
    Result,
    Workspace,
    main,
    make_folder,
    program,
    run,
    write_file,
)

FOLDER = os.environ.get('HEAT_CFN_INIT_LAST_METADATA_DIR') or '/var/cache/heat-cfntools'
OPTIONS = ()


def deploy(deployment: Deployment, workspace: Workspace) -> Result:
    metadata = {'AWS::CloudFormation::Init': deployment.mapping()}
    make_folder(FOLDER)
    write_file(os.path.join(FOLDER, 'last_metadata'), json.dumps(metadata))
    workspace.clear_outputs()
    # The variables are for our own cfn-init; others look only where they always did.
    result = run(
        [program('cfn-init', variable='HEAT_CFN_INIT_CMD')],
        env={
            'HEAT_CFN_INIT_LAST_METADATA_DIR': FOLDER,
            'HEAT_CONFIG_LIBRARY': os.path.dirname(os.path.abspath(__file__)),
            'heat_outputs_path': workspace.outputs_path,
        },
    )
    result.outputs = workspace.read_outputs()
    return result


if __name__ == '__main__':
    main(deploy, 'cfn-init', OPTIONS)
