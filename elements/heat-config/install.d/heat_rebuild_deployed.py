#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Mark the deployments that Heat has for this server as carried out.

Usage: heat-config-rebuild-deployed

For a server whose record of them was lost or never kept: without it, all of
them would run again.  Nothing is run or signalled, and what is on record
stays as it is.

Environment:
  HEAT_SHELL_CONFIG     the list of deployments
                        (/var/run/heat-config/heat-config)
  HEAT_CONFIG_DEPLOYED  the record (/var/lib/heat-config/deployed)
"""

import sys

import heat_deployed
import heat_release
from heat_log import show


def main(arguments: 'list[str]') -> int:
    if arguments == ['--version']:
        print(f'heat-config-rebuild-deployed {heat_release.version()}')
        return 0
    if arguments:
        print(__doc__.strip(), file=sys.stdout if arguments == ['--help'] else sys.stderr)
        return 0 if arguments == ['--help'] else 2
    try:
        deployments = heat_deployed.metadata()
    except (OSError, ValueError) as error:
        print(
            f'heat-config-rebuild-deployed: {heat_deployed.METADATA} cannot be used: {error}',
            file=sys.stderr,
        )
        return 1
    try:
        with heat_deployed.lock('run'):
            heat_deployed.prepare()
            for deployment in filter(heat_deployed.is_deployment, deployments):
                rebuild(heat_deployed.Record.of(deployment))
    except OSError as error:
        print(f'heat-config-rebuild-deployed: {error}', file=sys.stderr)
        return 1
    return 0


def rebuild(record: heat_deployed.Record) -> None:
    if record.is_taken_up() or record.data.get('group') in heat_deployed.GROUPS_WITHOUT_HOOK:
        return
    record.mark_as_done()
    show(f'{record.deployment.name}: marked as carried out')


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
