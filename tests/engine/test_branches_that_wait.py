"""Branches that wait beside each other: the workflow leaves memory when all of them do."""

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

import perdure

from .support import (
    HOUR,
    NO_LINGER,
    Door,
    Memory,
    await_value,
    await_waiting,
    engine_of,
    result_of,
    until,
)

SOON = timedelta(milliseconds=20)
GO: perdure.Topic[str] = perdure.Topic("go", str)
STAGE: perdure.Event[str] = perdure.Event("stage", str)


def started(engine: perdure.Engine, workflow: Any) -> perdure.Handle[Any]:
    """Start a workflow of either colour."""
    return engine.start(workflow)


async def one(label: str) -> str:
    """A branch that waits twice."""
    await perdure.asleep(SOON)
    return label + await perdure.areceive(perdure.Topic(label, str))


def send_each(handle: perdure.Handle[Any], labels: str) -> None:
    for label in labels:
        handle.send(perdure.Topic(label, str), label.upper())


@perdure.workflow(name="sleeping.grouped")
async def grouped() -> list[str]:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(label)) for label in "abc"]
    return [task.result() for task in tasks]


@perdure.workflow(name="sleeping.gathered")
async def gathered() -> list[str]:
    return list(await asyncio.gather(*(one(label) for label in "abc")))


@perdure.workflow(name="sleeping.nested")
async def nested() -> list[str]:
    async def pair(left: str, right: str) -> list[str]:
        return list(await asyncio.gather(one(left), one(right)))

    (first, second), third = await asyncio.gather(pair("a", "b"), one("c"))
    return [first, second, third]


@perdure.workflow(name="sleeping.tasks")
async def tasks() -> list[str]:
    made = [asyncio.create_task(one(label)) for label in "abc"]
    await perdure.asleep(SOON)
    return [await task for task in made]


@pytest.mark.parametrize(
    "workflow", [grouped, gathered, nested, tasks], ids=lambda workflow: workflow.name
)
@pytest.mark.parametrize("linger", [NO_LINGER, HOUR], ids=["outside", "inside"])
def test_branches_that_all_wait_leave_memory_and_go_on_together(
    memory: Memory, workflow: Any, linger: timedelta
) -> None:
    with engine_of(memory.url, workflow, linger=linger) as engine, engine.worker():
        handle = started(engine, workflow)
        if linger is NO_LINGER:
            until(lambda: [s.kind for s in handle.steps()].count("sleep") >= 3)
            await_waiting(handle)
        send_each(handle, "cab")
        assert result_of(handle) == ["aA", "bB", "cC"]


def test_a_workflow_stays_in_memory_while_a_step_runs_beside_a_wait(memory: Memory) -> None:
    door, bodies = Door(), Counter[str]()

    @perdure.step
    def hold() -> str:
        bodies["hold"] += 1
        door.pass_through()
        return "held"

    @perdure.workflow
    async def outer() -> list[str]:
        return list(await asyncio.gather(perdure.areceive(GO), hold.acall()))

    with engine_of(memory.url, outer, linger=NO_LINGER) as engine, engine.worker():
        handle = engine.start(outer)
        door.await_somebody()
        handle.send(GO, "on")
        until(lambda: [step.kind for step in handle.steps()] == ["receive"])
        door.opened.set()
        assert result_of(handle) == ["on", "held"]
        assert (handle.record().epoch, bodies["hold"]) == (1, 1)


def test_when_the_step_beside_a_wait_has_ended_the_workflow_leaves_memory(memory: Memory) -> None:
    door, bodies = Door(), Counter[str]()

    @perdure.step
    def hold() -> str:
        bodies["hold"] += 1
        door.pass_through()
        return "held"

    @perdure.workflow
    async def outer() -> list[str]:
        return list(await asyncio.gather(perdure.areceive(GO), hold.acall()))

    with engine_of(memory.url, outer, linger=NO_LINGER) as engine, engine.worker():
        handle = engine.start(outer)
        door.await_somebody()
        door.opened.set()
        await_waiting(handle)
        assert [step.kind for step in handle.steps()] == ["step"]
        handle.send(GO, "on")
        assert result_of(handle) == ["on", "held"]
    assert bodies["hold"] == 1


def test_a_step_submitted_before_a_sleep_is_not_lost_to_it(memory: Memory) -> None:
    door, bodies = Door(), Counter[str]()

    @perdure.step
    def hold() -> str:
        bodies["hold"] += 1
        door.pass_through()
        return "held"

    @perdure.workflow
    def outer() -> list[str]:
        future = hold.submit()
        return [perdure.receive(GO), future.result()]

    with engine_of(memory.url, outer, linger=NO_LINGER) as engine, engine.worker():
        handle = engine.start(outer)
        door.await_somebody()
        door.opened.set()
        await_waiting(handle)
        assert [step.kind for step in handle.steps()] == ["step"]
        handle.send(GO, "on")
        assert result_of(handle) == ["on", "held"]
    assert bodies["hold"] == 1


def test_the_first_branch_that_comes_back_is_seen_by_who_waits_for_any(memory: Memory) -> None:
    @perdure.workflow
    async def outer() -> str:
        letter = asyncio.create_task(perdure.areceive(GO))
        nap = asyncio.create_task(perdure.asleep(HOUR))
        done, pending = await asyncio.wait([letter, nap], return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        await perdure.asleep(SOON)
        return f"{letter.result()} {done == {letter}}"

    with engine_of(memory.url, outer, linger=NO_LINGER) as engine, engine.worker():
        handle = engine.start(outer)
        await_waiting(handle)
        handle.send(GO, "on")
        assert result_of(handle) == "on True"


@pytest.mark.parametrize("depth", range(4))
def test_an_error_in_a_branch_reaches_the_workflow_before_it_leaves_memory(
    memory: Memory, depth: int
) -> None:
    @perdure.step
    async def fail() -> None:
        raise ZeroDivisionError

    async def branch() -> None:
        await perdure.asleep(SOON)
        await fail()

    @perdure.workflow
    async def outer() -> None:
        inner: asyncio.Future[Any] = asyncio.ensure_future(branch())
        for _ in range(depth):
            inner = asyncio.gather(inner)
        await asyncio.gather(inner, perdure.asleep(HOUR))

    with (
        engine_of(memory.url, outer, linger=NO_LINGER) as engine,
        engine.worker(),
        pytest.raises(ZeroDivisionError),
    ):
        result_of(engine.start(outer))


def test_branches_are_seen_as_they_come_back(memory: Memory) -> None:
    async def branch(label: str) -> str:
        return await perdure.areceive(perdure.Topic(label, str))

    @perdure.workflow
    async def outer() -> list[str]:
        seen: list[str] = []
        tasks = [asyncio.create_task(branch(label)) for label in "abc"]
        for task in asyncio.as_completed(tasks):
            seen.append(await task)
            STAGE.set(seen[-1])
        return seen

    with engine_of(memory.url, outer, linger=NO_LINGER) as engine, engine.worker():
        handle = engine.start(outer)
        for label in "bca":
            await_waiting(handle)
            handle.send(perdure.Topic(label, str), label)
            await_value(handle, STAGE, label)
        assert sorted(result_of(handle)) == ["a", "b", "c"]


def test_a_timeout_of_asyncios_around_a_wait_in_memory_strikes(memory: Memory) -> None:
    @perdure.workflow
    async def outer() -> str:
        try:
            async with asyncio.timeout(0.02):
                return await perdure.areceive(GO)
        except TimeoutError:
            await perdure.asleep(timedelta(0))
            return "too late"

    with engine_of(memory.url, outer, linger=HOUR) as engine, engine.worker():
        assert result_of(engine.start(outer)) == "too late"


def test_leaving_memory_is_no_timeout_of_asyncios(memory: Memory) -> None:
    seen: list[str] = []

    @perdure.workflow
    async def outer() -> str:
        try:
            async with asyncio.timeout(3600):
                return await perdure.areceive(GO)
        except TimeoutError:
            seen.append("timeout")
            raise

    with engine_of(memory.url, outer, linger=NO_LINGER) as engine, engine.worker():
        handle = engine.start(outer)
        await_waiting(handle)
        handle.send(GO, "on")
        assert result_of(handle) == "on"
    assert seen == []


def test_a_branch_that_waits_for_something_of_asyncios_keeps_the_workflow_in_memory(
    memory: Memory,
) -> None:
    opened: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    @perdure.workflow
    async def outer() -> str:
        event = asyncio.Event()
        opened.append((asyncio.get_running_loop(), event))

        async def wait() -> None:
            await event.wait()

        letter, _ = await asyncio.gather(perdure.areceive(GO), wait())
        return letter

    with engine_of(memory.url, outer, linger=NO_LINGER) as engine, engine.worker():
        handle = engine.start(outer)
        handle.send(GO, "on")
        until(lambda: len(handle.steps()) == 1)
        loop, event = opened[0]
        loop.call_soon_threadsafe(event.set)
        assert result_of(handle) == "on"
        assert handle.record().epoch == 1
