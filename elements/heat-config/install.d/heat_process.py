# SPDX-License-Identifier: Apache-2.0
"""Processes: run one to its end, in bounded memory and time, and say what it came to.

Like the rest of the hooks' library it needs nothing but the standard library
of Python 3.6 or later, and is ASCII.
"""

import errno
import os
import selectors
import signal
import subprocess
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:  # typing would cost each hook's start some milliseconds
    from typing import Any, Callable, Iterable, Mapping

    from heat_cgroup import ControlGroup

FAILED = 1
BAD_DATA = 65  # sysexits.h: EX_DATAERR
TIMED_OUT = 124  # as timeout(1)
NOT_EXECUTABLE = 126  # as the shell, and the next
NOT_FOUND = 127

# Heat takes at most 1 MiB for a whole signal.
OUTPUT_LIMIT = 512 * 1024
CHUNK = 64 * 1024
MERCY = 10  # seconds between SIGTERM and SIGKILL

# A system's service gets of these what its unit names: no HOME, and a PATH that may be short.
FOLDERS = ('/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin')
SETTINGS = os.environ.get('HEAT_AGENT_SETTINGS') or '/etc/default/heat-agent'


class HookError(Exception):
    """The deployment failed; the message is for the person who wrote it.

    :param message: what is wrong and what to do.
    :param status_code: the deployment's status code, not 0.
    """

    def __init__(self, message: str, status_code: int = FAILED) -> None:
        super().__init__(message)
        self.status_code = status_code


class Result:
    """What a tool, or a hook, came to.

    :param status_code: 0 for success.
    :param stdout: what it printed.
    :param stderr: what it printed as errors.
    :param outputs: the values of the deployment's outputs, by name.
    :param timed_out: whether :func:`run` ended it for its time.
    """

    def __init__(
        self,
        status_code: int = 0,
        stdout: str = '',
        stderr: str = '',
        outputs: 'Mapping[str, Any] | None' = None,
        timed_out: bool = False,
    ) -> None:
        self.status_code = status_code
        self.stdout = stdout
        self.stderr = stderr
        self.outputs = dict(outputs or {})
        self.timed_out = timed_out

    def response(self) -> 'dict[str, Any]':
        """The object that Heat expects in a signal."""
        return dict(
            self.outputs,
            deploy_stdout=self.stdout,
            deploy_stderr=self.stderr,
            deploy_status_code=self.status_code,
        )


class Tail:
    """The end of a stream, in bounded memory.

    :param limit: how many bytes to keep.
    """

    def __init__(self, limit: int = OUTPUT_LIMIT) -> None:
        self._limit = limit
        self._kept = bytearray()
        self._cut = 0

    def write(self, data: bytes) -> None:
        self._kept += data
        excess = len(self._kept) - self._limit
        if excess > 0:
            del self._kept[:excess]
            self._cut += excess

    def text(self) -> str:
        """What was kept, after a mark that says how much was not."""
        text = self._kept.decode('utf-8', 'replace')
        if self._cut:
            text = f'[... {self._cut} bytes cut ...]\n{text}'
        return text


def log(message: str) -> None:
    """Say something in the deployment's log."""
    echo((message + '\n').encode('utf-8', 'backslashreplace'))


def echo(data: bytes) -> None:
    """Pass a tool's output on, so that it can be followed while it runs."""
    try:
        sys.stderr.buffer.write(data)
        sys.stderr.buffer.flush()
    except OSError:
        pass  # whoever listened is gone, and the work goes on


def program(*names: str, variable: str, folders: 'Iterable[str]' = ()) -> str:
    """Where a tool's program lies.

    :param names: what it may be called; the first that is there is taken.
    :param variable: a variable of the environment that overrides all this,
        such as ``HEAT_SALT_CMD``.
    :param folders: to look through after PATH: vendors have their own.
    :raises HookError: when it is nowhere.
    """
    if os.environ.get(variable):
        return os.environ[variable]
    for name in names:
        for folder in [*os.get_exec_path(), *folders]:
            path = os.path.join(folder, name)
            if folder and os.path.isfile(path) and os.access(path, os.X_OK):
                return path
    raise HookError(f'{" or ".join(names)}: command not found.', NOT_FOUND)


def run(
    command: 'list[str]',
    env: 'Mapping[str, str] | None' = None,
    cwd: 'str | None' = None,
    stdin: bytes = b'',
    timeout: 'float | None' = None,
    new_group: bool = False,
    control_group: 'ControlGroup | None' = None,
    on_stdout: 'Callable[[bytes], None]' = echo,
    on_stderr: 'Callable[[bytes], None]' = echo,
    limit: int = OUTPUT_LIMIT,
) -> Result:
    """Run a command to its end, in bounded memory whatever it prints.

    A process that it leaves behind, and that still holds its output, is not
    waited for.

    :param command: program and arguments.
    :param env: variables to add to the environment.
    :param cwd: the folder to run it in.
    :param stdin: what it reads.
    :param timeout: seconds until it is ended: SIGTERM, ten seconds, SIGKILL.
    :param new_group: make it the leader of a session and process group; a
        timeout then ends the whole group.
    :param control_group: where to run it; a timeout then ends all in that.
    :param on_stdout: called with each piece of its output, as it comes.
    :param on_stderr: called with each piece of its error output.
    :param limit: how many bytes of its output the result keeps: the last.
    :returns: its result; a command killed by signal N has the status 128+N,
        as in a shell, and one that was ended for its time 124.
    :raises HookError: when it cannot be started.
    """
    process = _start(command, env, cwd, new_group, control_group)
    life = _Life(process, timeout, new_group, control_group)
    stdout, stderr = Tail(limit), Tail(OUTPUT_LIMIT)
    with _Pipes(process, stdin) as pipes:
        pipes.read(process.stdout, stdout, on_stdout)
        pipes.read(process.stderr, stderr, on_stderr)
        while life.goes_on():
            if pipes.are_open():
                pipes.serve(life.pause())
            else:
                life.wait(life.pause())
            life.enforce_timeout()
        pipes.drain()
    return Result(life.status_code(), stdout.text(), stderr.text(), timed_out=life.timed_out)


class _Life:
    """How long a process goes on, and its end for its time.

    :param timeout: see :func:`run`, as for the next.
    """

    def __init__(
        self,
        process: subprocess.Popen,
        timeout: 'float | None',
        is_group: bool,
        control_group: 'ControlGroup | None',
    ) -> None:
        self._process = process
        self._is_group = is_group
        self._control_group = control_group
        self._signals = [] if timeout is None else [signal.SIGTERM, signal.SIGKILL]
        self._deadline = time.monotonic() + (timeout or 0)
        self.timed_out = False

    def goes_on(self) -> bool:
        if self._process.poll() is None:
            return True
        # Its leader may obey SIGTERM at once; the others of a group have ten seconds, too.
        return self.timed_out and self._is_group and bool(self._signals) and self._send(0)

    def pause(self) -> float:
        """Seconds to wait for anything to happen, at most."""
        # A process left behind may keep the pipes open, so that their end does not
        # tell of the command's; and nothing at all tells of that of a group.
        pause = 0.5 if self._process.returncode is None else 0.05
        if self._signals:
            pause = min(pause, self._deadline - time.monotonic())
        return max(0, pause)

    def wait(self, seconds: float) -> None:
        """Wait for the end, when there is no pipe to wait for."""
        if self._process.returncode is None:
            try:
                self._process.wait(seconds)
            except subprocess.TimeoutExpired:
                pass
        else:
            time.sleep(seconds)

    def enforce_timeout(self) -> None:
        if self._signals and time.monotonic() >= self._deadline:
            self.timed_out = True
            self._send(self._signals.pop(0))
            self._deadline += MERCY

    def _send(self, number: int) -> bool:
        """Send a signal, or with 0 none; tell whether anyone was there to get it."""
        if self._control_group and self._control_group.send(number):
            return True
        try:
            if self._is_group:
                os.killpg(self._process.pid, number)
            else:
                os.kill(self._process.pid, number)
        except OSError:
            return False
        return True

    def status_code(self) -> int:
        if self.timed_out:
            return TIMED_OUT
        status = self._process.returncode
        return 128 - status if status < 0 else status


class _Pipes:
    """What a process reads and prints.

    :param stdin: what it reads.
    """

    def __init__(self, process: subprocess.Popen, stdin: bytes) -> None:
        self._selector = selectors.DefaultSelector()
        self._stdin = process.stdin
        self._unread = memoryview(stdin)
        self._sinks = {}
        os.set_blocking(self._stdin.fileno(), False)
        self._selector.register(self._stdin, selectors.EVENT_WRITE)

    def read(self, stream: 'Any', tail: Tail, sink: 'Callable[[bytes], None]') -> None:
        """Read a stream: its end into a tail, and each piece into a function."""
        self._sinks[stream] = tail, sink
        os.set_blocking(stream.fileno(), False)
        self._selector.register(stream, selectors.EVENT_READ)

    def __enter__(self) -> '_Pipes':
        return self

    def __exit__(self, *exception: 'Any') -> None:
        for key in list(self._selector.get_map().values()):
            self._close(key.fileobj)
        self._selector.close()

    def are_open(self) -> bool:
        return bool(self._selector.get_map())

    def serve(self, seconds: float) -> None:
        """Read and write what there is, or will be within some time."""
        for key, _ in self._selector.select(seconds):
            if key.fileobj is self._stdin:
                self._feed()
            else:
                self._drain(key.fileobj)

    def drain(self) -> None:
        """Read what is left when the process has ended."""
        for stream in self._sinks:
            # What full pipes hold at most; a process left behind may go on for ever.
            for _ in range(16):
                if not stream.closed:
                    self._drain(stream)

    def _feed(self) -> None:
        """Write what the pipe takes."""
        try:
            self._unread = self._unread[os.write(self._stdin.fileno(), self._unread[:CHUNK]) :]
        except BlockingIOError:
            pass
        except BrokenPipeError:  # it does not care for its input
            self._unread = self._unread[:0]
        if not self._unread:
            self._close(self._stdin)

    def _drain(self, stream: 'Any') -> None:
        """Read what is there, a chunk at most."""
        try:
            data = os.read(stream.fileno(), CHUNK)
        except BlockingIOError:
            return
        tail, sink = self._sinks[stream]
        tail.write(data)
        if data:
            sink(data)
        else:
            self._close(stream)

    def _close(self, stream: 'Any') -> None:
        self._selector.unregister(stream)
        stream.close()


def _start(
    command: 'list[str]',
    env: 'Mapping[str, str] | None',
    cwd: 'str | None',
    new_group: bool,
    control_group: 'ControlGroup | None',
) -> subprocess.Popen:
    # Bytes, so that the locale (the agent's is C) has no say in it.
    variables = dict(os.environb)
    for name, value in login_variables().items():
        variables[encode(name)] = encode(value)
    try:
        for name, value in (env or {}).items():
            variables[encode(name)] = encode(value)
        return subprocess.Popen(
            [encode(word) for word in command],
            bufsize=0,
            cwd=cwd,
            env=variables,
            start_new_session=new_group,
            preexec_fn=control_group.enter if control_group else None,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
    except FileNotFoundError:
        if cwd and not os.path.isdir(cwd):
            raise HookError(f'There is no folder {cwd}.')
        if os.path.exists(command[0]):
            raise HookError(
                f'{command[0]} cannot run: the interpreter in its first line, '
                f'{_first_line(command[0])!r}, is not there.',
                NOT_EXECUTABLE,
            )
        raise HookError(f'{command[0]}: command not found.', NOT_FOUND)
    except ValueError as error:  # a NUL, or '=' in a variable's name
        raise HookError(
            f'{command[0]} cannot be given its arguments and environment: {error}.', BAD_DATA
        )
    except OSError as error:
        if error.errno == errno.ENOEXEC:
            raise HookError(
                f'{command[0]} cannot run: it is no program, and its first line, '
                f'{_first_line(command[0])!r}, names no interpreter, as '
                '"#!/bin/sh" would.',
                NOT_EXECUTABLE,
            )
        if error.errno == errno.E2BIG:
            raise HookError(
                f'The inputs are too large for the environment of {command[0]}.', BAD_DATA
            )
        raise HookError(f'{command[0]} cannot run: {error.strerror}.', NOT_EXECUTABLE)


def login_variables() -> 'dict[str, str]':
    """What a login would set, and this process was started without.

    :returns: those of HOME, USER, LOGNAME and SHELL that are not set, and a
        PATH that has all of a system's folders.  The agent's settings
        (/etc/default/heat-agent) come first.
    """
    found = {}
    if not all(map(os.environ.get, ('HOME', 'USER', 'LOGNAME', 'SHELL'))):
        import pwd  # seldom needed

        try:
            user = pwd.getpwuid(os.geteuid())
            name, home, shell = user.pw_name, user.pw_dir, user.pw_shell
        except KeyError:  # as in a container that runs as any number
            name, home, shell = str(os.geteuid()), '', ''
        if os.path.basename(shell) in ('', 'false', 'nologin'):
            shell = '/bin/sh'
        values = {'HOME': home or '/', 'USER': name, 'LOGNAME': name, 'SHELL': shell}
        found = {name: value for name, value in values.items() if not os.environ.get(name)}
    path = os.environ.get('PATH') or ''
    missing = [folder for folder in FOLDERS if folder not in path.split(os.pathsep)]
    if missing and not _settings_have_path():
        found['PATH'] = os.pathsep.join(filter(None, [path, *missing]))
    return found


def _settings_have_path() -> bool:
    try:
        with open(SETTINGS, 'rb') as file:
            return any(line.lstrip().startswith(b'PATH=') for line in file)
    except OSError:
        return False


def encode(text: str) -> bytes:
    """Text for the system, so that the locale has no say in it."""
    return text.encode('utf-8', 'surrogateescape')


def _first_line(path: str) -> str:
    with open(path, 'rb') as file:
        return file.readline(80).decode('utf-8', 'replace').rstrip('\n')
