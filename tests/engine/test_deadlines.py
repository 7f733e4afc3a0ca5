"""Who is cancelled without being asked for: children, and whoever outlives its deadline."""

from datetime import timedelta
from typing import Any

import pytest

import perdure

from .cancelled import (
    COLOURS,
    GO,
    LINGERS,
    STAGE,
    WAITERS,
    await_cancelled,
    started,
    waiter,
)
from .support import (
    HOUR,
    NO_LINGER,
    WITHIN,
    Memory,
    await_waiting,
    engine_of,
    ran,
    result_of,
    serving,
    until,
)

# ------------------------------------------------------------------- children


@COLOURS
@LINGERS
def test_children_are_cancelled_with_their_parent_and_detached_ones_are_not(
    memory: Memory, *, is_async: bool, linger: timedelta
) -> None:
    @perdure.workflow
    def outer() -> str:
        perdure.start_children([waiter.bind(), waiter.bind()])
        perdure.start_child(waiter, detach=True)
        return perdure.receive(GO)

    @perdure.workflow
    async def aouter() -> str:
        await perdure.astart_children([waiter.bind(), waiter.bind()])
        await perdure.astart_child(waiter, detach=True)
        return await perdure.areceive(GO)

    workflow: Any = aouter if is_async else outer
    with engine_of(memory.url, workflow, waiter, linger=linger) as engine, engine.worker():
        parent = started(engine, workflow, id="w")
        children = [engine.handle(one, waiter) for one in ("w/1", "w/1.1", "w/2")]
        until(lambda: len(parent.steps()) == 2)
        for child in children:
            child.event(STAGE, timeout=WITHIN)
        parent.cancel("enough")
        await_cancelled(parent)
        assert [await_cancelled(child).cancel_reason for child in children[:2]] == ["enough"] * 2
        children[2].send(GO, "on")
        assert result_of(children[2]) == "on"


def test_grandchildren_are_cancelled_too(memory: Memory) -> None:
    @perdure.workflow(name="depth")
    def depth(left: int) -> str:
        return perdure.receive(GO) if left == 0 else depth(left - 1)

    with engine_of(memory.url, depth, linger=NO_LINGER) as engine, engine.worker():
        top = engine.start(depth, 3, id="w")
        bottom = engine.handle("w/1/1/1")
        until(lambda: len(list(engine.find(status=perdure.Status.WAITING))) == 4)
        top.cancel("enough")
        await_cancelled(top)
        await_cancelled(bottom)


def test_the_parent_has_not_ended_before_its_children_are_asked(memory: Memory) -> None:
    @perdure.workflow
    def outer() -> str:
        perdure.start_children([waiter.bind()] * 20)
        return perdure.receive(GO)

    with engine_of(memory.url, outer, linger=NO_LINGER) as engine, engine.worker():
        parent = engine.start(outer)
        await_waiting(parent)
        parent.cancel("enough")
        await_cancelled(parent)
        found = list(engine.find(parent=parent.id))
        assert {one.status for one in found} == {perdure.Status.CANCELLED}


# ------------------------------------------------------------------ deadlines


def test_a_timeout_counts_from_the_first_claim(memory: Memory) -> None:
    with engine_of(memory.url, waiter, linger=NO_LINGER) as engine:
        handle = engine.start(waiter, timeout=HOUR)
        assert handle.record().deadline is None
        memory.forward(2 * HOUR)
        with engine.worker():
            await_waiting(handle)
            record = handle.record()
        assert record.deadline is not None
        assert record.started_at is not None
        assert record.deadline - record.started_at == HOUR


@WAITERS
def test_who_outlives_its_timeout_is_cancelled(memory: Memory, workflow: Any) -> None:
    with engine_of(memory.url, workflow, linger=NO_LINGER) as engine:
        with engine.worker():
            handle = started(engine, workflow, timeout=HOUR)
            await_waiting(handle)
        memory.forward(HOUR)
        with engine.worker():
            assert "deadline" in (await_cancelled(handle).cancel_reason or "")


@WAITERS
@pytest.mark.parametrize("linger", [NO_LINGER, HOUR], ids=["outside", "inside"])
def test_a_timeout_strikes_without_anybodys_help(
    memory: Memory, workflow: Any, linger: timedelta
) -> None:
    with engine_of(memory.url, workflow, linger=linger) as engine, engine.worker():
        handle = started(engine, workflow, timeout=timedelta(milliseconds=100))
        await_cancelled(handle)


@pytest.mark.parametrize("delay", [None, 2 * HOUR], ids=["enqueued", "delayed"])
def test_a_deadline_strikes_who_never_ran_though_nobody_serves_it(
    memory: Memory, delay: timedelta | None
) -> None:
    @perdure.workflow
    def other() -> None: ...

    with engine_of(memory.url, waiter) as engine:
        handle = engine.start(waiter, deadline=perdure.now() + HOUR, delay=delay)
        memory.forward(HOUR)
        with serving(memory.url, other):
            assert await_cancelled(handle).epoch == 0


def test_the_earlier_of_timeout_and_deadline_counts(memory: Memory) -> None:
    now = perdure.now()
    with engine_of(memory.url, waiter, linger=NO_LINGER) as engine, engine.worker():
        early = engine.start(waiter, timeout=2 * HOUR, deadline=now + HOUR)
        late = engine.start(waiter, timeout=HOUR, deadline=now + 2 * HOUR)
        await_waiting(early, late)
        first, second = early.record().deadline, late.record().deadline
        assert first == now + HOUR
        assert second is not None
        assert now + HOUR <= second < now + 2 * HOUR


def test_a_child_ends_at_its_parents_deadline(memory: Memory) -> None:
    @perdure.workflow
    def outer() -> str:
        return waiter()

    with engine_of(memory.url, outer, waiter, linger=NO_LINGER) as engine:
        with engine.worker():
            parent = engine.start(outer, id="w", timeout=HOUR)
            child = engine.handle("w/1")
            until(lambda: len(list(engine.find(status=perdure.Status.WAITING))) == 2)
        memory.forward(HOUR)
        with engine.worker():
            await_cancelled(parent)
            await_cancelled(child)


def test_the_workflow_knows_its_deadline(memory: Memory) -> None:
    @perdure.workflow
    def outer() -> bool:
        deadline = perdure.current_workflow().deadline
        return deadline is not None and deadline > perdure.now()

    assert ran(memory.url, outer.bind().options(timeout=HOUR))


@pytest.mark.parametrize(
    "options",
    [
        {"timeout": timedelta(0)},
        {"timeout": -HOUR},
        {"deadline": perdure.now().replace(tzinfo=None)},
    ],
)
def test_a_timeout_or_deadline_without_sense_is_refused(
    memory: Memory, options: dict[str, Any]
) -> None:
    with engine_of(memory.url, waiter) as engine, pytest.raises(perdure.UsageError):
        engine.start(waiter, **options)
