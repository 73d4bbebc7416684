# SPDX-License-Identifier: Apache-2.0
"""The command line of ./try-template.sh."""

import argparse
import os
import pathlib

from heat_software_config import version

#: Where a cloud is kept for --update, --delete and the like.
KEPT = os.path.join(
    os.environ.get('XDG_STATE_HOME') or os.path.expanduser('~/.local/state'), 'localheat', 'kept'
)
CACHE = os.path.join(
    os.environ.get('XDG_CACHE_HOME') or os.path.expanduser('~/.cache'), 'localheat'
)

USAGE = """\
%(prog)s [OPTION]... TEMPLATE
       %(prog)s --check [OPTION]... TEMPLATE...
       %(prog)s --update [OPTION]... [TEMPLATE]
       %(prog)s --delete | --suspend | --resume | --console SERVER | --shell SERVER
       %(prog)s start | stop | env | status | run ...
"""

EPILOG = """
services by hand, each with a --help of its own:
  start DIR                 start a cloud, or continue one; its state is the folder DIR
  stop DIR                  stop its services and servers
  env DIR                   print the variables that OpenStack's clients need
  status DIR                tell which services run
  run -- COMMAND            run a command with a cloud that lives as long

environment:
  LOCALHEAT_VENV            the virtual environment with Keystone, Heat and the others, made at the
                            first run; default: ~/.cache/localheat/venv
  HEAT_IMAGE_INSTALL=0      name missing system packages instead of installing them
  TMPDIR                    where a cloud lives that is not kept
  and those of ./build-heat-image.sh, when it builds an image

exit codes: 0 the stack is complete, nothing will fail; 1 it failed, was refused, or a check found
what will fail; 2 wrong usage; 130, 143 interrupted. Nothing is left behind, unless with --keep.

examples:
  %(prog)s example-templates/example-script-template.yaml
  %(prog)s --check example-templates/*.yaml
  %(prog)s --keep -P image=debian my-template.yaml -e my-environment.yaml
"""


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(
        prog=os.environ.get('LOCALHEAT_PROGRAM') or 'python -m localheat',
        usage=USAGE,
        description='Try a Heat template on this machine, without a cloud: real Keystone, Heat and '
        'servers with the agent, from the unmodified template to its outputs.',
        epilog=EPILOG % {'prog': os.environ.get('LOCALHEAT_PROGRAM') or 'python -m localheat'},
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    version.add_option(options)
    options.add_argument('templates', nargs='*', metavar='TEMPLATE', help='file of a template')
    options.add_argument(
        '-e',
        '--environment',
        action='append',
        default=[],
        metavar='FILE',
        help='an environment, as for "openstack stack create"; repeatable',
    )
    options.add_argument(
        '-P',
        '--parameter',
        action='append',
        default=[],
        metavar='NAME=VALUE',
        help="a parameter's value; images, flavors, keys, networks and the like get one by "
        'themselves; repeatable',
    )
    image = options.add_mutually_exclusive_group()
    image.add_argument(
        '--image',
        metavar='FILE',
        type=pathlib.Path,
        help='the image of all servers, qcow2 or raw (default: built with the hooks that the '
        'template needs, once)',
    )
    image.add_argument(
        '--hook',
        action='append',
        default=[],
        metavar='NAME',
        help='build the image with this hook besides; repeatable',
    )
    options.add_argument(
        '--boot',
        action='store_true',
        help="boot servers in QEMU, which takes minutes without KVM (default: run the image's "
        'agent in a chroot, where root may and the template allows it)',
    )
    options.add_argument(
        '--timeout',
        type=minutes,
        default=60,
        metavar='MINUTES',
        help="the stack's (default: %(default)s)",
    )
    options.add_argument(
        '--keep', action='store_true', help='leave the stack running, and say how to use it'
    )
    actions = options.add_argument_group(
        'instead of creating a stack'
    ).add_mutually_exclusive_group()
    actions.add_argument(
        '--check',
        action='store_true',
        help='only look for what is wrong with the templates, in seconds',
    )
    for name, text in (
        ('update', 'update the kept stack, from the same template or another one'),
        ('delete', 'delete the kept stack, and end what was kept for it'),
        ('suspend', 'suspend the kept stack'),
        ('resume', 'resume the kept stack'),
    ):
        actions.add_argument('--' + name, action='store_true', help=text)
    actions.add_argument('--console', metavar='SERVER', help="print a server's console")
    actions.add_argument('--shell', metavar='SERVER', help='open a root shell in a server')
    options.add_argument(
        '--format',
        choices=('text', 'json'),
        default='text',
        help='of what --check prints (default: %(default)s)',
    )
    options.add_argument(
        '--cloud',
        metavar='DIR',
        default=KEPT,
        help='the folder of the cloud that is kept; one that "start" made can be used, too '
        '(default: %(default)s)',
    )
    options.add_argument(
        '--stack', metavar='NAME', help="the name of the stack (default: by the template's)"
    )
    return options


def minutes(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"'{text}' is no number of minutes")
    return int(text)


def parse(arguments: 'list[str]') -> argparse.Namespace:
    """Return the options; ends the program where they do not go together."""
    program = parser()
    # templates may stand between options
    options = program.parse_intermixed_args(arguments)
    options.kept_action = next(
        (
            name
            for name in ('update', 'delete', 'suspend', 'resume', 'console', 'shell')
            if getattr(options, name)
        ),
        None,
    )
    count = len(options.templates)
    if options.kept_action is None and count == 0:
        program.error('name a template, or see --help')
    if not options.check and count > 1:
        program.error('only --check takes several templates')
    if count and options.kept_action not in (None, 'update'):
        program.error(f'--{options.kept_action} takes no template')
    if options.format == 'json' and not options.check:
        program.error('--format is for --check')
    return options
