"""A pause before the next try that is longer than the linger is spent outside memory."""

import asyncio
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
    await_waiting,
    engine_of,
    result_of,
    until,
)

COLOURS = pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])


@attrs.define
class Case:
    """A step that fails some times, in a workflow of either colour."""

    failures: int
    retries: perdure.Retry
    is_async: bool
    seen: list[int] = attrs.field(factory=list[int])
    workflow: Any = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        @perdure.step(name="flaky", retries=self.retries)
        def flaky() -> int:
            self.seen.append(perdure.current_step().attempt)
            if len(self.seen) <= self.failures:
                raise OSError(f"try {len(self.seen)}")
            return len(self.seen)

        @perdure.workflow(name="outer")
        def outer() -> int:
            return flaky()

        @perdure.workflow(name="outer")
        async def aouter() -> int:
            return await flaky.acall()

        self.workflow = aouter if self.is_async else outer


def hourly(attempts: int | None = 5) -> perdure.Retry:
    """A try each hour."""
    return perdure.Retry(attempts, delay=HOUR, factor=1, jitter=0, max_delay=HOUR)


def tries(case: Case, number: int) -> None:
    """Wait until it has been tried so often."""
    until(lambda: len(case.seen) == number)


def play(memory: Memory, case: Case, pauses: int) -> perdure.Handle[Any]:
    """Run it, with another worker after each pause."""
    with engine_of(memory.url, case.workflow) as engine:
        handle: perdure.Handle[Any] = engine.start(case.workflow)
        for number in range(1, pauses + 1):
            with engine.worker():
                tries(case, number)
                await_waiting(handle)
            memory.forward(HOUR)
        with engine.worker():
            until(lambda: handle.status().final)
        return handle


@COLOURS
def test_a_long_pause_survives_new_workers_and_the_number_of_the_try_goes_on(
    memory: Memory, *, is_async: bool
) -> None:
    case = Case(3, hourly(), is_async)
    handle = play(memory, case, pauses=3)

    assert case.seen == [1, 2, 3, 4]
    with engine_of(memory.url) as engine:
        (step,) = engine.handle(handle.id).steps()
        assert (step.attempts, step.output(int)) == (4, 4)


@COLOURS
def test_tries_before_the_pauses_count(memory: Memory, *, is_async: bool) -> None:
    case = Case(9, hourly(3), is_async)
    handle = play(memory, case, pauses=2)

    assert case.seen == [1, 2, 3]
    with engine_of(memory.url) as engine:
        again = engine.handle(handle.id)
        (step,) = again.steps()
        assert (step.attempts, step.status, step.error_message) == (3, "error", "try 3")
        with pytest.raises(OSError, match="try 3"):
            again.result()


@COLOURS
def test_a_pause_is_not_cut_short_by_a_new_worker(memory: Memory, *, is_async: bool) -> None:
    case = Case(1, hourly(), is_async)
    with engine_of(memory.url, case.workflow) as engine:
        with engine.worker():
            handle: perdure.Handle[Any] = engine.start(case.workflow)
            await_waiting(handle)
            due = handle.record().run_at
        record = memory.store.workflows[handle.id]
        memory.store.workflows[handle.id] = attrs.evolve(
            record, status=perdure.Status.ENQUEUED, run_at=record.created_at
        )
        with engine.worker():  # as after a crash, it is claimed before its time
            until(lambda: handle.record().epoch == 2)
            await_waiting(handle)
            assert handle.record().run_at == due
        assert case.seen == [1]


@COLOURS
def test_a_short_pause_is_spent_in_memory(memory: Memory, *, is_async: bool) -> None:
    retries = perdure.Retry(5, delay=timedelta(milliseconds=5), jitter=0)
    case = Case(2, retries, is_async)
    with engine_of(memory.url, case.workflow, linger=HOUR) as engine, engine.worker():
        handle: perdure.Handle[Any] = engine.start(case.workflow)
        assert result_of(handle) == 3
        assert handle.record().epoch == 1


@COLOURS
def test_ten_that_pause_fit_into_one_place(memory: Memory, *, is_async: bool) -> None:
    door: list[str] = []

    @perdure.step(retries=perdure.Retry(None, delay=timedelta(milliseconds=50), jitter=0))
    def flaky() -> str:
        if len(door) < 10:
            door.append("tried")
            raise OSError
        return "done"

    @perdure.workflow(name="outer")
    def outer() -> str:
        return flaky()

    @perdure.workflow(name="outer")
    async def aouter() -> str:
        return await flaky.acall()

    workflow: Any = aouter if is_async else outer
    with (
        engine_of(memory.url, workflow, linger=NO_LINGER) as engine,
        engine.worker(concurrency=1, threads=1),
    ):
        handles = engine.start_many([workflow.bind()] * 10)
        assert [result_of(handle) for handle in handles] == ["done"] * 10


@COLOURS
def test_who_pauses_outside_memory_is_cancelled_there(memory: Memory, *, is_async: bool) -> None:
    case = Case(9, hourly(), is_async)
    with engine_of(memory.url, case.workflow) as engine, engine.worker():
        handle: perdure.Handle[Any] = engine.start(case.workflow)
        await_waiting(handle)
        handle.cancel("enough")
        with pytest.raises(perdure.WorkflowCancelled):
            result_of(handle)
        assert case.seen == [1]


def test_a_step_beside_one_that_pauses_is_finished_first(memory: Memory) -> None:
    door, tries = Door(), list[int]()

    @perdure.step
    def hold() -> str:
        door.pass_through()
        return "held"

    @perdure.step(retries=perdure.Retry(2, delay=timedelta(minutes=1), jitter=0))
    def flaky() -> str:
        tries.append(1)
        if len(tries) == 1:
            raise OSError
        return "done"

    @perdure.workflow
    async def outer() -> list[str]:
        return list(await asyncio.gather(hold.acall(), flaky.acall()))

    with engine_of(memory.url, outer) as engine:
        with engine.worker():
            handle = engine.start(outer)
            door.await_somebody()
            until(lambda: tries)
            door.opened.set()
            await_waiting(handle)
            assert [step.output(str) for step in handle.steps()] == ["held"]
        memory.forward(timedelta(minutes=1))
        with engine.worker():
            assert result_of(handle) == ["held", "done"]


def test_a_submitted_step_that_pauses_goes_on_elsewhere(memory: Memory) -> None:
    tries: list[int] = []

    @perdure.step(retries=hourly())
    def flaky() -> str:
        tries.append(perdure.current_step().attempt)
        if len(tries) == 1:
            raise OSError
        return "done"

    @perdure.workflow
    def outer() -> str:
        return flaky.submit().result()

    with engine_of(memory.url, outer) as engine:
        with engine.worker():
            handle = engine.start(outer)
            await_waiting(handle)
        memory.forward(HOUR)
        with engine.worker():
            assert result_of(handle) == "done"
    assert tries == [1, 2]


def test_a_crash_in_a_later_try_does_not_lose_the_count(memory: Memory) -> None:
    door, seen = Door(), list[int]()

    @perdure.step(retries=hourly())
    def flaky() -> str:
        seen.append(perdure.current_step().attempt)
        if len(seen) == 1:
            raise OSError
        if len(seen) == 2:
            door.pass_through()
        return "done"

    @perdure.workflow
    def outer() -> str:
        return flaky()

    with engine_of(memory.url, outer) as engine:
        with engine.worker():
            handle = engine.start(outer)
            await_waiting(handle)
        memory.forward(HOUR)
        with engine.worker(grace=AT_ONCE):
            door.await_somebody()
        door.opened.set()
        with engine.worker():
            assert result_of(handle) == "done"
    assert seen == [1, 2, 2]


@pytest.mark.parametrize("place", ["called", "submitted"])
def test_long_pauses_are_spent_outside_memory_on_sqlite(sqlite_url: str, place: str) -> None:
    tries: list[int] = []

    @perdure.step(retries=perdure.Retry(3, delay=timedelta(milliseconds=50), jitter=0))
    def flaky() -> str:
        tries.append(perdure.current_step().attempt)
        if len(tries) < 3:
            raise OSError
        return "done"

    @perdure.workflow
    def outer() -> str:
        return flaky() if place == "called" else flaky.submit().result()

    with engine_of(sqlite_url, outer, linger=NO_LINGER) as engine, engine.worker():
        handle = engine.start(outer)
        assert result_of(handle) == "done"
        assert handle.record().epoch == 3
    assert tries == [1, 2, 3]
