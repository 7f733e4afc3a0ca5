"""What undoes a workflow: it runs when the workflow fails, the newest first, and once."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import attrs
import pytest

import perdure

from .support import (
    AT_ONCE,
    HOUR,
    NO_LINGER,
    Door,
    Memory,
    await_status,
    await_waiting,
    engine_of,
    result_of,
    until,
)

GO: perdure.Topic[str] = perdure.Topic("go", str)
COLOURS = pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
NOW = timedelta(0)


class Rejected(Exception):
    """What the workflow fails with."""


class Undo:
    """What undoes, and what it was called with."""

    def __init__(self, fails: Callable[[str, int], bool] = lambda _, __: False) -> None:
        self.seen = seen = list[str]()
        self.bodies = bodies = Counter[str]()
        self.door = door = Door()

        def work(what: str) -> None:
            bodies[what] += 1
            if fails(what, bodies[what]):
                raise OSError(f"cannot undo {what}")
            if what == "hold" and bodies[what] == 1:
                door.pass_through()
            seen.append(what)

        @perdure.step(name="undo", retries=perdure.Retry(3, delay=NOW))
        def undo(what: str) -> None:
            work(what)

        @perdure.step(name="aundo", retries=perdure.Retry(3, delay=NOW))
        async def aundo(what: str) -> None:
            work(what)

        self.undo, self.aundo = undo, aundo


def undone(undo: Undo, *labels: str, is_async: bool, after: Callable[[], Any]) -> Any:
    """A workflow that is to be undone by these, and what it does after it said so."""

    @perdure.workflow(name="outer")
    def outer() -> Any:
        for label in labels:
            perdure.compensate(undo.undo, label)
        return after()

    @perdure.workflow(name="outer")
    async def aouter() -> Any:
        for label in labels:
            perdure.compensate(undo.aundo, label)
        return await after()

    return aouter if is_async else outer


def reject() -> None:
    """Fail."""
    raise Rejected("no")


async def areject() -> None:
    """Fail."""
    raise Rejected("no")


def failing(undo: Undo, *labels: str, is_async: bool) -> Any:
    """A workflow that fails."""
    return undone(undo, *labels, is_async=is_async, after=areject if is_async else reject)


def waiting(undo: Undo, *labels: str, is_async: bool) -> Any:
    """A workflow that waits for a message, and returns it."""

    def receive() -> Any:
        return perdure.areceive(GO) if is_async else perdure.receive(GO)

    return undone(undo, *labels, is_async=is_async, after=receive)


@COLOURS
def test_what_was_done_is_undone_after_a_failure_the_newest_first(
    memory: Memory, *, is_async: bool
) -> None:
    undo = Undo()
    workflow = failing(undo, "a", "b", "c", is_async=is_async)
    with engine_of(memory.url, workflow) as engine, engine.worker():
        handle: perdure.Handle[Any] = engine.start(workflow)
        with pytest.raises(Rejected, match="no"):
            result_of(handle)
        assert handle.status() is perdure.Status.ERROR
        assert [step.name for step in handle.steps()] == ["aundo" if is_async else "undo"] * 3
    assert undo.seen == ["c", "b", "a"]


@COLOURS
def test_a_workflow_that_succeeds_undoes_nothing(memory: Memory, *, is_async: bool) -> None:
    undo = Undo()
    workflow = waiting(undo, "a", is_async=is_async)
    with engine_of(memory.url, workflow) as engine, engine.worker():
        handle: perdure.Handle[Any] = engine.start(workflow)
        handle.send(GO, "done")
        assert result_of(handle) == "done"
    assert undo.seen == []


@COLOURS
@pytest.mark.parametrize("linger", [NO_LINGER, HOUR], ids=["outside", "inside"])
def test_what_was_done_is_undone_after_a_cancellation(
    memory: Memory, *, is_async: bool, linger: timedelta
) -> None:
    undo = Undo()
    workflow = waiting(undo, "a", "b", is_async=is_async)
    with engine_of(memory.url, workflow, linger=linger) as engine, engine.worker():
        handle: perdure.Handle[Any] = engine.start(workflow)
        until(lambda: handle.record().epoch)
        if linger is NO_LINGER:
            await_waiting(handle)
        handle.cancel("enough")
        with pytest.raises(perdure.WorkflowCancelled):
            result_of(handle)
        assert handle.status() is perdure.Status.CANCELLED
    assert undo.seen == ["b", "a"]


@COLOURS
def test_leaving_memory_undoes_nothing(memory: Memory, *, is_async: bool) -> None:
    undo = Undo()
    workflow = waiting(undo, "a", is_async=is_async)
    with engine_of(memory.url, workflow, linger=NO_LINGER) as engine:
        handle: perdure.Handle[Any] = engine.start(workflow)
        for number in (1, 2, 3):
            again = attrs.evolve(memory.store.workflows[handle.id], status=perdure.Status.ENQUEUED)
            memory.store.workflows[handle.id] = attrs.evolve(again, run_at=again.created_at)
            with engine.worker():
                await_epoch(handle, number)
                await_waiting(handle)
        assert undo.seen == []
        handle.send(GO, "done")
        with engine.worker():
            assert result_of(handle) == "done"
    assert undo.seen == []


def await_epoch(handle: perdure.Handle[Any], number: int) -> None:
    """Wait until it has been claimed so often."""
    until(lambda: handle.record().epoch == number)


@COLOURS
def test_undoing_is_tried_again_as_its_step_says(memory: Memory, *, is_async: bool) -> None:
    undo = Undo(fails=lambda what, number: what == "b" and number < 3)
    workflow = failing(undo, "a", "b", is_async=is_async)
    with engine_of(memory.url, workflow) as engine, engine.worker(), pytest.raises(Rejected):
        result_of(engine.start(workflow))
    assert undo.seen == ["b", "a"]
    assert undo.bodies == {"b": 3, "a": 1}


@COLOURS
def test_when_undoing_fails_for_good_the_workflow_is_parked_with_its_error(
    memory: Memory, *, is_async: bool
) -> None:
    undo = Undo(fails=lambda what, _: what == "b")
    workflow = failing(undo, "a", "b", "c", is_async=is_async)
    with engine_of(memory.url, workflow) as engine, engine.worker():
        handle: perdure.Handle[Any] = engine.start(workflow)
        await_status(handle, perdure.Status.PARKED)
        record = handle.record()
        with pytest.raises(perdure.WorkflowParked, match="no"):
            result_of(handle)
    assert record.error_message == "no"
    assert "cannot undo b" in (record.error_json or "")
    assert undo.seen == ["c"]


@COLOURS
def test_what_was_undone_before_a_crash_is_not_undone_again(
    memory: Memory, *, is_async: bool
) -> None:
    undo = Undo()

    async def areject_blocking() -> None:
        raise Rejected("no")

    @perdure.workflow(name="outer")
    def outer() -> None:
        for label in ("a", "hold", "c"):
            perdure.compensate(undo.undo, label)
        reject()

    @perdure.workflow(name="outer")
    async def aouter() -> None:
        for label in ("a", "hold", "c"):
            perdure.compensate(undo.undo, label)
        await areject_blocking()

    workflow: Any = aouter if is_async else outer
    with engine_of(memory.url, workflow) as engine:
        with engine.worker(grace=AT_ONCE):
            handle: perdure.Handle[Any] = engine.start(workflow)
            undo.door.await_somebody()
        before = handle.steps()
        assert len(before) == 1
        undo.door.opened.set()
        with engine.worker(), pytest.raises(Rejected):
            result_of(handle)
        assert handle.steps()[:1] == before
    assert undo.bodies == {"c": 1, "hold": 2, "a": 1}


@COLOURS
def test_after_a_crash_in_the_undoing_of_a_cancelled_one_it_goes_on(
    memory: Memory, *, is_async: bool
) -> None:
    undo = Undo()

    @perdure.workflow(name="outer")
    def outer() -> None:
        for label in ("a", "hold", "c"):
            perdure.compensate(undo.undo, label)
        perdure.receive(GO)

    @perdure.workflow(name="outer")
    async def aouter() -> None:
        for label in ("a", "hold", "c"):
            perdure.compensate(undo.undo, label)
        await perdure.areceive(GO)

    workflow: Any = aouter if is_async else outer
    with engine_of(memory.url, workflow, linger=NO_LINGER) as engine:
        with engine.worker(grace=AT_ONCE):
            handle: perdure.Handle[Any] = engine.start(workflow)
            await_waiting(handle)
            handle.cancel("enough")
            undo.door.await_somebody()
        undo.door.opened.set()
        with engine.worker(), pytest.raises(perdure.WorkflowCancelled, match="enough"):
            result_of(handle)
        assert [step.kind for step in handle.steps()] == ["cancelled", "step", "step", "step"]
    assert undo.bodies == {"c": 1, "hold": 2, "a": 1}


@COLOURS
def test_a_request_to_cancel_does_not_stop_the_undoing(memory: Memory, *, is_async: bool) -> None:
    undo = Undo()
    workflow = failing(undo, "a", "hold", is_async=is_async)
    if is_async:  # an async body would block the loop in the door
        workflow = async_failing_with_sync_undo(undo)
    with engine_of(memory.url, workflow) as engine, engine.worker():
        handle: perdure.Handle[Any] = engine.start(workflow)
        undo.door.await_somebody()
        handle.cancel("enough")
        undo.door.opened.set()
        with pytest.raises((Rejected, perdure.WorkflowCancelled)):
            result_of(handle)
    assert undo.seen == ["hold", "a"]


def async_failing_with_sync_undo(undo: Undo) -> Any:
    """An async workflow whose undoing runs in threads."""

    @perdure.workflow(name="outer")
    async def aouter() -> None:
        perdure.compensate(undo.undo, "a")
        perdure.compensate(undo.undo, "hold")
        await areject()

    return aouter


def test_a_plain_function_undoes_as_a_step(memory: Memory) -> None:
    seen: list[str] = []

    def forget(what: str) -> None:
        seen.append(what)

    @perdure.workflow
    def outer() -> None:
        perdure.compensate(forget, "a")
        reject()

    with engine_of(memory.url, outer) as engine, engine.worker():
        handle = engine.start(outer)
        with pytest.raises(Rejected):
            result_of(handle)
        (step,) = handle.steps()
        assert step.kind == "step"
        assert "forget" in step.name
    assert seen == ["a"]


@COLOURS
def test_an_async_step_may_undo_a_workflow_of_either_colour(
    memory: Memory, *, is_async: bool
) -> None:
    undo = Undo()

    @perdure.workflow(name="outer")
    def outer() -> None:
        perdure.compensate(undo.aundo, "async")
        perdure.compensate(undo.undo, "sync")
        reject()

    @perdure.workflow(name="outer")
    async def aouter() -> None:
        perdure.compensate(undo.aundo, "async")
        perdure.compensate(undo.undo, "sync")
        await areject()

    workflow: Any = aouter if is_async else outer
    with engine_of(memory.url, workflow) as engine, engine.worker(), pytest.raises(Rejected):
        result_of(engine.start(workflow))
    assert undo.seen == ["sync", "async"]


def test_undoing_that_waits_long_for_its_next_try_leaves_memory(memory: Memory) -> None:
    tries: list[int] = []

    @perdure.step(retries=perdure.Retry(3, delay=HOUR, jitter=0))
    def undo() -> None:
        tries.append(perdure.current_step().attempt)
        if len(tries) < 2:
            raise OSError("not yet")

    @perdure.workflow
    def outer() -> None:
        perdure.compensate(undo)
        reject()

    with engine_of(memory.url, outer) as engine:
        with engine.worker():
            handle = engine.start(outer)
            await_waiting(handle)
        memory.forward(HOUR)
        with engine.worker(), pytest.raises(Rejected, match="no"):
            result_of(handle)
    assert tries == [1, 2]
