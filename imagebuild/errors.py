# SPDX-License-Identifier: Apache-2.0
"""The one exception that ends a command."""


class Refusal(Exception):
    """The command cannot go on. The text says what is wrong and what to do about it."""
