# SPDX-License-Identifier: Apache-2.0
"""What every hook does: read a deployment, run a tool, answer.

The file lies beside the hooks (/var/lib/heat-config/hooks), so that
``import heat_hook`` works with whichever interpreter runs the hook.  It needs
nothing but the standard library of Python 3.6 or later, and is ASCII because
it travels in user data.

A hook is a function that takes a deployment and a workspace, and one line::

    def deploy(deployment, workspace):
        path = workspace.write(deployment.id, deployment.config, 0o700)
        return run([path], env=environment(deployment.inputs))

    if __name__ == '__main__':
        main(deploy, 'script')

The contract with the dispatcher (and with Heat) is: one JSON object on
stdout, which holds the declared outputs, ``deploy_stdout``,
``deploy_stderr`` and ``deploy_status_code``, where 0 means success.
"""

import errno
import json
import os
import selectors
import signal
import subprocess
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:  # typing would cost each hook's start some milliseconds
    from typing import Any, Callable, Iterable, Mapping

FAILED = 1
BAD_DATA = 65  # sysexits.h: EX_DATAERR
TIMED_OUT = 124  # as timeout(1)
NOT_EXECUTABLE = 126  # as the shell, and the next
NOT_FOUND = 127

# Heat takes at most 1 MiB for a whole signal.
OUTPUT_LIMIT = 512 * 1024
CHUNK = 64 * 1024

# The agent runs in the locale C, in which some tools cannot read their files.
UTF8_LOCALE = {'LC_ALL': 'C.UTF-8'}

# A system's service gets of these what its unit names: no HOME, and a PATH that may be short.
FOLDERS = ('/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin')
SETTINGS = os.environ.get('HEAT_AGENT_SETTINGS') or '/etc/default/heat-agent'

# What Heat gives the agent to signal with.  Tools have no use for them, and
# whatever a tool knows it may log.
CREDENTIALS = ('deploy_password', 'deploy_signal_id')


class HookError(Exception):
    """The deployment failed; the message is for the person who wrote it.

    :param message: what is wrong and what to do.
    :param status_code: the deployment's status code, not 0.
    """

    def __init__(self, message: str, status_code: int = FAILED) -> None:
        super().__init__(message)
        self.status_code = status_code


class Deployment:
    """One deployment, as Heat describes it in the server's metadata.

    Heat may send null for ``options``, ``inputs``, ``outputs`` and values.

    :param data: the JSON object that the hook got on stdin.
    :raises HookError: when it is not an object.
    """

    def __init__(self, data: 'Any') -> None:
        if not isinstance(data, dict):
            raise HookError('The deployment is not a JSON object.', BAD_DATA)
        self.id = str(data.get('id') or '')
        self.name = str(data.get('name') or '')
        self.group = str(data.get('group') or '')
        self.creation_time = str(data.get('creation_time') or '')
        self.config = data.get('config')
        self.options = _mapping(data.get('options'))
        self.all_inputs = {
            str(item['name']): item.get('value') for item in _named(data.get('inputs'))
        }
        #: What the tool may see: all but the credentials.
        self.inputs = {
            name: value for name, value in self.all_inputs.items() if name not in CREDENTIALS
        }
        self.output_names = [str(item['name']) for item in _named(data.get('outputs'))]
        self.action = str(self.inputs.get('deploy_action') or '')

    def credentials(self) -> 'list[str]':
        """The values that nobody may see."""
        return [as_text(self.all_inputs[name]) for name in CREDENTIALS if self.all_inputs.get(name)]

    def text(self) -> str:
        """The config as text, for tools whose config is a file.

        :raises HookError: when it is a map or a list.
        """
        if self.config is None:
            return ''
        if not isinstance(self.config, str):
            raise HookError(
                f'The config must be a text, and is a {json_type(self.config)}.', BAD_DATA
            )
        return self.config

    def mapping(self) -> 'dict[str, Any]':
        """The config as a map, which may also have been sent as JSON text.

        :raises HookError: when it is anything else.
        """
        config = self.config
        if isinstance(config, str) and config.strip():
            try:
                config = json.loads(config)
            except ValueError as error:
                raise HookError(f'The config is not JSON: {error}', BAD_DATA)
        if not config:
            return {}
        if not isinstance(config, dict):
            raise HookError(f'The config must be a map, and is a {json_type(config)}.', BAD_DATA)
        return config


class Workspace:
    """The folders of one tool, and the files in them of one deployment.

    ``HEAT_<TOOL>_WORKING`` and ``HEAT_<TOOL>_OUTPUTS`` override where they are.

    :param tool: the hook's name, such as ``docker-cmd``.
    :param deployment: whose files these are.
    """

    def __init__(self, tool: str, deployment: Deployment) -> None:
        variable = 'HEAT_' + tool.upper().replace('-', '_') + '_'
        self.folder = os.environ.get(
            variable + 'WORKING', '/var/lib/heat-config/heat-config-' + tool
        )
        self._outputs = os.environ.get(
            variable + 'OUTPUTS', '/var/run/heat-config/heat-config-' + tool
        )
        self._deployment = deployment
        self.outputs_path = os.path.join(self._outputs, file_name(deployment.id))
        """Where the tool writes an output: this, a dot and the output's name."""

    def write(self, name: str, text: str, mode: int = 0o600) -> str:
        """Write a file into the tool's folder.

        :param name: the file's name, not a path.
        :returns: its path.
        """
        make_folder(self.folder)
        path = os.path.join(self.folder, file_name(name))
        write_file(path, text, mode)
        return path

    def clear_outputs(self) -> None:
        """Make the folder for outputs, and remove those of an earlier run."""
        make_folder(self._outputs)
        for name in self._deployment.output_names:
            try:
                os.unlink(self._output(name))
            except FileNotFoundError:
                pass

    def read_outputs(self) -> 'dict[str, str]':
        """The declared outputs that the tool wrote.

        :raises HookError: when one cannot be read.
        """
        outputs = {}
        # No more than Heat takes and a byte: the signal will say that it is too much.
        room = 2 * OUTPUT_LIMIT + 1
        for name in self._deployment.output_names:
            try:
                with open(self._output(name), 'rb') as file:
                    text = file.read(room)
            except FileNotFoundError:
                continue
            except OSError as error:
                raise HookError(f'The output {name} cannot be read: {error.strerror}.')
            room -= len(text)
            outputs[name] = text.decode('utf-8', 'replace')
        return outputs

    def _output(self, name: str) -> bytes:
        if '/' in name or '\0' in name:
            raise HookError(
                f'An output cannot be named {name!r}: it is read from a file of that name.',
                BAD_DATA,
            )
        # Bytes, so that the locale has no say in it.
        return _encode(f'{self.outputs_path}.{name}')


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
    :param on_stdout: called with each piece of its output, as it comes.
    :param on_stderr: called with each piece of its error output.
    :param limit: how many bytes of its output the result keeps: the last.
    :returns: its result; a command killed by signal N has the status 128+N,
        as in a shell, and one that was ended for its time 124.
    :raises HookError: when it cannot be started.
    """
    process = _start(command, env, cwd, new_group)
    sinks = {
        process.stdout: (on_stdout, Tail(limit)),
        process.stderr: (on_stderr, Tail(OUTPUT_LIMIT)),
    }
    unread = memoryview(stdin)
    signals = [] if timeout is None else [signal.SIGTERM, signal.SIGKILL]
    deadline = time.monotonic() + (timeout or 0)
    timed_out = False

    def send(number: int) -> bool:
        """Send a signal, or with 0 none; tell whether anyone was there to get it."""
        try:
            if new_group:
                os.killpg(process.pid, number)
            else:
                os.kill(process.pid, number)
        except OSError:
            return False
        return True

    def is_running() -> bool:
        if process.poll() is None:
            return True
        # Its leader may obey SIGTERM at once; the others of a group have ten seconds, too.
        return timed_out and new_group and bool(signals) and send(0)

    with selectors.DefaultSelector() as selector:

        def close(stream: 'Any') -> None:
            selector.unregister(stream)
            stream.close()

        for stream in sinks:
            os.set_blocking(stream.fileno(), False)
            selector.register(stream, selectors.EVENT_READ)
        os.set_blocking(process.stdin.fileno(), False)
        selector.register(process.stdin, selectors.EVENT_WRITE)
        while is_running():
            # Half a second: a process left behind may keep the pipes open,
            # so that their end does not tell of the command's.
            wait = 0.5
            if signals:
                wait = max(0, min(wait, deadline - time.monotonic()))
            if process.returncode is not None:
                time.sleep(min(wait, 0.05))
            elif not selector.get_map():
                try:
                    process.wait(wait)
                except subprocess.TimeoutExpired:
                    pass
            for key, _ in selector.select(wait) if selector.get_map() else ():
                if key.fileobj is process.stdin:
                    unread = _feed(process.stdin, unread)
                    if not unread:
                        close(process.stdin)
                elif not _drain(key.fileobj, *sinks[key.fileobj]):
                    close(key.fileobj)
            if signals and time.monotonic() >= deadline:
                timed_out = True
                send(signals.pop(0))
                deadline += 10
        for stream in sinks:
            # What full pipes hold at most; a process left behind may go on for ever.
            for _ in range(16):
                if not stream.closed and not _drain(stream, *sinks[stream]):
                    close(stream)
        for key in list(selector.get_map().values()):
            close(key.fileobj)
    status = process.returncode
    if timed_out:
        status = TIMED_OUT
    elif status < 0:
        status = 128 - status
    return Result(status, *(tail.text() for _, tail in sinks.values()), timed_out=timed_out)


def _start(
    command: 'list[str]', env: 'Mapping[str, str] | None', cwd: 'str | None', new_group: bool
) -> subprocess.Popen:
    # Bytes, so that the locale (the agent's is C) has no say in it.
    variables = dict(os.environb)
    for name, value in login_variables().items():
        variables[_encode(name)] = _encode(value)
    try:
        for name, value in (env or {}).items():
            variables[_encode(name)] = _encode(value)
        return subprocess.Popen(
            [_encode(word) for word in command],
            bufsize=0,
            cwd=cwd,
            env=variables,
            start_new_session=new_group,
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


def _encode(text: str) -> bytes:
    return text.encode('utf-8', 'surrogateescape')


def _first_line(path: str) -> str:
    with open(path, 'rb') as file:
        return file.readline(80).decode('utf-8', 'replace').rstrip('\n')


def _feed(stream: 'Any', data: memoryview) -> memoryview:
    """Write what the pipe takes; return what is left."""
    try:
        return data[os.write(stream.fileno(), data[:CHUNK]) :]
    except BlockingIOError:
        return data
    except BrokenPipeError:  # it does not care for its input
        return data[:0]


def _drain(stream: 'Any', sink: 'Callable[[bytes], None]', tail: Tail) -> bool:
    """Read what is there, a chunk at most; tell whether there may be more."""
    try:
        data = os.read(stream.fileno(), CHUNK)
    except BlockingIOError:
        return True
    tail.write(data)
    if data:
        sink(data)
    return bool(data)


def environment(inputs: 'Mapping[str, Any]') -> 'dict[str, str]':
    """Inputs as variables of an environment: see :func:`as_text`."""
    return {name: as_text(value) for name, value in inputs.items()}


def as_text(value: 'Any') -> str:
    """An input's value as text: maps, lists, numbers as JSON, null as ''."""
    if value is None:
        return ''
    return value if isinstance(value, str) else json.dumps(value)


def as_yaml(value: 'Any') -> str:
    """A value as a document of YAML: a text is one already, the rest as JSON."""
    if isinstance(value, str):
        return value
    # As itself, for YAML does not read two escapes as one character.
    return '' if value is None else json.dumps(value, indent=2, ensure_ascii=False)


def joined(value: 'Any', separator: str = ',') -> str:
    """An option that may be a list as a tool's command line wants it: one text."""
    return separator.join(map(as_text, value)) if isinstance(value, list) else as_text(value)


def fqdn() -> str:
    """The server's full name, as ``hostname -f`` tells it; '' if it has none."""
    import socket  # few hooks need it

    try:
        return socket.getaddrinfo(
            socket.gethostname(), None, 0, socket.SOCK_DGRAM, 0, socket.AI_CANONNAME
        )[0][3]
    except OSError:
        return ''


def json_type(value: 'Any') -> str:
    """What JSON calls the type of a value, for messages."""
    if value is None:
        return 'null'
    names = {
        bool: 'boolean',
        int: 'number',
        float: 'number',
        str: 'string',
        list: 'list',
        dict: 'map',
    }
    return names.get(type(value), type(value).__name__)


def make_folder(path: str, mode: int = 0o700) -> None:
    """Make a folder, and those above it that are missing, all with this mode."""
    parent = os.path.dirname(path)
    if parent and not os.path.isdir(parent):
        make_folder(parent, mode)  # os.makedirs would leave these open to all
    os.makedirs(path, mode=mode, exist_ok=True)


def write_file(path: str, text: 'str | bytes', mode: int = 0o600, durable: bool = False) -> None:
    """Write a file so that none ever sees half of it, nor with another mode.

    :param durable: return only when it would survive a power cut.
    """
    # JSON can say half a character ("\ud800"), which no file can hold.
    data = text.encode('utf-8', 'replace') if isinstance(text, str) else text
    folder, name = os.path.split(path)
    temporary = os.path.join(folder, f'.{name[:200]}.{os.getpid()}.tmp')
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    try:
        with open(descriptor, 'wb') as file:
            os.fchmod(descriptor, mode)
            file.write(data)
            if durable:
                file.flush()
                os.fsync(descriptor)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    if durable:
        sync_folder(folder)


def sync_folder(path: str) -> None:
    """Make the names in a folder survive a power cut."""
    descriptor = os.open(path or '.', os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def file_name(text: str) -> str:
    """A text from Heat as a file's name: itself where that is safe.

    Anything that could leave the folder, hide or be too long is replaced by
    a digest of it, so that different texts keep different names.
    """
    safe = text.replace('-', '').replace('_', '').replace('.', '')
    if (
        safe.isalnum()
        and len(text) <= 120
        and text[0] != '.'
        and all(ord(character) < 128 for character in safe)
    ):
        return text
    import hashlib  # seldom needed, and slow to load

    return 'unsafe-' + hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:32]


def _mapping(value: 'Any') -> 'dict[str, Any]':
    return value if isinstance(value, dict) else {}


def _named(value: 'Any') -> 'Iterable[dict[str, Any]]':
    """Those of a list's items that have a name."""
    return [
        item
        for item in (value if isinstance(value, list) else [])
        if isinstance(item, dict) and item.get('name')
    ]


def main(
    deploy: 'Callable[[Deployment, Workspace], Result]',
    tool: str,
    options: 'Iterable[Any] | None' = None,
) -> None:
    """Run a hook: a deployment on stdin, the response on stdout.

    Whatever happens is said in the response; the exit status is 0 when one
    was written.

    :param deploy: the hook's function; it may raise :class:`HookError`.
    :param tool: the hook's name; its element is ``heat-config-<tool>``.
    :param options: the table of its options, each a heat_options.Option: the
        deployment's are checked, and get their types. None for no check.
    """
    # From here on nothing but the response can reach the dispatcher's pipe,
    # not even a print in a child process.
    answer = os.fdopen(os.dup(1), 'w')
    os.dup2(2, 1)
    warnings = []
    try:
        deployment = Deployment(_read_json())
        if options is not None:
            import heat_options  # which imports this module

            deployment.options, warnings = heat_options.read(options, deployment.options)
            for warning in warnings:
                log(warning)
        result = deploy(deployment, Workspace(tool, deployment))
    except HookError as error:
        message = str(error)
        if error.status_code == NOT_FOUND:
            message += f' The element heat-config-{tool} installs it.'
        log(message)
        result = Result(error.status_code, stderr=message + '\n')
    except OSError as error:  # a full disk, a folder where a file should be
        message = f'{error.filename2 or error.filename or tool}: {error.strerror}.'
        log(message)
        result = Result(FAILED, stderr=message + '\n')
    except Exception:
        # An unforeseen error must reach the template's author, too.
        import traceback  # slow to load

        text = traceback.format_exc()
        log(text)
        result = Result(FAILED, stderr=text)
    result.stderr = ''.join(warning + '\n' for warning in warnings) + result.stderr
    with answer:
        json.dump(result.response(), answer)


def _read_json() -> 'Any':
    try:
        return json.loads(sys.stdin.buffer.read().decode('utf-8'))
    except ValueError as error:
        raise HookError(f'The deployment on stdin is not JSON: {error}', BAD_DATA)
