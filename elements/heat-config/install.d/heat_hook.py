# SPDX-License-Identifier: Apache-2.0
"""What every hook does: read a deployment, run a tool, answer.

The file lies beside the hooks (/var/lib/heat-config/hooks), so that
``import heat_hook`` works with whichever interpreter runs the hook.  It needs
nothing but the standard library of Python 3.6 or later, and is ASCII because
it travels in user data.  It is the one door to the library: what hooks use of
heat_process and heat_files has its name here, too.

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

import json
import os
import sys

from heat_files import file_name, make_folder, sync_folder, write_file
from heat_process import (
    BAD_DATA,
    FAILED,
    NOT_EXECUTABLE,
    NOT_FOUND,
    OUTPUT_LIMIT,
    TIMED_OUT,
    HookError,
    Result,
    Tail,
    echo,
    encode,
    log,
    program,
    run,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Iterable, Mapping

__all__ = [
    'BAD_DATA',
    'CREDENTIALS',
    'FAILED',
    'NOT_EXECUTABLE',
    'NOT_FOUND',
    'OUTPUT_LIMIT',
    'TIMED_OUT',
    'UTF8_LOCALE',
    'Deployment',
    'HookError',
    'Result',
    'Tail',
    'Workspace',
    'as_text',
    'as_yaml',
    'echo',
    'environment',
    'file_name',
    'fqdn',
    'json_type',
    'log',
    'main',
    'make_folder',
    'program',
    'run',
    'sync_folder',
    'write_file',
]

# The agent runs in the locale C, in which some tools cannot read their files.
UTF8_LOCALE = {'LC_ALL': 'C.UTF-8'}

# What Heat gives the agent to signal with.  Tools have no use for them, and
# whatever a tool knows it may log.
CREDENTIALS = ('deploy_password', 'deploy_signal_id')
SECRET_NAMES = ('password', 'secret', 'token')
SECRET_LENGTH = 8  # letters


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
            _name(item, 'input'): item.get('value') for item in _named(data.get('inputs'))
        }
        #: What the tool may see: all but the credentials.
        self.inputs = {
            name: value for name, value in self.all_inputs.items() if name not in CREDENTIALS
        }
        self.output_names = [_name(item, 'output') for item in _named(data.get('outputs'))]
        self.action = str(self.inputs.get('deploy_action') or '')

    def secrets(self) -> 'list[str]':
        """The values that no log may show: Heat's credentials, and inputs that are named so.

        Short ones are left out: a mask over each "yes" of a log would hide what nobody meant.
        """
        return [
            as_text(self.all_inputs[name]) for name in CREDENTIALS if self.all_inputs.get(name)
        ] + [
            value
            for name, value in self.inputs.items()
            if name.lower().endswith(SECRET_NAMES)
            and isinstance(value, str)
            and len(value) >= SECRET_LENGTH
        ]

    def text(self) -> str:
        """The config as text, for tools whose config is a file.

        :raises HookError: when it is a map or a list.
        """
        if self.config is None:
            return ''
        if not isinstance(self.config, str):
            raise HookError(
                f'The config must be a string, not a {json_type(self.config)}.', BAD_DATA
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
            except RecursionError:
                raise HookError('The config is nested too deeply.', BAD_DATA)
        if not config:
            return {}
        if not isinstance(config, dict):
            raise HookError(f'The config must be a map, not a {json_type(config)}.', BAD_DATA)
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
        return encode(f'{self.outputs_path}.{name}')


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


def _mapping(value: 'Any') -> 'dict[str, Any]':
    return value if isinstance(value, dict) else {}


def _named(value: 'Any') -> 'Iterable[dict[str, Any]]':
    """Those of a list's items that have a name."""
    return [
        item
        for item in (value if isinstance(value, list) else [])
        if isinstance(item, dict) and item.get('name')
    ]


def _name(item: 'dict[str, Any]', what: str) -> str:
    if isinstance(item['name'], (dict, list)):
        raise HookError(
            f'The name of an {what} must be a string, not a {json_type(item["name"])}.', BAD_DATA
        )
    return str(item['name'])


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
    except RecursionError:
        raise HookError('The deployment on stdin is nested too deeply.', BAD_DATA)
