"""Asking a database in trouble until it answers, as an engine does."""

import time
from collections.abc import Callable
from typing import TypeVar

from perdure.errors import BackendUnavailable

T = TypeVar("T")

LONGEST = 30.0
"""Seconds after which a database is given up."""


def repeated(call: Callable[[], T]) -> T:
    """What a call that is safe to repeat answers in the end."""
    deadline = time.monotonic() + LONGEST
    while True:
        try:
            return call()
        except BackendUnavailable:
            if time.monotonic() > deadline:
                raise
