"""Workflows that are cancelled, and waiting for it."""

import threading
from datetime import timedelta
from typing import Any

import attrs
import pytest

import perdure
from perdure.context import BRANCH

from .support import (
    HOUR,
    NO_LINGER,
    result_of,
    until,
)

GO: perdure.Topic[str] = perdure.Topic("go", str)
STAGE: perdure.Event[str] = perdure.Event("stage", str)
COLOURS = pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
LINGERS = pytest.mark.parametrize("linger", [NO_LINGER, HOUR], ids=["outside", "inside"])
QUICK = {"lease": timedelta(seconds=1.5), "heartbeat": timedelta(seconds=0.2)}


@attrs.define
class Trail:
    """What the code of a workflow has gone through, in order."""

    seen: list[str] = attrs.field(factory=list[str])
    lock: threading.Lock = attrs.field(factory=threading.Lock)

    def mark(self, what: str) -> None:
        with self.lock:
            self.seen.append(what)


@perdure.step(name="cancellation.clean")
def clean(what: str) -> str:
    return what


@perdure.workflow(name="cancellation.waiter")
def waiter() -> str:
    STAGE.set("waiting")
    return perdure.receive(GO)


@perdure.workflow(name="cancellation.awaiter")
async def awaiter() -> str:
    STAGE.set("waiting")
    return await perdure.areceive(GO)


WAITERS = pytest.mark.parametrize("workflow", [waiter, awaiter], ids=["sync", "async"])


def started(engine: perdure.Engine, workflow: Any, **options: Any) -> perdure.Handle[Any]:
    """Start a workflow of either colour."""
    return engine.start(workflow, **options)


def await_request() -> None:
    """In a step: wait until its worker knows that the workflow is asked to cancel."""
    branch = BRANCH.get()
    assert branch is not None
    until(lambda: branch.attempt.cancellation.reason is not None)


def await_cancelled(handle: perdure.Handle[Any]) -> perdure.WorkflowRecord:
    """Wait until it has ended so."""
    with pytest.raises(perdure.WorkflowCancelled):
        result_of(handle)
    record = handle.record()
    assert record.status is perdure.Status.CANCELLED
    return record
