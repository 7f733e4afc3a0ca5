"""Workflows that wait: they take no place, they miss nothing, and they outlive their workers."""

import os
import random
import threading
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest

import perdure

from .fleet import Fleet
from .ledger import Ledger
from .waiters import (
    LATE,
    THREADS,
    TICKET,
    WAITERS,
    crossing,
    meeting,
    parent,
    receiver,
    sleeper,
    sync_receiver,
    sync_sleeper,
    watcher,
)

CHILDREN = 10_000
SLEEPERS = 3_000
SCHEDULES = int(os.environ.get("PERDURE_TEST_SCHEDULES") or 600)
"""For each of four databases; with 2,500 they are ten thousand."""
AT_ONCE = 10
"""So many start together: sending to more would take longer than they wait."""
WITHIN = timedelta(seconds=180)
MEGABYTE = 1 << 20


@pytest.mark.long(40)
@pytest.mark.parametrize("database_url", ["sqlite", "postgresql", "double"], indirect=True)
def test_a_parent_of_ten_thousand_children_outlives_one_of_two_workers(
    fleet: Fleet, ledger: Ledger, engine: perdure.Engine
) -> None:
    first, _ = fleet.begin(2)
    handle = engine.start(parent, CHILDREN)

    def half() -> bool:
        return ledger.count("success") >= CHILDREN / 2

    fleet.until(half, "half of the children end", keep=2)
    first.kill()
    fleet.until(lambda: handle.status().final, "the parent ends", seconds=120, keep=2)
    assert handle.result() == CHILDREN * (CHILDREN - 1)
    assert ledger.count("success") == CHILDREN + 1
    assert sum(1 for _ in engine.find(parent=handle.id, limit=CHILDREN + 1)) == CHILDREN


@pytest.mark.long(30)
@pytest.mark.parametrize("workflow", [sleeper, sync_sleeper])
def test_thousands_that_sleep_take_neither_memory_nor_threads(
    database_url: str, workflow: perdure.Workflow[..., Any]
) -> None:
    engine = perdure.Engine(database_url, workflows=WAITERS, migrate=True)
    with engine, engine.worker(threads=THREADS):
        _all(engine, meeting, THREADS)
        _all(engine, workflow, 500, perdure.now())
        threads, memory = threading.active_count(), _memory()
        until = perdure.now() + timedelta(seconds=12)
        handles = engine.start_many([workflow.bind(until)] * SLEEPERS)
        _until(lambda: _none_is(engine, perdure.Status.ENQUEUED, perdure.Status.RUNNING))
        assert threading.active_count() <= threads
        assert _memory() - memory < 10 * MEGABYTE
        assert sum(handle.result(timeout=WITHIN) for handle in handles) == SLEEPERS


def _all(
    engine: perdure.Engine, workflow: perdure.Workflow[..., Any], count: int, *args: object
) -> None:
    handles = engine.start_many([workflow.bind(*args)] * count)
    assert sum(handle.result(timeout=WITHIN) for handle in handles) == count


def _memory() -> int:
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * 4096


def _none_is(engine: perdure.Engine, *statuses: perdure.Status) -> bool:
    """Where suspending takes longer than they sleep, some have ended already."""
    return next(engine.find(status=statuses, limit=1), None) is None


def _until(condition: Any) -> None:
    end = time.monotonic() + WITHIN.total_seconds()
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


# ------------------------------------------------------------ random schedules


@attrs.define(eq=False)
class Schedule:
    """A workflow that waits, and when it is sent a message; `sent` if it took it in time."""

    handle: perdure.Handle[Any]
    at: float
    sent: bool = False

    def send(self) -> None:
        """Send the one message."""
        try:
            self.handle.send(TICKET, 7)
        except perdure.WorkflowFinished:
            return
        self.sent = True


@pytest.mark.long(40)
@pytest.mark.parametrize("kind", ["memory", "sqlite", "postgresql", "double"])
def test_no_wake_up_is_lost_on_random_schedules(kind: str, request: pytest.FixtureRequest) -> None:
    """Messages race timeouts, suspensions race sends, children end while parents suspend."""
    fixtures = {"sqlite": "sqlite_url", "postgresql": "postgres_url", "double": "cockroach_url"}
    url = request.getfixturevalue(fixtures[kind]) if kind in fixtures else "memory://schedules"
    seed = int(os.environ.get("PERDURE_TEST_SEED") or random.randrange(2**32))  # noqa: S311 (not a secret)
    print(f"PERDURE_TEST_SEED={seed}")  # noqa: T201 (shown when the test fails)
    chance = random.Random(seed)  # noqa: S311 (not a secret)
    with _two_workers(url) as engine:
        schedules = _play(engine, chance)
        outcomes = [(each, each.handle.result(timeout=WITHIN)) for each in schedules]
        for each, outcome in outcomes:
            assert set(_listed(outcome)) <= {1, 7, LATE}
            assert each.sent or 7 not in _listed(outcome)
        taken = sum(1 for each, outcome in outcomes if each.sent and 7 in _listed(outcome))
        assert taken > SCHEDULES / 100, "the schedules are too far apart to meet"


def _listed(outcome: Any) -> list[Any]:
    return outcome if isinstance(outcome, list) else [outcome]  # pyright: ignore[reportUnknownVariableType]


@contextmanager
def _two_workers(url: str) -> Generator[perdure.Engine, None, None]:
    """One whose waits leave memory at once, and one whose waits stay for a moment."""
    with ExitStack() as stack:
        engines = [
            stack.enter_context(
                perdure.Engine(
                    url, workflows=WAITERS, migrate=True, linger=timedelta(seconds=seconds)
                )
            )
            for seconds in (0.0, 0.01)
        ]
        for engine in engines:
            stack.enter_context(engine.worker(concurrency=150, threads=50))
        yield engines[0]


def _play(engine: perdure.Engine, chance: random.Random) -> list[Schedule]:
    schedules: list[Schedule] = []
    waiting: list[Schedule] = []
    while len(schedules) < SCHEDULES:
        fresh = [
            Schedule(handle, time.monotonic() + chance.uniform(0, 0.25))
            for handle in engine.start_many([_call(chance) for _ in range(AT_ONCE)])
        ]
        schedules += fresh
        waiting = sorted([*waiting, *fresh], key=lambda each: each.at)
        while waiting and waiting[0].at <= time.monotonic():
            waiting.pop(0).send()
    for each in waiting:
        each.send()
    return schedules


def _call(chance: random.Random) -> Any:
    its, own = chance.uniform(0, 0.1), chance.uniform(0, 0.2)
    alone = chance.choice([receiver, sync_receiver])
    return chance.choice([alone.bind(own), watcher.bind(its, own / 2), crossing.bind(its, own)])
