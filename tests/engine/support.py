"""Waiting for conditions, and engines whose workers serve a few workflows."""

import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

import attrs

import perdure

T = TypeVar("T")

WITHIN = timedelta(seconds=20)
"""How long anything may take before it counts as hanging."""


def until(true: Callable[[], object], seconds: float = 10.0) -> None:
    """Wait for a condition; fail if it does not come true."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.005)


@contextmanager
def at_once(seconds: float = 10.0) -> Generator[None, None, None]:
    """What is inside waits neither for a grace nor for a sleep."""
    begun = time.monotonic()
    yield
    assert time.monotonic() - begun < seconds


def engine_of(url: str, *workflows: perdure.Workflow[..., Any], **options: Any) -> perdure.Engine:
    """An engine that knows these workflows only."""
    return perdure.Engine(url, workflows=workflows, migrate=True, **options)


@contextmanager
def serving(
    url: str, *workflows: perdure.Workflow[..., Any], **options: Any
) -> Generator[perdure.Engine, None, None]:
    """An open engine, and a worker of its that serves these workflows."""
    with engine_of(url, *workflows) as engine, engine.worker(**options):
        yield engine


def result_of(handle: perdure.Handle[T]) -> T:
    """Its result; a workflow that does not end is a failure, whatever error a test expects."""
    try:
        return handle.result(timeout=WITHIN)
    except perdure.WaitTimeout as error:
        raise AssertionError(str(error)) from error


def ran(url: str, call: perdure.Call[T], **options: Any) -> T:
    """What a workflow returns; raises what it raises."""
    with engine_of(url) as engine:
        # The call brings its definition along, and the worker has to know it as well.
        workflow: perdure.Workflow[..., Any] = perdure.Workflow(call.definition)
        with serving(url, workflow, **options):
            return result_of(engine.start(call))


@attrs.define
class Door:
    """Holds up whoever goes through it until it is opened, and tells that somebody is there."""

    reached: threading.Event = attrs.field(factory=threading.Event)
    opened: threading.Event = attrs.field(factory=threading.Event)

    def pass_through(self) -> None:
        """Wait here until the door is open."""
        self.reached.set()
        assert self.opened.wait(WITHIN.total_seconds())

    def await_somebody(self) -> None:
        """Wait until somebody stands in the door."""
        assert self.reached.wait(WITHIN.total_seconds())


AT_ONCE = timedelta(0)
"""The grace of a worker that is to stop in the middle of a step."""
