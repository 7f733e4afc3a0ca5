"""Ends: who is woken by the end of another, and by its events."""

import pytest

from perdure import backend as seam
from perdure.backend import Backend, Batch, Committed, Recovery, Submission
from perdure.mail import Mail, Subscription
from perdure.model import Status
from perdure_compat.promise import promise

from .races import at_once
from .records import (
    AT_ONCE,
    OWNER,
    claim,
    drain,
    end,
    finish,
    get,
    join,
    own,
    record,
    stand,
    step,
    submit,
    suspend,
)

FINAL = (Status.SUCCESS, Status.ERROR, Status.CANCELLED)
RACES = 30

ENQUEUES = promise(
    Backend.wake, "and enqueues those that wait for that count, due at once at the latest."
)
NEVER_LOST = promise(seam, "No wake-up is lost.")
OF_CHILD = promise(
    Backend.commit,
    "A workflow that ends (not one that is parked) leaves a wake-up for its parent, if it has one",
)
OF_TARGET = promise(Backend.commit, "and one for each workflow that has subscribed to it.")
OF_EVENT = promise(Backend.commit, "A step of kind `event` leaves one for each subscriber, too.")
TELLS = promise(
    Committed, "Whether this call has written wake-ups for other workflows, which `wake` applies."
)


def _suspended(backend: Backend, workflow_id: str, **changes: object) -> None:
    """A workflow that runs and is then suspended; nothing else may be enqueued."""
    stand(backend, workflow_id, Status.RUNNING)
    told = finish(backend, OWNER, suspend(workflow_id, **changes))
    assert list(told.transitions) == [Status.WAITING]


# -------------------------------------------------------------- children


@OF_CHILD
@ENQUEUES
@promise(Submission, "and is woken by its end.")
@promise(Submission, "The workflow that starts it")
@pytest.mark.parametrize("status", FINAL)
@pytest.mark.parametrize("detached", [True, False])
def test_a_child_s_end_wakes_its_parent(
    backend: Backend, status: Status, *, detached: bool
) -> None:
    _suspended(backend, "parent", wake_at=2)
    join(backend, "a")
    for n in (1, 2):
        assert get(backend, "parent").status is Status.WAITING
        submit(backend, f"c{n}", parent_id="parent", detached=detached)
        claim(backend, "a")
        finish(backend, "a", end(f"c{n}", status))
        drain(backend)
        assert get(backend, "parent").wake == n
    assert get(backend, "parent").status is Status.ENQUEUED


@OF_CHILD
def test_each_of_many_children_counts(backend: Backend) -> None:
    """Though they end in one batch with which their parent is suspended."""
    join(backend, "a")
    own(backend, "a", "parent")
    every = [f"c{n}" for n in range(20)]
    submit(backend, *every, parent_id="parent")
    claim(backend, "a")
    told = finish(backend, "a", suspend("parent", wake_at=20), *[end(one) for one in every])
    assert told.wakeups
    assert list(told.transitions) == [Status.WAITING, *[Status.SUCCESS] * 20]
    drain(backend)
    found = get(backend, "parent")
    assert (found.status, found.wake) == (Status.ENQUEUED, 20)


@OF_CHILD
@TELLS
def test_a_child_that_does_not_end_wakes_nobody(backend: Backend) -> None:
    _suspended(backend, "parent", wake_at=1)
    join(backend, "a")
    submit(backend, "parked", "released", "waits", parent_id="parent")
    claim(backend, "a")
    told = backend.commit(
        "a",
        Batch(
            steps=[step("parked", kind="event")],
            transitions=[
                end("parked", Status.PARKED),
                end("released", Status.ENQUEUED),
                suspend("waits", wake_at=1),
            ],
        ),
    )
    assert not told.wakeups
    drain(backend)
    found = get(backend, "parent")
    assert (found.status, found.wake) == (Status.WAITING, 0)


@OF_CHILD
@promise(Backend.reap, "strikes and status as `Recovery` says")
def test_a_child_that_is_parked_by_recovery_wakes_nobody(backend: Backend) -> None:
    _suspended(backend, "parent", wake_at=1)
    join(backend, "a")
    submit(backend, "child", parent_id="parent")
    claim(backend, "a")
    backend.leave("a")
    stop = Recovery(max_strikes=1, backoff=AT_ONCE)
    backend.reap([], margin=AT_ONCE, recovery=stop, limit=10)
    assert get(backend, "child").status is Status.PARKED
    drain(backend)
    assert get(backend, "parent").wake == 0


@TELLS
def test_an_end_tells_whether_it_matters_to_others(backend: Backend) -> None:
    join(backend, "a")
    own(backend, "a", "alone", "target")
    submit(backend, "child", parent_id="alone")
    claim(backend, "a")
    backend.subscribe([Subscription("alone", "target")])
    assert not record(backend, "a", step("alone", kind="event"), step("target")).wakeups
    assert record(backend, "a", step("target", 2, kind="event")).wakeups
    assert finish(backend, "a", end("child")).wakeups
    assert finish(backend, "a", end("target")).wakeups
    assert not finish(backend, "a", end("alone")).wakeups


@TELLS
@promise(Backend.commit, "A repeat gives the same answers as the first time")
def test_what_is_repeated_wakes_nobody_again(backend: Backend) -> None:
    stand(backend, "parent", Status.WAITING)
    join(backend, "a")
    submit(backend, "child", parent_id="parent")
    claim(backend, "a")
    backend.subscribe([Subscription("parent", "child")])
    batch = Batch(steps=[step("child", kind="event")], transitions=[end("child")])
    assert backend.commit("a", batch).wakeups
    again = backend.commit("a", batch)
    assert not again.wakeups
    assert list(again.transitions) == [Status.SUCCESS]
    drain(backend)
    assert get(backend, "parent").wake == 3


@TELLS
@promise(Backend.commit, "Nothing is written if the worker is dead")
def test_the_dead_wake_nobody(backend: Backend) -> None:
    stand(backend, "parent", Status.WAITING)
    join(backend, "a")
    submit(backend, "child", parent_id="parent")
    claim(backend, "a")
    backend.leave("a")
    assert not finish(backend, "a", end("child")).wakeups
    drain(backend)
    assert get(backend, "parent").wake == 0


# ----------------------------------------------------------- subscribers


@OF_TARGET
@promise(Subscription, "A workflow that is to be woken by the end and the events of another.")
@pytest.mark.parametrize("status", FINAL)
def test_an_end_wakes_who_has_subscribed(backend: Backend, status: Status) -> None:
    _suspended(backend, "w", wake_at=1)
    _suspended(backend, "other", wake_at=1)
    stand(backend, "target", Status.RUNNING)
    backend.subscribe([Subscription("w", "target")])
    finish(backend, OWNER, end("target", status))
    drain(backend)
    assert (get(backend, "w").status, get(backend, "w").wake) == (Status.ENQUEUED, 1)
    assert (get(backend, "other").status, get(backend, "other").wake) == (Status.WAITING, 0)


@OF_TARGET
def test_all_who_have_subscribed_are_woken(backend: Backend) -> None:
    every = [f"w{n}" for n in range(25)]
    for one in every:
        _suspended(backend, one, wake_at=1)
    stand(backend, "target", Status.RUNNING)
    for one in every:
        backend.subscribe([Subscription(one, "target")])
    finish(backend, OWNER, end("target"))
    drain(backend)
    assert {(one.status, one.wake) for one in backend.load(every)} == {(Status.ENQUEUED, 1)}


@OF_EVENT
def test_an_event_wakes_who_has_subscribed(backend: Backend) -> None:
    _suspended(backend, "w", wake_at=2)
    stand(backend, "target", Status.RUNNING)
    backend.subscribe([Subscription("w", "target")])
    record(backend, OWNER, step("target", 1), step("target", 2, kind="now"))
    drain(backend)
    assert get(backend, "w").wake == 0
    record(backend, OWNER, step("target", 3, kind="event"))
    drain(backend)
    assert (get(backend, "w").status, get(backend, "w").wake) == (Status.WAITING, 1)
    record(backend, OWNER, step("target", 4, kind="event"))
    drain(backend)
    assert (get(backend, "w").status, get(backend, "w").wake) == (Status.ENQUEUED, 2)


@OF_EVENT
@OF_TARGET
def test_events_and_an_end_of_one_batch_count_each(backend: Backend) -> None:
    _suspended(backend, "w", wake_at=1)
    stand(backend, "target", Status.RUNNING)
    backend.subscribe([Subscription("w", "target")])
    backend.commit(
        OWNER,
        Batch(steps=[step("target", n, kind="event") for n in (1, 2)], transitions=[end("target")]),
    )
    drain(backend)
    assert get(backend, "w").wake == 3


@OF_TARGET
def test_a_parking_wakes_nobody_who_has_subscribed(backend: Backend) -> None:
    _suspended(backend, "w", wake_at=1)
    stand(backend, "target", Status.RUNNING)
    backend.subscribe([Subscription("w", "target")])
    assert not finish(backend, OWNER, end("target", Status.PARKED)).wakeups
    drain(backend)
    assert get(backend, "w").wake == 0


@promise(Mail.subscribe, "What a target does after the answer leaves a wake-up")
@promise(Mail.subscribe, "what it did before can be read after it.")
@NEVER_LOST
def test_no_end_is_lost_between_a_subscription_and_a_look(backend: Backend, rival: Backend) -> None:
    join(backend, OWNER)
    join(backend, "a")
    for turn in range(RACES):
        one, target = f"w{turn}", f"t{turn}"
        own(backend, OWNER, one)
        own(backend, "a", target)

        def subscribe(one: str = one, target: str = target) -> None:
            backend.subscribe([Subscription(one, target)])
            if not get(backend, target).status.final:
                finish(backend, OWNER, suspend(one, wake_at=1))

        def finish_and_wake(target: str = target) -> None:
            finish(rival, "a", end(target))
            rival.wake(limit=1000)

        at_once(subscribe, finish_and_wake)
        drain(backend)
        assert get(backend, one).status in (Status.RUNNING, Status.ENQUEUED)
        claim(backend, OWNER)
        finish(backend, OWNER, end(one, epoch=get(backend, one).epoch))
