"""Waiting for conditions, and engines whose workers serve a few workflows."""

import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Self, TypeVar
from uuid import uuid4

import attrs

import perdure
from perdure.backend import Recovery
from perdure_compat.reference import MemoryBackend
from perdure_compat.reference.store import Store, store_at

T = TypeVar("T")

WITHIN = timedelta(seconds=20)
"""How long anything may take before it counts as hanging."""
HOUR = timedelta(hours=1)
NO_LINGER = timedelta(0)
"""Of an engine whose workflows leave memory as soon as they wait."""


@attrs.frozen
class Memory:
    """A database in memory, whose clock can be set forward; it lasts as long as the test."""

    url: str
    store: Store

    @classmethod
    def fresh(cls) -> Self:
        """An empty one."""
        name = uuid4().hex
        return cls(f"memory://{name}", store_at(name, "perdure"))

    def forward(self, by: timedelta) -> None:
        """Let time pass."""
        before = self.store.clock
        self.store.clock = lambda: before() + by

    def bury(self, worker: perdure.Worker) -> None:
        """Declare a worker dead and return its work, as peers do; it comes back under a new id."""
        before = worker.id
        assert before is not None
        backend = MemoryBackend(self.url)
        backend.leave(before)
        recovery = Recovery(max_strikes=1000, backoff=timedelta(0))
        backend.reap([], margin=timedelta(0), recovery=recovery, limit=1000)
        until(lambda: worker.id not in {before, None})


def until(true: Callable[[], object], seconds: float = 30.0) -> None:
    """Wait for a condition; fail if it does not come true."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.005)


def await_status(handle: perdure.Handle[Any], status: perdure.Status) -> None:
    """Wait until a workflow stands there."""
    until(lambda: handle.status() is status)


def await_waiting(*handles: perdure.Handle[Any]) -> None:
    """Wait until workflows have left memory in a durable wait."""
    for handle in handles:
        await_status(handle, perdure.Status.WAITING)


def await_steps(handle: perdure.Handle[Any], number: int) -> None:
    """Wait until so many are recorded."""
    until(lambda: len(handle.steps()) >= number)


def await_value(handle: perdure.Handle[Any], event: perdure.Event[T], value: T) -> None:
    """Wait until a workflow has published it."""
    until(lambda: handle.event(event, timeout=WITHIN) == value)


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
        if error.after != WITHIN:
            raise  # it is what the workflow itself has raised
        raise AssertionError(str(error)) from error


def ran(url: str, call: perdure.Call[T], *others: perdure.Workflow[..., Any], **options: Any) -> T:
    """What a workflow returns, beside others that are served; raises what it raises."""
    with engine_of(url) as engine:
        # The call brings its definition along, and the worker has to know it as well.
        workflow: perdure.Workflow[..., Any] = perdure.Workflow(call.definition)
        with serving(url, workflow, *others, **options):
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
