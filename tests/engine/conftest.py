"""Hypothesis: any number of seconds, and in CI the same examples on every run; a quick database."""

import os

import pytest
from hypothesis import settings

from .support import Memory

settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")


@pytest.fixture
def memory() -> Memory:
    """An empty database of one's own in memory."""
    return Memory.fresh()
