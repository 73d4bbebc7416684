# SPDX-License-Identifier: Apache-2.0
"""A stand-in for any tool that a hook drives: records how it was called, answers as a test says.

tests.sandbox copies this file to ``<sandbox>/bin/<name of the tool>``. It is told what to do by the
environment alone:

FAKE_TOOL_CALLS
    The file to which each call appends one line of JSON: ``tool``, ``argv`` (without the tool's
    own name), ``cwd``, ``env`` and ``stdin``.
FAKE_TOOL_ANSWERS
    JSON: a map from a tool's name to a list of answers. The first call of that tool gets the first
    answer, and so on; the last answer serves all further calls. A tool without answers prints
    nothing and succeeds. The keys of an answer, all optional:

    ``stdout``, ``stderr``
        Text to print. Bytes that are not UTF-8 are written as surrogate escapes: "\\udcff" in
        Python (and JSON) is the byte 0xff.
    ``repeat``
        How often to print both of them; 1 by default. Makes output that no environment can hold.
    ``files``
        A map from path to content, written before anything is printed. ``$NAME`` in a path is
        taken from the tool's environment, ``{0}`` is its first argument.
    ``status``
        The exit status; a negative number N ends the tool by the signal -N.
"""

import fcntl
import json
import os
import sys


def record(call):
    """Append a call to the file of calls; return how often the tool was called before."""
    with open(os.environ['FAKE_TOOL_CALLS'], 'a+', encoding='utf-8') as calls:
        fcntl.flock(calls, fcntl.LOCK_EX)
        calls.seek(0)
        before = sum(json.loads(line)['tool'] == call['tool'] for line in calls)
        calls.write(json.dumps(call) + '\n')
    return before


def answer(wanted, argv):
    """Do what an answer says; return the exit status."""
    for path, content in wanted.get('files', {}).items():
        with open(os.path.expandvars(path).format(*argv), 'w', encoding='utf-8') as written:
            written.write(content)
    for name in ('stdout', 'stderr'):
        chunk = wanted.get(name, '').encode('utf-8', 'surrogateescape')
        stream = getattr(sys, name).buffer
        for _ in range(wanted.get('repeat', 1) if chunk else 0):
            stream.write(chunk)
        stream.flush()
    status = wanted.get('status', 0)
    if status < 0:
        os.kill(os.getpid(), -status)
    return status


def main():
    tool, argv = os.path.basename(sys.argv[0]), sys.argv[1:]
    before = record(
        {
            'tool': tool,
            'argv': argv,
            'cwd': os.getcwd(),
            'env': dict(os.environ),
            'stdin': sys.stdin.buffer.read().decode('utf-8', 'surrogateescape'),
        }
    )
    answers = json.loads(os.environ.get('FAKE_TOOL_ANSWERS', '{}')).get(tool) or [{}]
    return answer(answers[min(before, len(answers) - 1)], argv)


if __name__ == '__main__':
    sys.exit(main())
