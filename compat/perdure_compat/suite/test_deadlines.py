"""Deadlines: set by the first claim, and cancelled by `wake` when they are over."""

from datetime import datetime, timedelta

import pytest

from perdure import backend as seam
from perdure.backend import Backend, Claimed, Pulse, Submission
from perdure.clock import LONGEST
from perdure.model import Status
from perdure_compat.promise import promise

from .races import until
from .records import (
    LEASE,
    MOMENTS,
    OWNER,
    WHEN,
    claim,
    drain,
    end,
    finish,
    get,
    ids,
    join,
    kept,
    message,
    own,
    send,
    stand,
    submit,
    suspend,
)

SOON = timedelta(milliseconds=50)
LATER = timedelta(hours=1)
APART = timedelta(seconds=30)

AT_FIRST_CLAIM = promise(
    Backend.claim,
    "at that first claim its deadline becomes now + `timeout`, if it has one and no earlier "
    "deadline.",
)
CANCELS = promise(
    Backend.wake,
    "The third cancels workflows whose deadline is over, that have not ended and are not "
    "asked to cancel, as `cancel` does; the reason names the deadline.",
)
NEXT_DUE = promise(
    Pulse,
    "or deadline of one that has not ended and is not asked to cancel; None if there is neither.",
)
TIMEOUT = promise(
    Submission,
    "How long after its first claim its deadline is, unless that comes earlier.",
)


def _now(backend: Backend) -> datetime:
    """The database's clock, in whole milliseconds, which every database keeps."""
    join(backend, "clock")
    pulse = backend.heartbeat("clock", lease=LEASE)
    assert pulse is not None
    return pulse.now.replace(microsecond=pulse.now.microsecond // 1000 * 1000)


def _next_due(backend: Backend) -> datetime | None:
    join(backend, "clock")
    pulse = backend.heartbeat("clock", lease=LEASE)
    assert pulse is not None
    return pulse.next_due


# --------------------------------------------------------------- timeout


@AT_FIRST_CLAIM
@TIMEOUT
def test_a_timeout_begins_with_the_first_claim(backend: Backend) -> None:
    submit(backend, "w", timeout=LATER)
    found = get(backend, "w")
    assert (found.timeout, found.deadline) == (LATER, None)
    join(backend, OWNER)
    before = _now(backend)
    (claimed,) = claim(backend, OWNER)
    after = _now(backend) + timedelta(milliseconds=1)
    assert claimed.deadline is not None
    assert before <= claimed.deadline - LATER <= after
    assert get(backend, "w").deadline == claimed.deadline


@AT_FIRST_CLAIM
def test_a_later_claim_moves_no_deadline(backend: Backend) -> None:
    stand(backend, "w", Status.RUNNING, timeout=LATER)
    first = get(backend, "w").deadline
    finish(backend, OWNER, end("w", Status.ENQUEUED))
    assert get(backend, "w").deadline == first
    assert [one.deadline for one in claim(backend, OWNER)] == [first]


@AT_FIRST_CLAIM
@TIMEOUT
@pytest.mark.parametrize("hours", [1, 3])
def test_the_earlier_of_both_counts(backend: Backend, hours: int) -> None:
    join(backend, OWNER)
    given = _now(backend) + timedelta(hours=2)
    submit(backend, "w", timeout=timedelta(hours=hours), deadline=given)
    assert get(backend, "w").deadline == given
    (claimed,) = claim(backend, OWNER)
    assert claimed.deadline is not None
    earlier = min(timedelta(hours=hours), timedelta(hours=2))
    assert abs(claimed.deadline - given + timedelta(hours=2) - earlier) < APART
    assert (claimed.deadline == given) == (hours == 3)


@AT_FIRST_CLAIM
@promise(seam, "durations are `timedelta`, of a hundred years at most.")
def test_a_timeout_of_a_hundred_years_is_kept_and_holds_nobody_up(backend: Backend) -> None:
    submit(backend, "long", timeout=LONGEST)
    submit(backend, "short", timeout=LATER)
    join(backend, OWNER)
    claimed = {one.id: one.deadline for one in claim(backend, OWNER)}
    assert get(backend, "long").timeout == LONGEST
    long, short = claimed["long"], claimed["short"]
    assert long is not None
    assert short is not None
    assert abs(long - short - (LONGEST - LATER)) < APART
    assert _next_due(backend) == short


@AT_FIRST_CLAIM
@promise(Claimed, "A workflow that is now the claimer's, under `epoch`.")
def test_without_either_there_is_no_deadline(backend: Backend) -> None:
    stand(backend, "w", Status.RUNNING)
    found = get(backend, "w")
    assert (found.timeout, found.deadline) == (None, None)


@promise(
    seam,
    "Times that come in and out are aware UTC with microseconds (milliseconds where the "
    "database has no more); durations are `timedelta`, of a hundred years at most.",
)
@pytest.mark.parametrize("moment", MOMENTS, ids=str)
def test_a_deadline_comes_back_with_microseconds(backend: Backend, moment: datetime) -> None:
    """Or with the milliseconds below, where a database has no more."""
    submit(backend, "w", deadline=moment, timeout=timedelta(days=400, milliseconds=1))
    found = get(backend, "w")
    assert found.deadline in kept(moment)
    assert found.timeout == timedelta(days=400, milliseconds=1)


# ---------------------------------------------------------------- cancel


@CANCELS
@pytest.mark.parametrize(
    ("status", "after"),
    [
        (Status.DELAYED, Status.CANCELLED),
        (Status.ENQUEUED, Status.CANCELLED),
        (Status.PARKED, Status.CANCELLED),
        (Status.WAITING, Status.ENQUEUED),
        (Status.RUNNING, Status.RUNNING),
    ],
)
def test_what_is_late_is_cancelled_as_it_stands(
    backend: Backend, status: Status, after: Status
) -> None:
    stand(backend, "w", status, deadline=WHEN)
    before = get(backend, "w")
    assert (before.status, before.cancel_requested_at) == (status, None)
    assert backend.wake(limit=10) == 1
    found = get(backend, "w")
    assert (found.status, found.epoch, found.owner) == (after, before.epoch, before.owner)
    assert found.cancel_requested_at is not None
    assert "deadline" in (found.cancel_reason or "")
    assert (found.completed_at is not None) == after.final
    assert backend.wake(limit=10) == 0
    assert get(backend, "w") == found


@CANCELS
@pytest.mark.parametrize("status", [Status.SUCCESS, Status.ERROR, Status.CANCELLED])
def test_what_has_ended_is_never_late(backend: Backend, status: Status) -> None:
    stand(backend, "w", status, deadline=WHEN)
    before = get(backend, "w")
    assert backend.wake(limit=10) == 0
    assert get(backend, "w") == before


@CANCELS
@promise(seam, "**The database's clock** decides leases and due times.")
def test_nothing_is_cancelled_before_its_deadline(backend: Backend) -> None:
    stand(backend, "v", Status.RUNNING, timeout=LATER)
    stand(backend, "w", Status.RUNNING, deadline=_now(backend) + LATER)
    submit(backend, "x", timeout=SOON / 50)
    before = [get(backend, one) for one in ("v", "w", "x")]
    assert backend.wake(limit=10) == 0
    assert [get(backend, one) for one in ("v", "w", "x")] == before


@CANCELS
@TIMEOUT
def test_a_timeout_cancels_what_runs(backend: Backend) -> None:
    stand(backend, "w", Status.RUNNING, timeout=SOON)
    deadline = get(backend, "w").deadline
    assert deadline is not None
    until(lambda: _now(backend) > deadline)
    assert backend.wake(limit=10) == 1
    found = get(backend, "w")
    assert found.deadline == deadline
    assert found.cancel_requested_at is not None
    assert found.cancel_requested_at >= deadline
    assert list(backend.requests(OWNER)) == ["w"]


@CANCELS
@promise(Backend.cancel, "The first request counts: its time and reason stay.")
def test_who_was_asked_before_is_asked_for_its_own_reason(backend: Backend) -> None:
    stand(backend, "w", Status.RUNNING, deadline=WHEN)
    backend.cancel(["w"], reason="no need")
    before = get(backend, "w")
    assert backend.wake(limit=10) == 0
    assert get(backend, "w") == before


@CANCELS
def test_who_is_late_and_cleans_up_is_left_in_peace(backend: Backend) -> None:
    stand(backend, "w", Status.RUNNING, deadline=WHEN)
    assert backend.wake(limit=10) == 1
    later = WHEN.replace(year=2999)
    told = finish(backend, OWNER, suspend("w", run_at=later, cancelling=True))
    assert list(told.transitions) == [Status.WAITING]
    assert backend.wake(limit=10) == 0
    assert get(backend, "w").status is Status.WAITING


@CANCELS
@promise(Backend.cancel, "and wakes its parent and subscribers as any end does.")
def test_a_child_that_is_late_wakes_its_parent(backend: Backend) -> None:
    stand(backend, "parent", Status.RUNNING)
    finish(backend, OWNER, suspend("parent", wake_at=1))
    submit(backend, "w", parent_id="parent", deadline=WHEN)
    drain(backend)
    assert get(backend, "w").status is Status.CANCELLED
    assert ids(claim(backend, OWNER)) == ["parent"]


@CANCELS
@promise(Backend.wake, "Three transactions, each for up to `limit`.")
def test_a_wake_cancels_no_more_than_its_limit(backend: Backend) -> None:
    submit(backend, *[f"w{n}" for n in range(25)], deadline=WHEN)
    assert [backend.wake(limit=10) for _ in range(4)] == [10, 10, 5, 0]
    found = backend.load([f"w{n}" for n in range(25)])
    assert {one.status for one in found} == {Status.CANCELLED}


@promise(Backend.wake, "Do what is due for workflows that nobody runs")
@promise(Backend.wake, "Answers with the largest number of the three.")
def test_a_wake_tells_of_the_part_that_did_most(backend: Backend) -> None:
    join(backend, OWNER)
    own(backend, OWNER, "v", "w", "told")
    for epoch, late in ((1, 3), (2, 1), (3, 0)):
        finish(backend, OWNER, *[suspend(one, epoch=epoch, run_at=WHEN) for one in ("v", "w")])
        submit(backend, *[f"late-{epoch}-{n}" for n in range(late)], deadline=WHEN)
        send(backend, message("told", f"{epoch}"))
        assert backend.wake(limit=10) == max(2, late)
        assert sorted(ids(claim(backend, OWNER))) == ["v", "w"]
        assert get(backend, "told").wake == epoch


# ----------------------------------------------------------------- pulse


@NEXT_DUE
def test_a_pulse_tells_of_the_next_deadline(backend: Backend) -> None:
    assert _next_due(backend) is None
    given = _now(backend) + 2 * LATER
    submit(backend, "w", deadline=given)
    assert _next_due(backend) == given
    stand(backend, "delayed", Status.DELAYED, run_at=given + LATER)
    assert _next_due(backend) == given
    submit(backend, "first", run_at=given - LATER)
    assert _next_due(backend) == given - LATER


@NEXT_DUE
@pytest.mark.parametrize("status", [Status.RUNNING, Status.WAITING, Status.PARKED])
def test_a_deadline_is_due_in_any_state(backend: Backend, status: Status) -> None:
    given = _now(backend) + LATER
    stand(backend, "w", status, deadline=given)
    assert _next_due(backend) == given
    backend.cancel(["w"], reason="no need")
    assert _next_due(backend) is None


@NEXT_DUE
@pytest.mark.parametrize("status", [Status.SUCCESS, Status.ERROR, Status.CANCELLED])
def test_the_deadline_of_what_has_ended_is_not_due(backend: Backend, status: Status) -> None:
    stand(backend, "w", status, deadline=_now(backend) + LATER, timeout=LATER)
    assert _next_due(backend) is None


@NEXT_DUE
def test_a_timeout_is_not_due_before_it_has_begun(backend: Backend) -> None:
    submit(backend, "w", timeout=LATER)
    assert _next_due(backend) is None
    join(backend, OWNER)
    (claimed,) = claim(backend, OWNER)
    assert _next_due(backend) == claimed.deadline
