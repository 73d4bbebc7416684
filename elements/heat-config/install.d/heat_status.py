#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What this server's agent did with the deployments that Heat sent, and what it waits for."""

import argparse
import json
import sys
import time

import heat_release
from heat_deployed import REFUSED
from heat_log import show
from heat_overview import BROKEN, Overview, span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FINE, FAILED, USAGE, UNFINISHED = range(4)
EXIT_STATUS = """exit status:
  0  all was carried out well, and Heat knows
  1  a deployment failed, a signal was refused, or --why found a problem
  2  wrong usage, or the state of the agent cannot be read
  3  nothing failed, but a deployment or a signal is under way"""

AGENT_CONFIG = '/etc/os-collect-config.conf'
COLUMNS = (
    'state',
    'status',
    'signal',
    'started',
    'duration',
    'action',
    'group',
    'name',
    'id',
    'log',
)


def exit_status(overview: Overview) -> int:
    if overview.has_failures():
        return FAILED
    return UNFINISHED if overview.is_unfinished() else FINE


def table(rows: 'list[dict[str, Any]]') -> str:
    """The deployments, a line each, and below it what is wrong with their signals."""
    if not rows:
        return 'no deployments'
    cells = [[column.upper() for column in COLUMNS]]
    for row in rows:
        values = dict(row, duration=span(row['duration']))
        cells.append(
            ['-' if values[column] in (None, '') else str(values[column]) for column in COLUMNS]
        )
    widths = [max(map(len, column)) for column in zip(*cells)]
    lines = [
        '  '.join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in cells
    ]
    lines += [
        f'{row["name"]}: signal {row["signal"]}: {row["problem"]}' for row in rows if row['problem']
    ]
    return '\n'.join(lines)


def report(options: argparse.Namespace) -> int:
    """Print what was asked for; the exit status."""
    overview = Overview(options.all)
    status = exit_status(overview)
    shown = [
        row
        for row in overview.rows
        if not options.failed or row['state'] == BROKEN or row['signal'] == REFUSED
    ]
    found = []
    if options.why:
        import heat_diagnosis  # loads much

        found = list(heat_diagnosis.findings(overview, options.config))
    if any(not finding.is_fine for finding in found) and status == FINE:
        status = FAILED
    if options.json:
        answer = {'deployments': shown}
        if options.why:
            answer['why'] = [{'fine': finding.is_fine, 'text': finding.text} for finding in found]
        print(json.dumps(answer, indent=2))
    elif options.why:
        for finding in sorted(found, key=lambda finding: finding.is_fine):
            show(('  ' if finding.is_fine else '! ') + finding.text)
        if status == FINE:
            print(f'  All {len(overview.rows)} deployments were carried out, and Heat knows.')
    else:
        show(table(shown))
    sys.stdout.flush()
    return status


def main(arguments: 'list[str]') -> int:
    parser = argparse.ArgumentParser(
        prog='heat-config-status',
        description=__doc__,
        epilog=EXIT_STATUS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('--version', action='version', version=f'%(prog)s {heat_release.version()}')
    parser.add_argument(
        '--why', action='store_true', help='answer in sentences: why does my stack wait?'
    )
    parser.add_argument(
        '--all', action='store_true', help='show also what Heat has no more, and is done'
    )
    parser.add_argument('--failed', action='store_true', help='show only what failed')
    parser.add_argument('--json', action='store_true', help='for programs')
    parser.add_argument(
        '--watch',
        nargs='?',
        type=float,
        const=2,
        metavar='SECONDS',
        help='show it again every SECONDS (2) until interrupted',
    )
    parser.add_argument(
        '--config',
        default=AGENT_CONFIG,
        metavar='FILE',
        help=f"the agent's configuration ({AGENT_CONFIG})",
    )
    options = parser.parse_args(arguments)
    try:
        while options.watch is not None:
            if sys.stdout.isatty():
                print('\033[H\033[J', end='')
            report(options)
            time.sleep(max(0.1, options.watch))
        return report(options)
    except PermissionError as error:
        print(
            f'heat-config-status: {error.filename} is for root only: run it as root, as with sudo',
            file=sys.stderr,
        )
    except OSError as error:
        print(f'heat-config-status: {error}', file=sys.stderr)
    except KeyboardInterrupt:
        return FINE
    return USAGE


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
