"""An end for a test that has none: it fails, so that the others have their say."""

import signal
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType

import pytest

LONGEST = 300
"""Seconds; on a machine of its own every test is done in a small part of them."""


@contextmanager
def limited(seconds: float) -> Generator[None, None, None]:
    """Fail what the main thread does in the block when it takes longer; 0 waits for ever."""
    if not hasattr(signal, "setitimer"):
        yield
        return

    def too_long(_signal: int, _frame: FrameType | None) -> None:
        pytest.fail(f"it did not end within {seconds:g} seconds")

    before = signal.signal(signal.SIGALRM, too_long)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
