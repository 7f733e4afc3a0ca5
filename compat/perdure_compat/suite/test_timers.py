"""Timers: what was delayed is enqueued when it is due, and not before."""

from datetime import timedelta

import pytest

from perdure.backend import Backend
from perdure.model import Status

from .races import together, until
from .records import WHEN, claim, end, finish, get, ids, join, own, submit

SOON = timedelta(milliseconds=50)
LATER = timedelta(hours=1)


def test_what_is_due_is_enqueued_and_counted(backend: Backend) -> None:
    join(backend, "a")
    submit(backend, "v", "w", delay=SOON)
    submit(backend, "late", delay=LATER)
    assert claim(backend, "a") == []
    _all_due(backend, "w")
    assert backend.wake(limit=10) == 2
    assert backend.wake(limit=10) == 0
    assert get(backend, "w").status is Status.ENQUEUED
    assert get(backend, "late").status is Status.DELAYED
    assert sorted(ids(claim(backend, "a"))) == ["v", "w"]


def test_nothing_is_woken_before_its_time(backend: Backend) -> None:
    submit(backend, "w", delay=LATER)
    before = get(backend, "w")
    assert backend.wake(limit=10) == 0
    assert get(backend, "w") == before


def test_a_wake_takes_no_more_than_its_limit(backend: Backend) -> None:
    submit(backend, *[f"w{n}" for n in range(25)], delay=SOON)
    submit(backend, "last", delay=SOON * 2)
    _all_due(backend, "last")
    assert [backend.wake(limit=10) for _ in range(4)] == [10, 10, 6, 0]


def _all_due(backend: Backend, last: str) -> None:
    """Wait until the database's clock is past the latest due time."""
    join(backend, "clock")
    due = get(backend, last).run_at

    def past() -> bool:
        pulse = backend.heartbeat("clock", lease=LATER)
        return pulse is not None and pulse.now > due

    until(past)


def test_each_workflow_is_woken_once_by_many(backend: Backend, rival: Backend) -> None:
    every = [f"w{n}" for n in range(40)]
    submit(backend, *every, delay=SOON)
    _all_due(backend, "w39")

    def until_none(one: Backend) -> int:
        total = 0
        while woken := one.wake(limit=7):
            total += woken
        return total

    counts = together(until_none, [backend, rival] * 2)
    assert sum(counts) + backend.wake(limit=100) == len(every)
    assert {one.status for one in backend.load(every)} == {Status.ENQUEUED}


def test_what_is_not_delayed_is_left_alone(backend: Backend) -> None:
    join(backend, "a")
    own(backend, "a", "runs", "ended", "parked")
    finish(backend, "a", end("ended"), end("parked", Status.PARKED))
    submit(backend, "due", run_at=WHEN)
    every = ["runs", "ended", "parked", "due"]
    before = {one.id: one for one in backend.load(every)}
    assert backend.wake(limit=10) == 0
    assert {one.id: one for one in backend.load(every)} == before


@pytest.mark.usefixtures("ordered_claims")
def test_who_was_woken_keeps_its_place_by_its_due_time(backend: Backend) -> None:
    """It stands behind what was due before, and before what comes after."""
    join(backend, "a")
    submit(backend, "before", run_at=WHEN)
    submit(backend, "woken", delay=SOON)
    due = get(backend, "woken").run_at
    _all_due(backend, "woken")
    backend.wake(limit=10)
    submit(backend, "after")
    assert get(backend, "woken").run_at == due
    assert ids(claim(backend, "a")) == ["before", "woken", "after"]
