# SPDX-License-Identifier: Apache-2.0
"""The surroundings in which tests run programs: own folders, own PATH, and no process unannounced.

A program runs with an environment that holds nothing of the caller's. Its PATH is one folder with
`sh`, `python3` (the plain interpreter, without the packages of the tests), the real programs that
the test announced and the fake tools that it asked for. So a test gives the same result whatever
is installed on the machine, and a script that starts something unexpected fails.
"""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Optional, Union

import fixtures

FAKE_TOOL = pathlib.Path(__file__).with_name('fake_tool.py')
PLAIN_PYTHON = os.path.realpath(sys.executable)
#: The same, but it says which lines it ran: tests.measure.
MEASURING_PYTHON = pathlib.Path(__file__).resolve().parent.parent / '.tox/coverage/bin/python'
PathLike = Union[str, 'os.PathLike[str]']


class UnannouncedProcess(AssertionError):
    """A test started a program that it had not announced."""


class Completed(NamedTuple):
    """How a program ended. A negative status is the number of the signal that ended it."""

    status: int
    stdout: str
    stderr: str

    def json(self) -> Any:
        """Standard output, which must be one JSON value and nothing else."""
        return json.loads(self.stdout)


class Call(NamedTuple):
    """One call of a fake tool."""

    tool: str
    argv: 'list[str]'
    cwd: str
    env: 'dict[str, str]'
    stdin: str


class Sandbox(fixtures.Fixture):
    """Folders, PATH and environment for the programs of one test.

    :param guard: False gives programs the caller's PATH behind the sandbox's own and lets the test
        start anything: for tests with real tools.
    """

    def __init__(self, guard: bool = True) -> None:
        super().__init__()
        self._guard = guard
        self._announced: set[str] = set()
        self._unannounced: list[str] = []
        self._answers: dict[str, list[dict[str, Any]]] = {}

    def _setUp(self) -> None:
        self.root = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        self.bin = self.root / 'bin'
        self.calls_file = self.root / 'calls.jsonl'
        self.env = {
            'FAKE_TOOL_CALLS': str(self.calls_file),
            'HEAT_AGENT_SETTINGS': str(self.root / 'heat-agent'),
            'HOME': str(self.root / 'home'),
            'LC_ALL': 'C',  # as the agent runs
            'PATH': str(self.bin),
            'PYTHONDONTWRITEBYTECODE': '1',  # a __pycache__ would travel into images
            'TMPDIR': str(self.root / 'tmp'),
        }
        for name in ('bin', 'home', 'tmp'):
            (self.root / name).mkdir()
        # Or hooks would extend PATH by the folders of the machine.
        (self.root / 'heat-agent').write_text('PATH=\n')
        self._provide_python()
        self.announce('sh')
        if self._guard:
            self._guard_processes()
        else:
            self.env['PATH'] += os.pathsep + os.environ['PATH']

    def _provide_python(self) -> None:
        if 'COVERAGE_PROCESS_START' not in os.environ:
            (self.bin / 'python3').symlink_to(PLAIN_PYTHON)
            return
        # Through a link it would not find the one package that it has.
        self.env['COVERAGE_PROCESS_START'] = os.environ['COVERAGE_PROCESS_START']
        (self.bin / 'python3').write_text(f'#!/bin/sh\nexec {MEASURING_PYTHON} "$@"\n')
        (self.bin / 'python3').chmod(0o755)

    def _guard_processes(self) -> None:
        start = subprocess.Popen.__init__

        def guarded(popen: Any, args: Any, *rest: Any, **options: Any) -> None:
            program = args if isinstance(args, (str, bytes, os.PathLike)) else args[0]
            program = 'sh' if options.get('shell') else os.fsdecode(program)
            if program not in self._announced:
                self._unannounced.append(program)
                raise UnannouncedProcess(program)
            start(popen, args, *rest, **options)

        self.useFixture(fixtures.MonkeyPatch('subprocess.Popen.__init__', guarded))
        # Reported once more at the end, for the code under test may have caught the exception.
        self.addCleanup(self._report)

    def _report(self) -> None:
        if self._unannounced:
            raise UnannouncedProcess(
                f'the test started {", ".join(sorted(set(self._unannounced)))}, which it did not '
                'announce; sandbox.announce() makes a real program available, sandbox.fake() a '
                'fake one'
            )

    def announce(self, *programs: str) -> None:
        """Let the test, and what it runs, start these real programs; names on the caller's PATH.

        :raises FileNotFoundError: the machine has no such program.
        """
        for name in programs:
            found = shutil.which(name)
            if not found:
                raise FileNotFoundError(f'the test needs {name}, which is not on PATH')
            # The name as found, not what it links to: busybox and alternatives go by the name.
            (self.bin / name).symlink_to(found)
            self._announced.update((name, found))

    def fake(self, tool: str, *answers: 'dict[str, Any]') -> None:
        """Put a fake tool on PATH. Answers: see tests/fake_tool.py."""
        program = self.bin / tool
        program.write_text(f'#!{PLAIN_PYTHON} -SE\n{FAKE_TOOL.read_text()}')
        program.chmod(0o755)
        self._announced.add(tool)
        self._answers[tool] = list(answers)
        self.env['FAKE_TOOL_ANSWERS'] = json.dumps(self._answers)

    def calls(self, tool: Optional[str] = None) -> 'list[Call]':
        """The calls of fake tools so far, in order: of one of them, or of all."""
        if not self.calls_file.exists():
            return []
        with self.calls_file.open(encoding='utf-8') as lines:
            calls = [Call(**json.loads(line)) for line in lines]
        return [call for call in calls if tool in (None, call.tool)]

    def run(
        self,
        argv: Sequence[PathLike],
        stdin: Any = '',
        env: Optional[Mapping[str, str]] = None,
        cwd: Optional[PathLike] = None,
        timeout: float = 120,
    ) -> Completed:
        """Run a program to its end in these surroundings.

        :param argv: the program, as a path or as a name on the sandbox's PATH, and its arguments.
        :param stdin: bytes, a string, or any other value, which is sent as JSON.
        :param env: variables added to the sandbox's own.
        :param cwd: the folder to run in; by default the sandbox's root.
        :param timeout: seconds after which the program and all its children are killed.
        :raises AssertionError: it did not end in time; the message holds what it printed.
        """
        if not isinstance(stdin, (str, bytes)):
            stdin = json.dumps(stdin)
        if isinstance(stdin, str):
            stdin = stdin.encode('utf-8', 'surrogateescape')
        argv = [os.fspath(word) for word in argv]
        if os.sep not in argv[0] and (self.bin / argv[0]).exists():
            argv[0] = str(self.bin / argv[0])
        self._announced.add(argv[0])
        process = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(self.env, **(env or {})),
            cwd=cwd or self.root,
            start_new_session=True,
        )
        try:
            stdout, stderr = process.communicate(stdin, timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            stdout, stderr = process.communicate()
            raise AssertionError(
                f'{argv} did not end in {timeout} s\nstdout: {stdout!r}\nstderr: {stderr!r}'
            ) from None
        return Completed(
            process.returncode,
            *(stream.decode('utf-8', 'backslashreplace') for stream in (stdout, stderr)),
        )

    def run_script(
        self, script: PathLike, *args: str, python: Optional[PathLike] = None, **options: Any
    ) -> Completed:
        """Run a Python script with an interpreter; other options as in run().

        :param python: the interpreter; by default the plain one, as a server would use it.
            sys.executable is the one that has the packages of the tests.
        """
        return self.run([python or self.bin / 'python3', script, *args], **options)
