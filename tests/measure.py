# SPDX-License-Identifier: Apache-2.0
"""Measures which lines and branches tests run, in whichever process; ./run_tests.sh --coverage.

usage: python -m tests.measure start | report

"start" forgets what was measured and writes the configuration that COVERAGE_PROCESS_START has to
name; "report" prints what all processes since then ran, and writes it as pages.
"""

import pathlib
import re
import shutil
import sys

import coverage

ROOT = pathlib.Path(__file__).resolve().parent.parent
HOME = ROOT / '.tox' / 'coverage'
CONFIG = HOME / 'coveragerc'
DATA = HOME / 'data'
PAGES = HOME / 'html'
#: An interpreter with no packages but this, for programs that are to see a plain one.
PYTHON = HOME / 'bin' / 'python'
MEASURED = ('boot-config', 'elements', 'gating', 'imagebuild', 'localheat', 'test-image')

SETTINGS = """\
[run]
branch = true
parallel = true
data_file = {data}/measured
disable_warnings = no-data-collected,module-not-measured
sigterm = true
patch = _exit, execv
include =
    {include}
[report]
skip_empty = true
[html]
directory = {pages}
"""


def original(path: str) -> str:
    """The file of this checkout that a test laid out elsewhere, as on a server."""
    copy = re.search(r'/hooks/(heat_\w+\.py|[a-z-]+)$', path)
    if not copy or path.startswith(f'{ROOT}/'):
        return path
    name = copy.group(1)
    element = 'heat-config' if name.endswith('.py') else f'heat-config-{name}'
    source = name if name.endswith('.py') else f'hook-{name}.py'
    return str(ROOT / 'elements' / element / 'install.d' / source)


def start() -> None:
    for folder in (DATA, PAGES):
        shutil.rmtree(folder, ignore_errors=True)
    DATA.mkdir(parents=True)
    include = [f'{ROOT}/{name}/*' for name in MEASURED] + ['*/hooks/*']
    CONFIG.write_text(SETTINGS.format(data=DATA, include='\n    '.join(include), pages=PAGES))


def report() -> None:
    total = coverage.Coverage(data_file=str(HOME / 'measured'), config_file=str(CONFIG))
    total.erase()
    for path in sorted(DATA.glob('measured.*')):
        part = coverage.CoverageData(str(path))
        part.read()
        total.get_data().update(part, map_path=original)
    # Hooks that tests made up have no file any more.
    total.report(ignore_errors=True)
    total.html_report(ignore_errors=True)
    print(f'line by line: {PAGES}/index.html')


if __name__ == '__main__':
    commands = {'start': start, 'report': report}
    if len(sys.argv) != 2 or sys.argv[1] not in commands:
        sys.exit(__doc__.strip())
    commands[sys.argv[1]]()
