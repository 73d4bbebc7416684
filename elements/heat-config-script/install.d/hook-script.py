#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Group script: the config is a script, run with the inputs as environment.

An output is what the script writes to the file
``$heat_outputs_path.<output name>``.
"""

from heat_hook import environment, main, run

OPTIONS = ()


def deploy(deployment, workspace):
    script = deployment.text()
    if script.split('\n', 1)[0].endswith('\r'):
        # Written on Windows: the kernel would look for "/bin/sh\r".
        script = script.replace('\r\n', '\n')
    path = workspace.write(deployment.id, script, 0o700)
    workspace.clear_outputs()
    variables = environment(deployment.inputs)
    variables['heat_outputs_path'] = workspace.outputs_path
    result = run([path], env=variables, cwd=workspace.folder)
    result.outputs = workspace.read_outputs()
    return result


if __name__ == '__main__':
    main(deploy, 'script', OPTIONS)
