"""Waking: what happens for others is counted for them, and wakes who waits for it."""

from datetime import date

import pytest

from perdure import backend as seam
from perdure.backend import Backend, Claimed, Pulse, Transition
from perdure.mail import Mail, Subscription
from perdure.model import Status
from perdure_compat.promise import promise

from .races import at_once, together
from .records import (
    LEASE,
    OWNER,
    WHEN,
    claim,
    drain,
    end,
    finish,
    get,
    ids,
    inbox,
    join,
    message,
    own,
    send,
    stand,
    submit,
    suspend,
)

RACES = 30

COUNTS = promise(
    Backend.wake,
    "The first applies wake-ups: it adds them to the counts of their workflows, whatever "
    "state these are in",
)
ENQUEUES = promise(
    Backend.wake, "and enqueues those that wait for that count, due at once at the latest."
)
NEVER_LOST = promise(seam, "No wake-up is lost.")
TOGETHER = promise(
    seam,
    "What happens for another workflow (a message to it, the end of its child, the end or an "
    "event of a workflow that it has subscribed to) is written together with a wake-up for "
    "it, in one transaction.",
)
SENT_BACK = promise(
    Backend.commit,
    "the workflow goes back to `enqueued`, due at once, if its count of wake-ups has reached "
    "`wake_at`",
)
THRESHOLD = promise(Transition, "The count of its wake-ups that wakes it; None: none does.")
UNTIMED = promise(Backend.commit, "Where `run_at` is None, time never wakes it.")
OF_CHILD = promise(
    Backend.commit,
    "A workflow that ends (not one that is parked) leaves a wake-up for its parent, if it has one",
)
OUTBOX = promise(Pulse, "Whether wake-ups have been written that nobody has applied yet.")


def _suspended(backend: Backend, workflow_id: str, **changes: object) -> None:
    """A workflow that runs and is then suspended; nothing else may be enqueued."""
    stand(backend, workflow_id, Status.RUNNING)
    told = finish(backend, OWNER, suspend(workflow_id, **changes))
    assert list(told.transitions) == [Status.WAITING]


def _outbox(backend: Backend) -> bool:
    join(backend, "observer")
    pulse = backend.heartbeat("observer", lease=LEASE)
    assert pulse is not None
    return pulse.outbox


# ----------------------------------------------------------------- count


@COUNTS
@promise(Mail.send, "each with a wake-up for its workflow.")
@pytest.mark.parametrize(
    "status", [Status.DELAYED, Status.ENQUEUED, Status.RUNNING, Status.WAITING, Status.PARKED]
)
def test_a_message_is_counted_in_any_state(backend: Backend, status: Status) -> None:
    """And changes nothing else of who does not wait for it."""
    stand(backend, "w", status)
    before = get(backend, "w")
    assert before.wake == 0
    send(backend, message("w"), message("w", "n"))
    drain(backend)
    after = get(backend, "w")
    assert after.wake == 2
    assert (after.status, after.owner, after.epoch) == (before.status, before.owner, before.epoch)
    assert after.run_at == before.run_at


@COUNTS
@OF_CHILD
def test_the_end_of_a_child_is_counted_after_the_parent_s(backend: Backend) -> None:
    stand(backend, "w", Status.SUCCESS)
    before = get(backend, "w")
    stand(backend, "child", Status.SUCCESS, parent_id="w")
    drain(backend)
    after = get(backend, "w")
    assert after.wake == 1
    assert (after.status, after.completed_at) == (before.status, before.completed_at)


@promise(Backend.wake, "Three transactions, each for up to `limit`.")
@promise(Backend.wake, "Answers with the largest number of the three.")
@COUNTS
def test_however_few_are_applied_at_a_time_all_are(backend: Backend) -> None:
    submit(backend, "v", "w")
    for n in range(7):
        send(backend, message("vw"[n % 2], f"{n}"))
    turns = 0
    while told := backend.wake(limit=2):
        assert told <= 2
        turns += 1
    assert turns <= 7
    assert (get(backend, "v").wake, get(backend, "w").wake) == (4, 3)
    assert not _outbox(backend)


@promise(Backend.wake, "the engine calls again while it was much.")
@promise(seam, "Nothing to do (an empty sequence or batch, a limit of 0) is no error.")
def test_a_wake_without_room_applies_nothing(backend: Backend) -> None:
    submit(backend, "w")
    send(backend, message("w"))
    assert backend.wake(limit=0) == 0
    assert get(backend, "w").wake == 0
    assert _outbox(backend)
    assert backend.wake(limit=1000) > 0


@promise(Backend.wake, "Those for a workflow that does not exist are dropped.")
@OUTBOX
def test_what_is_for_nobody_vanishes(backend: Backend) -> None:
    stand(backend, "w", Status.SUCCESS, parent_id="nobody")
    stand(backend, "target", Status.RUNNING)
    backend.subscribe([Subscription("nobody", "target")])
    finish(backend, OWNER, end("target"))
    assert _outbox(backend)
    drain(backend)
    assert not _outbox(backend)
    submit(backend, "nobody")
    drain(backend)
    assert get(backend, "nobody").wake == 0


@OUTBOX
@TOGETHER
@promise(seam, "`wake` applies wake-ups in a transaction of its own, later")
def test_a_pulse_tells_of_what_nobody_has_applied(backend: Backend) -> None:
    stand(backend, "w", Status.RUNNING)
    assert not _outbox(backend)
    send(backend, message("w"))
    assert _outbox(backend)
    drain(backend)
    assert not _outbox(backend)
    send(backend, message("w"))
    assert not _outbox(backend)


@COUNTS
@promise(seam, "**Thread-safe.** Every thread may call every verb")
def test_each_wake_up_is_counted_once_by_many(backend: Backend, rival: Backend) -> None:
    every = [f"w{n}" for n in range(8)]
    submit(backend, *every)
    send(backend, *[message(one, f"{n}", position=n) for n in range(10) for one in every])

    def until_none(one: Backend) -> None:
        while one.wake(limit=7):
            pass

    together(until_none, [backend, rival] * 2)
    drain(backend)
    assert [one.wake for one in backend.load(every)] == [10] * len(every)


# ------------------------------------------------------------------ wait


@ENQUEUES
@THRESHOLD
@promise(
    seam,
    "it adds them to the workflow's count, and enqueues the workflow if it waits for that count.",
)
def test_who_waits_is_woken_by_the_count_that_it_waits_for(backend: Backend) -> None:
    """Neither before nor later; then it is due at once."""
    _suspended(backend, "w", wake_at=3, run_at=WHEN.replace(year=2999))
    for n in range(2):
        send(backend, message("w", f"{n}"))
        drain(backend)
        found = get(backend, "w")
        assert (found.status, found.wake) == (Status.WAITING, n + 1)
    assert claim(backend, OWNER) == []
    send(backend, message("w", "2"))
    drain(backend)
    found = get(backend, "w")
    assert (found.status, found.wake, found.owner) == (Status.ENQUEUED, 3, None)
    (again,) = claim(backend, OWNER)
    assert (again.id, again.epoch, again.wake, again.strikes) == ("w", 2, 3, 0)


@ENQUEUES
def test_more_than_it_waits_for_wakes_it_too(backend: Backend) -> None:
    _suspended(backend, "w", wake_at=2)
    send(backend, *[message("w", f"{n}", position=n) for n in range(5)])
    drain(backend)
    assert (get(backend, "w").status, get(backend, "w").wake) == (Status.ENQUEUED, 5)


@ENQUEUES
@promise(Backend.wake, "They keep their `run_at`, by which they stand in line.")
def test_who_was_due_already_keeps_its_due_time(backend: Backend) -> None:
    _suspended(backend, "w", wake_at=1, run_at=WHEN)
    send(backend, message("w"))
    drain(backend)
    found = get(backend, "w")
    assert (found.status, found.run_at) == (Status.ENQUEUED, WHEN)


@THRESHOLD
def test_who_waits_for_no_count_is_woken_by_none(backend: Backend) -> None:
    _suspended(backend, "w", run_at=WHEN.replace(year=2999))
    send(backend, message("w"), message("w", "n", position=2))
    drain(backend)
    found = get(backend, "w")
    assert (found.status, found.wake) == (Status.WAITING, 2)
    assert found.run_at == WHEN.replace(year=2999)


@UNTIMED
@promise(
    Transition,
    "When time wakes it; None: never; its record shows the beginning of the last day of the year 9999.",
)
@promise(Pulse, "None if there is neither.")
def test_who_waits_for_no_time_is_woken_by_none(backend: Backend) -> None:
    """Though it was due long ago when it ran."""
    stand(backend, "w", Status.RUNNING, run_at=WHEN)
    finish(backend, OWNER, suspend("w", wake_at=1))
    drain(backend)
    found = get(backend, "w")
    assert (found.status, found.run_at.date()) == (Status.WAITING, date(9999, 12, 31))
    pulse = backend.heartbeat(OWNER, lease=LEASE)
    assert pulse is not None
    assert pulse.next_due is None
    assert claim(backend, OWNER) == []


@SENT_BACK
@promise(Backend.commit, "A transition to `waiting` is never refused to an owner")
@promise(Backend.commit, "The answer tells.")
@promise(
    seam,
    "Who suspends a workflow says how far it had counted when it looked last, and is sent "
    "back if more has come since.",
)
@pytest.mark.parametrize("wake_at", [1, 2])
def test_who_suspends_too_late_is_sent_back(backend: Backend, wake_at: int) -> None:
    stand(backend, "w", Status.RUNNING)
    send(backend, message("w"), message("w", "n", position=2))
    drain(backend)
    late = suspend("w", wake_at=wake_at, run_at=WHEN.replace(year=2999))
    assert list(finish(backend, OWNER, late).transitions) == [Status.ENQUEUED]
    found = get(backend, "w")
    assert (found.status, found.owner, found.wake) == (Status.ENQUEUED, None, 2)
    assert [(one.id, one.epoch, one.wake) for one in claim(backend, OWNER)] == [("w", 2, 2)]


@SENT_BACK
@UNTIMED
def test_who_is_sent_back_without_a_time_is_due_at_once(backend: Backend) -> None:
    stand(backend, "w", Status.RUNNING)
    send(backend, message("w"))
    drain(backend)
    assert list(finish(backend, OWNER, suspend("w", wake_at=0)).transitions) == [Status.ENQUEUED]
    assert ids(claim(backend, OWNER)) == ["w"]


@SENT_BACK
@promise(Claimed, "How far its wake-ups had been counted: what came before can be looked up.")
def test_who_knows_of_all_that_came_is_suspended(backend: Backend) -> None:
    stand(backend, "w", Status.RUNNING)
    send(backend, message("w"))
    drain(backend)
    finish(backend, OWNER, end("w", Status.ENQUEUED))
    (again,) = claim(backend, OWNER)
    assert (again.wake, inbox(backend, "w")) == (1, ["m"])
    told = finish(backend, OWNER, suspend("w", epoch=2, wake_at=again.wake + 1))
    assert list(told.transitions) == [Status.WAITING]
    drain(backend)
    assert get(backend, "w").status is Status.WAITING


@promise(
    Backend.commit,
    "a transition that took effect answers with its status as long as the workflow stands "
    "there, or, suspended, is back in the queue.",
)
@promise(Backend.commit, "A repeat gives the same answers as the first time")
def test_a_suspension_that_was_sent_back_is_answered_again(backend: Backend) -> None:
    stand(backend, "w", Status.RUNNING)
    send(backend, message("w"))
    drain(backend)
    once = finish(backend, OWNER, suspend("w", wake_at=1))
    before = get(backend, "w")
    assert list(once.transitions) == [Status.ENQUEUED]
    assert finish(backend, OWNER, suspend("w", wake_at=1)) == once
    assert get(backend, "w") == before


@promise(
    Backend.commit,
    "a transition that took effect answers with its status as long as the workflow stands "
    "there, or, suspended, is back in the queue.",
)
def test_a_suspension_that_is_over_is_not_refused(backend: Backend) -> None:
    """Whoever repeats it cannot be told more than that it was done."""
    _suspended(backend, "w", wake_at=1)
    send(backend, message("w"))
    drain(backend)
    before = get(backend, "w")
    (told,) = finish(backend, OWNER, suspend("w", wake_at=1)).transitions
    assert told in (Status.WAITING, Status.ENQUEUED)
    assert get(backend, "w") == before


@NEVER_LOST
@promise(seam, "**Guards, not timing.** Every write is conditional on the state it expects")
def test_no_wake_up_is_lost_between_a_look_and_a_suspension(
    backend: Backend, rival: Backend
) -> None:
    join(backend, OWNER)
    for turn in range(RACES):
        one = f"w{turn}"
        own(backend, OWNER, one)

        def look_and_suspend(one: str = one) -> None:
            if not inbox(backend, one):
                finish(backend, OWNER, suspend(one, wake_at=1))

        def send_and_wake(one: str = one) -> None:
            send(rival, message(one))
            rival.wake(limit=1000)

        at_once(look_and_suspend, send_and_wake)
        drain(backend)
        if get(backend, one).status is not Status.RUNNING:
            assert ids(claim(backend, OWNER)) == [one]
        assert inbox(backend, one) == ["m"]
        finish(backend, OWNER, end(one, epoch=get(backend, one).epoch))
