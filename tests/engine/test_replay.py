"""After its worker stops, a workflow goes on elsewhere from what is recorded."""

import asyncio
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

import perdure

from .faulty import installed
from .support import AT_ONCE, WITHIN, Door, at_once, engine_of, serving, until

HOUR = timedelta(hours=1)


def file_of(url: str) -> str:
    return url.removeprefix("sqlite:///")


def test_a_long_sleep_is_a_row_and_goes_on_elsewhere(sqlite_url: str) -> None:
    bodies: Counter[str] = Counter()

    @perdure.step
    def note(what: str) -> str:
        bodies[what] += 1
        return what

    @perdure.workflow
    def sleeping() -> list[str]:
        before = note("before")
        perdure.sleep(HOUR)
        return [before, note("after")]

    with engine_of(sqlite_url, sleeping) as engine:
        with at_once(), engine.worker():
            handle = engine.start(sleeping)
            until(lambda: handle.status() is perdure.Status.WAITING)
        assert [step.name.rpartition(".")[2] for step in handle.steps()] == ["note"]

        due = waits(sqlite_url)
        change(sqlite_url, "UPDATE workflows SET run_at = '2020-01-01 00:00:00.000000'")
        with engine.worker():
            until(lambda: handle.record().epoch == 2)
            until(lambda: handle.status() is perdure.Status.WAITING)
        assert waits(sqlite_url) == due  # the sleep goes on; it does not begin again

        change(sqlite_url, "UPDATE workflows SET run_at = '2020-01-01 00:00:00.000000'")
        change(sqlite_url, "UPDATE waits SET due = '2020-01-01 00:00:00.000000'")
        with engine.worker():
            assert handle.result(timeout=WITHIN) == ["before", "after"]
        assert bodies == {"before": 1, "after": 1}
        assert handle.record().recoveries == 0


def change(url: str, statement: str) -> None:
    with sqlite3.connect(file_of(url)) as database:
        database.execute(statement)
    database.close()


def waits(url: str) -> list[Any]:
    database = sqlite3.connect(file_of(url))
    try:
        return database.execute("SELECT workflow_id, step_seq, due FROM waits").fetchall()
    finally:
        database.close()


def test_a_drain_releases_a_sleeping_async_workflow_at_once(sqlite_url: str) -> None:
    unwound: list[str] = []

    @perdure.workflow
    async def sleeping() -> None:
        try:
            await asyncio.gather(perdure.asleep(HOUR), perdure.asleep(2 * HOUR))
        except Exception:
            unwound.append("an Exception")
            raise
        finally:
            unwound.append("finally")

    with engine_of(sqlite_url, sleeping, linger=3 * HOUR) as engine:
        with at_once(), engine.worker():
            handle = engine.start(sleeping)
            until(lambda: len(waits(sqlite_url)) == 2)
        assert handle.status() is perdure.Status.ENQUEUED
        assert handle.steps() == []
        until(lambda: unwound)
        assert unwound == ["finally"]


def test_a_sleep_that_is_over_is_over_for_good(sqlite_url: str) -> None:
    door = Door()

    @perdure.step
    def hold() -> None:
        door.pass_through()

    @perdure.workflow
    def outer() -> str:
        perdure.sleep(timedelta(milliseconds=5))
        hold()
        return "done"

    with engine_of(sqlite_url, outer) as engine:
        with engine.worker(grace=AT_ONCE):
            handle = engine.start(outer)
            door.await_somebody()
        (nap,) = handle.steps()
        door.opened.set()
        with engine.worker():
            assert handle.result(timeout=WITHIN) == "done"
        assert handle.steps()[0] == nap


LENGTH = 4


@pytest.mark.parametrize("crash", range(1, LENGTH + 1))
@pytest.mark.parametrize("colour", ["sync", "async"])
def test_whatever_step_is_interrupted_the_outcome_is_the_same(
    sqlite_url: str, crash: int, colour: str
) -> None:
    bodies: Counter[int] = Counter()
    door = Door()

    @perdure.step
    def link(before: str, number: int) -> str:
        bodies[number] += 1
        if number == crash and bodies[number] == 1:
            door.pass_through()
            return "the answer of a ghost"
        return f"{before}{number}"

    @perdure.workflow
    def chain() -> str:
        text = str(perdure.uuid4()) + str(perdure.now()) + str(perdure.random().random())
        for number in range(1, LENGTH + 1):
            text = link(text, number)
        return text

    @perdure.workflow
    async def achain() -> str:
        text = str(perdure.uuid4()) + str(perdure.now()) + str(perdure.random().random())
        for number in range(1, LENGTH + 1):
            text = await link.acall(text, number)
        return text

    with engine_of(sqlite_url, chain, achain) as engine:
        with engine.worker(grace=AT_ONCE):
            handle = engine.start(chain.bind() if colour == "sync" else achain.bind())
            door.await_somebody()
        prefix = handle.steps()
        assert len(prefix) == crash  # one of them is now()
        door.opened.set()
        with engine.worker():
            result = handle.result(timeout=WITHIN)

        assert result.endswith("1234")
        assert handle.steps()[:crash] == prefix
        assert handle.steps()[-1].output(str) == result
        assert bodies == {n: 1 + (n == crash) for n in range(1, LENGTH + 1)}


def test_a_recorded_error_is_raised_again_and_its_body_does_not_run(sqlite_url: str) -> None:
    door, bodies = Door(), Counter[str]()

    @perdure.step
    def fail() -> None:
        bodies["fail"] += 1
        raise ZeroDivisionError("the first time")

    @perdure.step
    def hold() -> None:
        door.pass_through()

    @perdure.workflow
    def outer() -> str:
        try:
            fail()
        except ZeroDivisionError as error:
            hold()
            return f"caught {error}"
        return "not caught"

    with engine_of(sqlite_url, outer) as engine:
        with engine.worker(grace=AT_ONCE):
            handle = engine.start(outer)
            door.await_somebody()
        door.opened.set()
        with engine.worker():
            assert handle.result(timeout=WITHIN) == "caught the first time"
        assert bodies["fail"] == 1


def test_branches_go_on_each_from_its_own_last_record(sqlite_url: str) -> None:
    door, bodies = Door(), Counter[str]()

    @perdure.step
    async def mark(name: str) -> str:
        bodies[name] += 1
        return name

    @perdure.step
    def hold() -> str:
        bodies["hold"] += 1
        door.pass_through()
        return "held"

    async def branch(name: str) -> list[str]:
        return [await mark(name + "1"), await hold.acall(), await mark(name + "2")]

    @perdure.workflow
    async def outer() -> list[list[str]]:
        return list(await asyncio.gather(branch("a"), branch("b"), mark_all()))

    async def mark_all() -> list[str]:
        return [await mark(f"c{i}") for i in range(5)]

    with engine_of(sqlite_url, outer) as engine:
        with engine.worker(grace=AT_ONCE):
            handle = engine.start(outer)
            until(lambda: bodies["hold"] == 2 and len(handle.steps()) == 7)
        door.opened.set()
        with engine.worker():
            result = handle.result(timeout=WITHIN)

    assert result == [["a1", "held", "a2"], ["b1", "held", "b2"], [f"c{i}" for i in range(5)]]
    assert bodies == {"hold": 4} | dict.fromkeys(
        ["a1", "a2", "b1", "b2", *(f"c{i}" for i in range(5))], 1
    )


def _held() -> tuple[Door, Counter[str], "perdure.Workflow[[], None]"]:
    """A workflow of two steps, of which the first stops at a door, and which bodies ran."""
    door, bodies = Door(), Counter[str]()

    @perdure.step
    def hold() -> None:
        bodies["hold"] += 1
        door.pass_through()

    @perdure.step
    def then() -> None:
        bodies["then"] += 1

    @perdure.workflow
    def outer() -> None:
        hold()
        then()

    return door, bodies, outer


def test_a_drain_lets_a_step_in_its_body_finish_and_then_releases(sqlite_url: str) -> None:
    door, bodies, outer = _held()
    with engine_of(sqlite_url, outer) as engine:
        worker = engine.worker()
        with worker:
            handle = engine.start(outer)
            door.await_somebody()
            drained = in_background(lambda: worker.__exit__(None, None, None))
            until(lambda: repr(worker).startswith("<worker stopped"))
            door.opened.set()
            drained()
        assert handle.status() is perdure.Status.ENQUEUED
        assert bodies == {"hold": 1}
        with engine.worker():
            handle.result(timeout=WITHIN)
        assert bodies == {"hold": 1, "then": 1}


def test_a_drain_lets_no_body_begin_though_a_claim_is_under_way(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    door, bodies, outer = _held()
    asked, answered = threading.Event(), threading.Event()
    faulty = installed(monkeypatch)

    def slow(real: Callable[..., Any], *args: Any, **options: Any) -> Any:
        asked.set()
        answered.wait(WITHIN.total_seconds())
        return real(*args, **options)

    with engine_of(sqlite_url, outer) as engine:
        worker = engine.worker()
        with worker:
            handle = engine.start(outer)
            door.await_somebody()
            faulty.replace("claim", slow)
            other = engine.start(outer)
            assert asked.wait(WITHIN.total_seconds())
            drained = in_background(lambda: worker.__exit__(None, None, None))
            until(lambda: repr(worker).startswith("<worker stopped"))
            door.opened.set()
            until(lambda: handle.status() is perdure.Status.ENQUEUED)
            answered.set()
            drained()
        assert [one.status() for one in (handle, other)] == [perdure.Status.ENQUEUED] * 2
        assert bodies == {"hold": 1}


def in_background(work: Callable[[], None]) -> Callable[[], None]:
    thread = threading.Thread(target=work)
    thread.start()

    def join() -> None:
        thread.join(WITHIN.total_seconds())
        assert not thread.is_alive()

    return join


def test_work_that_was_never_begun_goes_back_at_a_drain(sqlite_url: str) -> None:
    door = Door()

    @perdure.step
    def hold() -> None:
        door.pass_through()

    @perdure.workflow
    def outer() -> None:
        hold()

    with serving(sqlite_url, outer, threads=1, grace=AT_ONCE) as engine:
        handles = engine.start_many([outer.bind()] * 5)
        door.await_somebody()
    door.opened.set()

    with engine_of(sqlite_url, outer) as engine:
        statuses = {engine.handle(handle.id).status() for handle in handles}
        assert statuses == {perdure.Status.ENQUEUED}
