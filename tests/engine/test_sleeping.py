"""A workflow that waits leaves memory, holds no place there, and goes on where it was."""

import gc
from collections import Counter
from collections.abc import Generator
from datetime import timedelta
from typing import Any

import pytest

import perdure
from perdure.attempt import Attempt

from .support import (
    HOUR,
    NO_LINGER,
    WITHIN,
    Memory,
    await_steps,
    await_waiting,
    engine_of,
    result_of,
    until,
)

SOON = timedelta(milliseconds=20)
GO: perdure.Topic[str] = perdure.Topic("go", str)
STAGE: perdure.Event[str] = perdure.Event("stage", str)


@perdure.workflow(name="sleeping.receiver")
def receiver() -> str:
    STAGE.set("waiting")
    return perdure.receive(GO)


@perdure.workflow(name="sleeping.areceiver")
async def areceiver() -> str:
    STAGE.set("waiting")
    return await perdure.areceive(GO)


@perdure.workflow(name="sleeping.napper")
def napper() -> str:
    perdure.sleep(SOON)
    return "rested"


@perdure.workflow(name="sleeping.anapper")
async def anapper() -> str:
    await perdure.asleep(SOON)
    return "rested"


RECEIVERS = pytest.mark.parametrize("workflow", [receiver, areceiver], ids=["sync", "async"])
NAPPERS = pytest.mark.parametrize("workflow", [napper, anapper], ids=["sync", "async"])


def started(engine: perdure.Engine, workflow: Any) -> perdure.Handle[Any]:
    """Start a workflow of either colour."""
    return engine.start(workflow)


# ------------------------------------------------------------------- memory


@RECEIVERS
def test_after_the_linger_a_workflow_that_waits_belongs_to_nobody(
    memory: Memory, workflow: Any
) -> None:
    with engine_of(memory.url, workflow, linger=SOON) as engine, engine.worker():
        handle = started(engine, workflow)
        await_waiting(handle)
        assert handle.record().owner is None

        handle.send(GO, "on")
        assert result_of(handle) == "on"
        assert handle.record().epoch == 2


@pytest.fixture
def uncollected() -> Generator[None, None, None]:
    """Nothing is freed but what nobody refers to."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def _runs_of(handles: list[perdure.Handle[Any]]) -> list[Attempt]:
    ids = {handle.id for handle in handles}
    return [one for one in gc.get_objects() if type(one) is Attempt and one.id in ids]


@RECEIVERS
@pytest.mark.usefixtures("uncollected")
def test_nothing_of_a_workflow_that_waits_is_left_for_the_collector(
    memory: Memory, workflow: Any
) -> None:
    """It would keep the memory of thousands until it has a reason to look."""
    with engine_of(memory.url, workflow, linger=NO_LINGER) as engine, engine.worker():
        handles = engine.start_many([workflow.bind()] * 10)
        await_waiting(*handles)
        until(lambda: not _runs_of(handles))


@NAPPERS
@pytest.mark.usefixtures("uncollected")
def test_nothing_of_a_workflow_that_has_ended_is_left_for_the_collector(
    memory: Memory, workflow: Any
) -> None:
    with engine_of(memory.url, workflow, linger=HOUR) as engine, engine.worker():
        handles = engine.start_many([workflow.bind()] * 10)
        assert [result_of(handle) for handle in handles] == ["rested"] * 10
        until(lambda: not _runs_of(handles))


@RECEIVERS
def test_within_the_linger_a_wait_ends_in_memory(memory: Memory, workflow: Any) -> None:
    with engine_of(memory.url, workflow, linger=HOUR) as engine, engine.worker():
        handle = started(engine, workflow)
        handle.event(STAGE, timeout=WITHIN)
        handle.send(GO, "on")
        assert result_of(handle) == "on"
        assert handle.record().epoch == 1


@NAPPERS
@pytest.mark.parametrize(("linger", "epoch"), [(HOUR, 1), (NO_LINGER, 2)], ids=["short", "long"])
def test_a_sleep_longer_than_the_linger_is_spent_outside_memory(
    memory: Memory, workflow: Any, linger: timedelta, epoch: int
) -> None:
    with engine_of(memory.url, workflow, linger=linger) as engine, engine.worker():
        handle = started(engine, workflow)
        assert result_of(handle) == "rested"
        assert handle.record().epoch == epoch


@RECEIVERS
def test_fifty_that_wait_fit_into_one_place(memory: Memory, workflow: Any) -> None:
    with (
        engine_of(memory.url, workflow, linger=NO_LINGER) as engine,
        engine.worker(concurrency=1, threads=1),
    ):
        handles = engine.start_many([workflow.bind()] * 50)
        await_waiting(*handles)
        for i, handle in enumerate(handles):
            handle.send(GO, str(i))
        assert [result_of(handle) for handle in handles] == [str(i) for i in range(50)]


@NAPPERS
def test_fifty_that_sleep_end_in_one_place(memory: Memory, workflow: Any) -> None:
    with (
        engine_of(memory.url, workflow, linger=NO_LINGER) as engine,
        engine.worker(concurrency=1, threads=1),
    ):
        handles = engine.start_many([workflow.bind()] * 50)
        assert [result_of(handle) for handle in handles] == ["rested"] * 50


@RECEIVERS
def test_a_crowd_that_waits_does_not_stay_for_the_linger(memory: Memory, workflow: Any) -> None:
    with (
        engine_of(memory.url, workflow, linger=HOUR) as engine,
        engine.worker(concurrency=4),
    ):
        handles = engine.start_many([workflow.bind()] * 20)
        for handle in handles:
            handle.event(STAGE, timeout=WITHIN)
        for handle in handles:
            handle.send(GO, "on")
        assert [result_of(handle) for handle in handles] == ["on"] * 20


@RECEIVERS
def test_what_comes_while_no_worker_lives_is_there_for_the_next(
    memory: Memory, workflow: Any
) -> None:
    with engine_of(memory.url, workflow, linger=NO_LINGER) as engine:
        with engine.worker():
            handle = started(engine, workflow)
            await_waiting(handle)
        handle.send(GO, "on")
        with engine.worker():
            assert result_of(handle) == "on"


@pytest.mark.parametrize("colour", ["sync", "async"])
def test_days_pass_while_nothing_runs(memory: Memory, colour: str) -> None:
    bodies = Counter[str]()

    @perdure.step
    def note(what: str) -> str:
        bodies[what] += 1
        return what

    @perdure.workflow
    def outer() -> list[str]:
        return [note("before"), *[nap(i) for i in range(3)]]

    def nap(number: int) -> str:
        perdure.sleep(timedelta(days=3))
        return note(f"after {number}")

    @perdure.workflow
    async def aouter() -> list[str]:
        seen = [await note.acall("before")]
        for number in range(3):
            await perdure.asleep(timedelta(days=3))
            seen.append(await note.acall(f"after {number}"))
        return seen

    with engine_of(memory.url, outer, aouter) as engine:
        handle = engine.start(outer if colour == "sync" else aouter)
        for number in range(3):
            with engine.worker():
                await_steps(handle, 1 + 2 * number)
                await_waiting(handle)
            memory.forward(timedelta(days=3))
        with engine.worker():
            assert result_of(handle) == ["before", "after 0", "after 1", "after 2"]
    assert set(bodies.values()) == {1}


# ---------------------------------------------------------------- unwinding


def test_the_code_of_a_workflow_unwinds_when_it_leaves_memory_and_again_at_the_end(
    memory: Memory,
) -> None:
    """A `finally` is code between steps: it runs at each replay. What it undoes belongs in a step."""
    unwound = Counter[str]()

    @perdure.workflow
    def outer() -> str:
        try:
            return perdure.receive(GO)
        except Exception:
            unwound["sync: except"] += 1
            raise
        finally:
            unwound["sync"] += 1

    @perdure.workflow
    async def aouter() -> str:
        try:
            return await perdure.areceive(GO)
        except Exception:
            unwound["async: except"] += 1
            raise
        finally:
            unwound["async"] += 1

    with engine_of(memory.url, outer, aouter, linger=NO_LINGER) as engine, engine.worker():
        handles = [engine.start(outer), engine.start(aouter)]
        await_waiting(*handles)
        until(lambda: unwound == {"sync": 1, "async": 1})
        for handle in handles:
            handle.send(GO, "on")
            assert result_of(handle) == "on"
    assert unwound == {"sync": 2, "async": 2}


def test_a_step_in_a_finally_is_not_run_when_the_workflow_leaves_memory(memory: Memory) -> None:
    bodies: list[str] = []

    @perdure.step
    def clean(what: str) -> None:
        bodies.append(what)

    @perdure.workflow
    def outer() -> str:
        try:
            return perdure.receive(GO)
        finally:
            clean("sync")

    @perdure.workflow
    async def aouter() -> str:
        try:
            return await perdure.areceive(GO)
        finally:
            await clean.acall("async")

    with engine_of(memory.url, outer, aouter, linger=NO_LINGER) as engine, engine.worker():
        for workflow in (outer, aouter):
            handle = engine.start(workflow)
            await_waiting(handle)
            assert handle.steps() == []
            handle.send(GO, "on")
            assert result_of(handle) == "on"
            assert [step.kind for step in handle.steps()] == ["receive", "step"]
    assert bodies == ["sync", "async"]


@pytest.mark.parametrize("colour", ["sync", "async"])
def test_a_workflow_leaves_memory_on_postgresql(postgres_url: str, colour: str) -> None:
    workflow: Any = receiver if colour == "sync" else areceiver
    with (
        engine_of(postgres_url, workflow, linger=NO_LINGER) as engine,
        engine.worker(concurrency=1),
    ):
        handles = engine.start_many([workflow.bind()] * 5)
        await_waiting(*handles)
        for handle in handles:
            handle.send(GO, "on")
        assert [result_of(handle) for handle in handles] == ["on"] * 5
