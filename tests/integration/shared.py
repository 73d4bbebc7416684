# SPDX-License-Identifier: Apache-2.0
"""The cloud that the tests share, and the image that its servers boot."""

import atexit
import contextlib
import functools
import os
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any, Optional, TypeVar

from localheat.cli import CACHE
from localheat.services import Cloud

# The folder of a cloud that runs already, for the processes of one test run.
VARIABLE = 'LOCALHEAT_TEST_CLOUD'
IMAGE = 'heat-agent'

T = TypeVar('T')


def image() -> str:
    """Return the path in HEAT_IMAGE, empty when there is none."""
    return os.environ.get('HEAT_IMAGE', '')


@contextlib.contextmanager
def new_cloud(images: Optional[dict[str, str]] = None, **options: Any) -> Iterator[Cloud]:
    """Start a cloud; leave nothing of it behind.

    :param images: their paths by name, the image that the tests share by default
    :param options: for Cloud.create
    """
    images = {IMAGE: image()} if images is None else images
    with tempfile.TemporaryDirectory(prefix='localheat-') as directory:
        with Cloud.create(directory, images, CACHE, **options) as cloud:
            yield cloud


def until_exit(context: 'AbstractContextManager[T]') -> T:
    """Enter a context that is left when this process ends.

    What is registered last is left first: a context that itself registers something as it is
    entered, such as the removal of a temporary folder, must be registered after that.
    """
    stack = contextlib.ExitStack()
    entered = stack.enter_context(context)
    atexit.register(stack.close)
    return entered


@functools.cache
def cloud() -> Cloud:
    """Return the cloud of this test run."""
    directory = os.environ.get(VARIABLE)
    if directory:
        return Cloud(directory)
    return until_exit(new_cloud())
