"""A worker that is dead in the database's eyes changes nothing any more, and comes back."""

import threading
from collections import Counter
from datetime import timedelta

import pytest

import perdure
from perdure import clock
from perdure.backend import Recovery
from perdure_backends.sqlite import SqliteBackend

from .faulty import Faults, installed
from .support import Door, engine_of, result_of, until

LEASE = {"lease": timedelta(seconds=1.5), "heartbeat": timedelta(seconds=0.1)}


@pytest.fixture
def faulty(monkeypatch: pytest.MonkeyPatch) -> Faults:
    return installed(monkeypatch)


def declare_dead(url: str, worker_id: str | None) -> list[str]:
    """What peers do with a worker that has fallen silent."""
    assert worker_id is not None
    backend = SqliteBackend(url)
    try:
        backend.leave(worker_id)
        recovery = Recovery(max_strikes=5, backoff=timedelta(0))
        reaped = backend.reap([], margin=timedelta(0), recovery=recovery, limit=100)
    finally:
        backend.close()
    return [*reaped.workflows]


def commits(faulty: Faults) -> int:
    """How often the zombie has tried to write."""
    return [verb for verb, _ in faulty.calls].count("commit")


def await_another_id(worker: perdure.Worker, before: str | None) -> None:
    """Wait until the worker is back."""
    until(lambda: worker.id not in {before, None})


class Case:
    """A workflow of either colour, the first try of whose second step is held up."""

    def __init__(self, *, is_async: bool) -> None:
        self.door = Door()
        self.bodies: Counter[str] = Counter()
        self.ghosts: list[str] = []

        @perdure.step(name="first")
        def first() -> str:
            self.bodies["first"] += 1
            return "first"

        @perdure.step(name="second")
        def second() -> str:
            self.bodies["second"] += 1
            mine = self.bodies["second"]
            if mine == 1:
                self.door.pass_through()
                self.ghosts.append("the ghost goes on")
            return f"second at try {mine}"

        @perdure.workflow(name="outer")
        def outer() -> str:
            return f"{first()}, {second()}"

        @perdure.workflow(name="outer")
        async def aouter() -> str:
            return f"{await first.acall()}, {await second.acall()}"

        self.workflows = (aouter,) if is_async else (outer,)


@pytest.mark.parametrize("is_async", [False, True])
def test_a_worker_that_lost_its_lease_joins_again_and_finishes(
    sqlite_url: str,
    caplog: pytest.LogCaptureFixture,
    is_async: bool,  # noqa: FBT001
) -> None:
    case = Case(is_async=is_async)
    with engine_of(sqlite_url, *case.workflows, **LEASE) as engine, engine.worker() as worker:
        handle = engine.start("outer")
        case.door.await_somebody()
        before = worker.id
        assert declare_dead(sqlite_url, before) == [handle.id]
        assert result_of(handle) == "first, second at try 2"
        history = handle.steps()
        case.door.opened.set()
        until(lambda: case.ghosts)
        assert worker.id not in {before, None}
        assert handle.steps() == history
        assert handle.record().recoveries == 1
    assert case.bodies == {"first": 1, "second": 2}
    assert len([r for r in caplog.records if "lost its lease" in r.getMessage()]) == 1


@pytest.mark.parametrize("is_async", [False, True])
def test_a_zombies_late_record_changes_nothing(
    sqlite_url: str,
    faulty: Faults,
    monkeypatch: pytest.MonkeyPatch,
    is_async: bool,  # noqa: FBT001
) -> None:
    case = Case(is_async=is_async)
    with engine_of(sqlite_url, *case.workflows, **LEASE) as zombies, zombies.worker() as zombie:
        handle = zombies.start("outer")
        case.door.await_somebody()
        # From here on the zombie hears nothing: neither of its death, nor of work.
        faulty.fail("heartbeat", "claim", error=lambda: perdure.BackendUnavailable("here", "deaf"))
        assert declare_dead(sqlite_url, zombie.id) == [handle.id]
        monkeypatch.undo()
        with engine_of(sqlite_url, *case.workflows, **LEASE) as others:
            with others.worker():
                assert result_of(others.handle(handle.id)) == "first, second at try 2"
            history, record = handle.steps(), handle.record()
            before = commits(faulty)
            case.door.opened.set()
            until(lambda: case.ghosts)
            until(lambda: commits(faulty) > before)
            assert handle.steps() == history
            assert handle.record() == record
            faulty.clear()
    assert case.bodies == {"first": 1, "second": 2}


def test_without_a_lease_by_its_own_clock_no_body_begins(
    sqlite_url: str, faulty: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    door, bodies, looks = Door(), Counter[str](), Counter[str]()
    real, shift = clock.monotonic, [0.0]

    def monotonic() -> float:
        looks["all"] += 1
        return real() + shift[0]

    monkeypatch.setattr(clock, "monotonic", monotonic)

    @perdure.step(name="first")
    def first() -> None:
        door.pass_through()

    @perdure.step(name="second")
    def second() -> None:
        bodies["second"] += 1

    @perdure.workflow(name="outer")
    def outer() -> None:
        first()
        second()

    with engine_of(sqlite_url, outer, **LEASE) as engine, engine.worker():
        handle = engine.start(outer)
        door.await_somebody()
        faulty.fail("heartbeat", error=lambda: perdure.BackendUnavailable("here", "deaf"))
        shift[0] = 100.0
        door.opened.set()
        until(lambda: len(handle.steps()) == 1)
        seen = looks["all"]
        until(lambda: looks["all"] > seen + 30)
        assert bodies["second"] == 0
        faulty.clear()
        result_of(handle)
    assert bodies["second"] == 1


def test_many_lost_leases_leave_no_thread_behind(sqlite_url: str) -> None:
    @perdure.workflow(name="greet")
    def greet() -> str:
        return "hello"

    with engine_of(sqlite_url, greet, **LEASE) as engine, engine.worker() as worker:
        assert result_of(engine.start(greet)) == "hello"
        threads = threading.active_count()
        for _ in range(3):
            before = worker.id
            declare_dead(sqlite_url, before)
            await_another_id(worker, before)
            assert result_of(engine.start(greet)) == "hello"
        until(lambda: threading.active_count() <= threads)
