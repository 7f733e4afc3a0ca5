"""Timers: what was delayed is enqueued when it is due, and not before."""

from datetime import datetime, timedelta

import pytest

from perdure import backend as seam
from perdure.backend import Backend, Batch, Pulse, Transition
from perdure.model import Status
from perdure_compat.promise import promise

from .races import together, until
from .records import (
    AT_ONCE,
    MOMENTS,
    PATIENT,
    WHEN,
    claim,
    end,
    finish,
    get,
    ids,
    join,
    kept,
    own,
    scrambled,
    submit,
    suspend,
    wait,
    waits_of,
)

SOON = timedelta(milliseconds=50)
LATER = timedelta(hours=1)

ENQUEUES = promise(
    Backend.wake, "The second enqueues delayed or waiting workflows that are due, the earliest"
)


@ENQUEUES
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


@ENQUEUES
@promise(seam, "**The database's clock** decides leases and due times.")
def test_nothing_is_woken_before_its_time(backend: Backend) -> None:
    submit(backend, "w", delay=LATER)
    before = get(backend, "w")
    assert backend.wake(limit=10) == 0
    assert get(backend, "w") == before


@ENQUEUES
def test_a_wake_takes_no_more_than_its_limit(backend: Backend) -> None:
    submit(backend, *[f"w{n}" for n in range(25)], delay=SOON)
    submit(backend, "last", delay=SOON * 2)
    _all_due(backend, "last")
    assert [backend.wake(limit=10) for _ in range(4)] == [10, 10, 6, 0]


@promise(Backend.wake, "the earliest due first, where nobody else wakes.")
def test_the_earliest_due_is_woken_first(backend: Backend) -> None:
    every = [f"w{n}" for n in range(12)]
    for n, one in enumerate(scrambled(every)):
        submit(backend, one, delay=SOON + timedelta(milliseconds=2 * n))
    _all_due(backend, scrambled(every)[-1])
    for woken in range(3, 13, 3):
        assert backend.wake(limit=3) == 3
        enqueued = {one.id for one in backend.load(every) if one.status is Status.ENQUEUED}
        assert enqueued == set(scrambled(every)[:woken])


@promise(seam, "Nothing to do (an empty sequence or batch, a limit of 0) is no error.")
def test_a_wake_without_room_wakes_nobody(backend: Backend) -> None:
    submit(backend, "w", delay=SOON)
    _all_due(backend, "w")
    assert backend.wake(limit=0) == 0
    assert get(backend, "w").status is Status.DELAYED


def _all_due(backend: Backend, last: str) -> None:
    """Wait until the database's clock is past the latest due time."""
    join(backend, "clock")
    due = get(backend, last).run_at

    def past() -> bool:
        pulse = backend.heartbeat("clock", lease=LATER)
        return pulse is not None and pulse.now > due

    until(past)


@ENQUEUES
@promise(seam, "**Thread-safe.** Every thread may call every verb")
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


@ENQUEUES
@promise(
    seam,
    "**Guards, not timing.** Every write is conditional on the state it expects (owner, "
    "epoch, status)",
)
def test_what_is_not_delayed_is_left_alone(backend: Backend) -> None:
    join(backend, "a")
    own(backend, "a", "runs", "ended", "parked")
    finish(backend, "a", end("ended"), end("parked", Status.PARKED))
    submit(backend, "due", run_at=WHEN)
    every = ["runs", "ended", "parked", "due"]
    before = {one.id: one for one in backend.load(every)}
    assert backend.wake(limit=10) == 0
    assert {one.id: one for one in backend.load(every)} == before


@promise(Backend.wake, "They keep their `run_at`, by which they stand in line.")
@pytest.mark.needs("ordered_claims")
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


@promise(Transition, "or `waiting` (suspended).")
@promise(Backend.commit, "Steps and waits of a workflow may share the batch with its transition")
def test_what_is_suspended_belongs_to_nobody_until_it_is_due(backend: Backend) -> None:
    join(backend, "a")
    own(backend, "a", "w")
    soon = _now(backend) + SOON
    answer = backend.commit(
        "a", Batch(waits=[wait("w", due=soon)], transitions=[_suspend("w", soon)])
    )
    assert list(answer.transitions) == [Status.WAITING]
    suspended = get(backend, "w")
    assert (suspended.status, suspended.owner, suspended.run_at) == (Status.WAITING, None, soon)
    assert suspended.completed_at is None
    assert claim(backend, "a") == []
    _all_due(backend, "w")
    assert backend.wake(limit=10) == 1
    (again,) = claim(backend, "a")
    assert (again.id, again.epoch, again.strikes) == ("w", 2, 0)
    assert [one.due for one in waits_of(backend, "w")] == [soon]


@promise(Pulse, "the earliest due time of a delayed or waiting workflow")
def test_a_pulse_tells_when_the_first_of_those_who_wait_is_due(backend: Backend) -> None:
    join(backend, "a")
    own(backend, "a", "v", "w")
    first, second = _now(backend) + LATER, _now(backend) + 2 * LATER
    finish(backend, "a", _suspend("v", second), _suspend("w", first))
    pulse = backend.heartbeat("a", lease=LATER)
    assert pulse is not None
    assert pulse.next_due == first


@promise(Backend.commit, "A repeat gives the same answers as the first time")
@promise(
    Backend.commit,
    "a transition that took effect answers with its status as long as the workflow stands there",
)
def test_a_suspension_that_is_repeated_is_answered_as_before(backend: Backend) -> None:
    join(backend, "a")
    own(backend, "a", "w")
    later = _now(backend) + LATER
    once = finish(backend, "a", _suspend("w", later))
    before = get(backend, "w")
    assert finish(backend, "a", _suspend("w", later)) == once
    assert get(backend, "w") == before


@promise(
    seam,
    "Times that come in and out are aware UTC with microseconds (milliseconds where the "
    "database has no more)",
)
@promise(Transition, "When time wakes it;")
@pytest.mark.parametrize("moment", MOMENTS[1:], ids=str)
def test_when_the_suspended_go_on_comes_back_with_microseconds(
    backend: Backend, moment: datetime
) -> None:
    """Or with the milliseconds below, where a database has no more."""
    join(backend, "a")
    own(backend, "a", "w")
    finish(backend, "a", _suspend("w", moment))
    assert get(backend, "w").run_at in kept(moment)
    assert backend.wake(limit=10) == int(moment < _now(backend))


@promise(
    Backend.reap, "The second takes up to `limit` running workflows from workers that are dead"
)
def test_the_death_of_its_worker_is_nothing_to_who_is_suspended(backend: Backend) -> None:
    join(backend, "a", "b")
    own(backend, "a", "w")
    finish(backend, "a", _suspend("w", _now(backend) + LATER))
    before = get(backend, "w")
    backend.leave("a")
    reaped = backend.reap([], margin=AT_ONCE, recovery=PATIENT, limit=10)
    assert dict(reaped.workflows) == {}
    assert get(backend, "w") == before


def _suspend(workflow_id: str, until_then: datetime) -> Transition:
    return suspend(workflow_id, run_at=until_then)


def _now(backend: Backend) -> datetime:
    """The database's clock, in whole milliseconds, which every database keeps."""
    join(backend, "clock")
    pulse = backend.heartbeat("clock", lease=LATER)
    assert pulse is not None
    return pulse.now.replace(microsecond=pulse.now.microsecond // 1000 * 1000)
