"""A request to cancel reaches a workflow in every state, from wherever it comes."""

import asyncio
import threading
from collections import Counter
from datetime import timedelta
from typing import Any

import attrs
import pytest

import perdure

from .cancelled import (
    COLOURS,
    STAGE,
    WAITERS,
    Trail,
    await_cancelled,
    await_request,
    awaiter,
    clean,
    started,
    waiter,
)
from .support import (
    HOUR,
    NO_LINGER,
    WITHIN,
    Door,
    Memory,
    await_waiting,
    engine_of,
    ran,
    result_of,
    serving,
    until,
)


@pytest.mark.parametrize("delay", [None, HOUR], ids=["enqueued", "delayed"])
def test_who_never_ran_is_cancelled_at_once_without_any_worker(
    memory: Memory, delay: timedelta | None
) -> None:
    with engine_of(memory.url, waiter) as engine:
        handle = engine.start(waiter, delay=delay)
        handle.cancel("no need")
        record = await_cancelled(handle)
        assert (record.epoch, record.cancel_reason) == (0, "no need")
        with engine.worker():
            until(lambda: not list(engine.find(status=perdure.Status.ENQUEUED)))
        assert handle.steps() == []


@WAITERS
def test_one_that_waits_outside_memory_unwinds_in_a_worker(memory: Memory, workflow: Any) -> None:
    with engine_of(memory.url, workflow, linger=NO_LINGER) as engine, engine.worker():
        handle = started(engine, workflow)
        await_waiting(handle)
        handle.cancel("enough")
        record = await_cancelled(handle)
        assert record.epoch == 2
        assert [step.kind for step in handle.steps()] == ["event", "cancelled"]


@WAITERS
def test_one_that_waits_in_memory_is_told_there(memory: Memory, workflow: Any) -> None:
    with engine_of(memory.url, workflow, linger=HOUR) as engine, engine.worker():
        handle = started(engine, workflow)
        handle.event(STAGE, timeout=WITHIN)
        handle.cancel("enough")
        assert await_cancelled(handle).epoch == 1


@WAITERS
def test_one_that_is_back_in_the_queue_unwinds_when_it_is_taken(
    memory: Memory, workflow: Any
) -> None:
    with engine_of(memory.url, workflow, linger=HOUR) as engine:
        with engine.worker():
            handle = started(engine, workflow)
            handle.event(STAGE, timeout=WITHIN)
        assert handle.status() is perdure.Status.ENQUEUED
        handle.cancel("enough")
        assert handle.status() is perdure.Status.ENQUEUED
        with engine.worker():
            assert await_cancelled(handle).epoch == 2


@COLOURS
def test_in_a_sync_step_the_request_waits_for_the_steps_end(
    memory: Memory, *, is_async: bool
) -> None:
    door, bodies = Door(), Counter[str]()

    @perdure.step
    def hold() -> None:
        door.pass_through()
        await_request()
        bodies["held"] += 1

    @perdure.step
    def then() -> None:
        bodies["then"] += 1

    @perdure.workflow
    def outer() -> None:
        hold()
        then()

    @perdure.workflow
    async def aouter() -> None:
        await hold.acall()
        await then.acall()

    workflow: Any = aouter if is_async else outer
    with engine_of(memory.url, workflow) as engine, engine.worker():
        handle = started(engine, workflow)
        door.await_somebody()
        handle.cancel("enough")
        if not is_async:
            door.opened.set()
        record = await_cancelled(handle)
        door.opened.set()
        assert record.cancel_reason == "enough"
    until(lambda: bodies == {"held": 1})


def test_a_sync_workflow_keeps_the_record_of_the_step_that_it_was_in(memory: Memory) -> None:
    door = Door()

    @perdure.step(name="hold")
    def hold() -> None:
        door.pass_through()
        await_request()

    @perdure.workflow
    def outer() -> None:
        hold()
        clean("not any more")

    with serving(memory.url, outer) as engine:
        handle = engine.start(outer)
        door.await_somebody()
        handle.cancel("enough")
        door.opened.set()
        await_cancelled(handle)
        assert [step.name for step in handle.steps()] == ["hold", "cancelled"]


def test_an_async_step_is_cancelled_at_once(memory: Memory) -> None:
    trail, reached = Trail(), threading.Event()

    @perdure.step
    async def hold() -> None:
        reached.set()
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            trail.mark("the body is cancelled")
            raise

    @perdure.workflow
    async def outer() -> None:
        await hold()

    with serving(memory.url, outer) as engine:
        handle = engine.start(outer)
        assert reached.wait(WITHIN.total_seconds())
        handle.cancel("enough")
        await_cancelled(handle)
        assert trail.seen == ["the body is cancelled"]
        assert [step.kind for step in handle.steps()] == ["cancelled"]


def test_a_submitted_step_that_would_be_tried_again_is_not_waited_for(memory: Memory) -> None:
    door = Door()

    @perdure.step(retries=perdure.Retry(3, delay=timedelta(milliseconds=10)))
    def flaky() -> None:
        door.pass_through()
        await_request()
        raise OSError

    @perdure.workflow
    def outer() -> None:
        flaky.submit().result()

    with engine_of(memory.url, outer, linger=HOUR) as engine, engine.worker():
        handle = engine.start(outer)
        door.await_somebody()
        handle.cancel("enough")
        door.opened.set()
        await_cancelled(handle)


def test_one_that_is_parked_is_cancelled_at_once(memory: Memory) -> None:
    with engine_of(memory.url, waiter) as engine:
        handle = engine.start(waiter)
        record = memory.store.workflows[handle.id]
        memory.store.workflows[handle.id] = attrs.evolve(
            record, status=perdure.Status.PARKED, epoch=3, error_message="for a test"
        )
        handle.cancel("no hope")
        assert await_cancelled(handle).cancel_reason == "no hope"


def test_one_that_has_ended_stays_as_it_is(memory: Memory) -> None:
    @perdure.workflow
    def quick() -> str:
        return "done"

    with serving(memory.url, quick, waiter) as engine:
        handle = engine.start(quick)
        result_of(handle)
        with pytest.raises(perdure.WorkflowFinished, match="success"):
            handle.cancel("too late")
        assert result_of(handle) == "done"


def test_an_unknown_one_cannot_be_cancelled(memory: Memory) -> None:
    with engine_of(memory.url, waiter) as engine, pytest.raises(perdure.WorkflowNotFound):
        engine.handle("nobody").cancel()


def test_a_second_request_changes_nothing(memory: Memory) -> None:
    with engine_of(memory.url, waiter, linger=NO_LINGER) as engine:
        with engine.worker():
            handle = engine.start(waiter)
            await_waiting(handle)
        handle.cancel("first")
        handle.cancel("second")
        with engine.worker():
            assert await_cancelled(handle).cancel_reason == "first"
        handle.cancel("third")  # nothing happens to one that is cancelled
        assert handle.record().cancel_reason == "first"


def test_the_reason_arrives_with_who_waits_for_the_result(memory: Memory) -> None:
    with serving(memory.url, waiter) as engine:
        handle = engine.start(waiter, id="w")
        handle.cancel("the customer left")
        with pytest.raises(perdure.WorkflowCancelled, match="w was cancelled: the customer left"):
            result_of(handle)


def test_a_request_may_have_no_reason(memory: Memory) -> None:
    with engine_of(memory.url, waiter, linger=NO_LINGER) as engine, engine.worker():
        handle = engine.start(waiter, id="w")
        await_waiting(handle)
        handle.cancel()
        with pytest.raises(perdure.WorkflowCancelled, match=r"^w was cancelled$"):
            result_of(handle)


def test_async_code_cancels_the_same(memory: Memory) -> None:
    async def main(handle: perdure.Handle[str]) -> str:
        await handle.acancel("enough")
        try:
            return await handle.aresult(timeout=WITHIN)
        except perdure.WorkflowCancelled as error:
            return error.reason

    with serving(memory.url, waiter) as engine:
        assert asyncio.run(main(engine.start(waiter))) == "enough"


def test_a_workflow_that_finishes_in_time_has_finished(memory: Memory) -> None:
    door = Door()

    @perdure.step
    def hold() -> str:
        door.pass_through()
        return "done"

    @perdure.workflow
    def outer() -> str:
        return hold()

    with serving(memory.url, outer) as engine:
        handle = engine.start(outer)
        door.await_somebody()
        handle.cancel("enough")
        door.opened.set()
        assert result_of(handle) == "done"


@COLOURS
def test_a_workflow_may_cancel_another(memory: Memory, *, is_async: bool) -> None:
    with engine_of(memory.url, waiter, linger=NO_LINGER) as engine, engine.worker():
        target = engine.start(waiter)
        await_waiting(target)

        @perdure.workflow
        def outer() -> None:
            target.cancel("from a workflow")

        @perdure.workflow
        async def aouter() -> None:
            await target.acancel("from a workflow")

        workflow: Any = aouter if is_async else outer
        ran(memory.url, workflow.bind())
        assert await_cancelled(target).cancel_reason == "from a workflow"


@COLOURS
def test_in_a_workflow_who_cannot_be_cancelled_is_a_named_error(
    memory: Memory, *, is_async: bool
) -> None:
    with engine_of(memory.url) as engine:
        nobody = engine.handle("nobody")

        @perdure.workflow
        def outer() -> None:
            nobody.cancel()

        @perdure.workflow
        async def aouter() -> None:
            await nobody.acancel()

        workflow: Any = aouter if is_async else outer
        with pytest.raises(perdure.WorkflowNotFound):
            ran(memory.url, workflow.bind())


# ------------------------------------------------------------------ elsewhere


@COLOURS
def test_it_is_cancelled_from_another_process_on_postgresql(
    postgres_url: str, *, is_async: bool
) -> None:
    workflow: Any = awaiter if is_async else waiter
    with engine_of(postgres_url, workflow, linger=HOUR) as engine, engine.worker():
        handle = started(engine, workflow)
        handle.event(STAGE, timeout=WITHIN)
        with engine_of(postgres_url) as other:
            other.handle(handle.id).cancel("from elsewhere")
        assert await_cancelled(handle).cancel_reason == "from elsewhere"
