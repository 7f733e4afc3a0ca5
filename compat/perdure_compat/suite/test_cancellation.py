"""Cancellation: a request that counts once, and an end that waits for who runs."""

from datetime import timedelta
from functools import partial

import pytest

from perdure import backend as seam
from perdure.backend import Backend, Claimed, Recovery, Transition
from perdure.mail import Subscription
from perdure.model import Status, WorkflowRecord
from perdure_compat.promise import promise

from .races import at_once, dealt, together
from .records import (
    AT_ONCE,
    LANE,
    OWNER,
    PATIENT,
    WHEN,
    claim,
    claim_beside,
    drain,
    end,
    finish,
    get,
    ids,
    join,
    own,
    record,
    stand,
    step,
    steps_of,
    submit,
    suspend,
)

LATER = timedelta(hours=1)
FINAL = (Status.SUCCESS, Status.ERROR, Status.CANCELLED)
RACES = 20

ASKS = promise(
    Backend.cancel,
    "Ask for the end of workflows; the status of each after it, unknown ids left out.",
)
AT_ITS_END = promise(
    Backend.cancel,
    "One that nobody runs and that never ran, or is parked, is `cancelled` at once",
)
CLEANS_UP = promise(
    Backend.cancel, "One that ran before is enqueued, due at once, so that its code can clean up."
)
RUNS_ON = promise(Backend.cancel, "One that runs stays with its owner, who reads the request.")
FIRST = promise(Backend.cancel, "The first request counts: its time and reason stay.")
REQUESTS = promise(
    Backend.requests,
    "The workflows that this worker runs and that are asked to cancel, each with the reason.",
)
SENT_BACK = promise(Backend.commit, "or if it is asked to cancel and the transition does not know.")
KNOWS = promise(
    Transition,
    "Its owner knows that it is asked to cancel, and does not suspend it in ignorance.",
)


def _cancel(backend: Backend, *every: str, reason: str = "no need") -> dict[str, Status]:
    return dict(backend.cancel(every, reason=reason))


def _request(workflow: WorkflowRecord) -> tuple[bool, str | None]:
    return workflow.cancel_requested_at is not None, workflow.cancel_reason


# ---------------------------------------------------------------- states


@ASKS
@AT_ITS_END
@pytest.mark.parametrize("status", [Status.DELAYED, Status.ENQUEUED, Status.PARKED])
def test_what_nobody_runs_or_ran_is_cancelled_at_once(backend: Backend, status: Status) -> None:
    stand(backend, "w", status)
    assert _cancel(backend, "w", "nobody") == {"w": Status.CANCELLED}
    found = get(backend, "w")
    assert (found.status, found.owner, found.output_json) == (Status.CANCELLED, None, None)
    assert _request(found) == (True, "no need")
    assert found.completed_at is not None
    assert found.completed_at >= found.created_at
    assert claim(backend, OWNER) == []
    assert backend.wake(limit=10) == 0
    assert get(backend, "w") == found


@ASKS
@CLEANS_UP
@pytest.mark.parametrize("run_at", [WHEN.replace(year=2999), None])
def test_what_is_suspended_goes_back_to_the_queue(backend: Backend, run_at: object) -> None:
    stand(backend, "w", Status.RUNNING)
    finish(backend, OWNER, suspend("w", run_at=run_at, wake_at=7))
    assert _cancel(backend, "w") == {"w": Status.ENQUEUED}
    found = get(backend, "w")
    assert (found.status, found.owner, found.epoch) == (Status.ENQUEUED, None, 1)
    assert (_request(found), found.completed_at) == ((True, "no need"), None)
    (again,) = claim(backend, OWNER)
    assert (again.id, again.epoch, again.cancel_reason) == ("w", 2, "no need")


@CLEANS_UP
@promise(Claimed, "None: nobody has asked to cancel it.")
def test_what_was_released_stays_in_the_queue(backend: Backend) -> None:
    stand(backend, "w", Status.ENQUEUED, run_at=WHEN)
    join(backend, OWNER)
    (first,) = claim(backend, OWNER)
    assert first.cancel_reason is None
    finish(backend, OWNER, end("w", Status.ENQUEUED))
    assert _cancel(backend, "w") == {"w": Status.ENQUEUED}
    assert get(backend, "w").run_at == WHEN
    assert [one.cancel_reason for one in claim(backend, OWNER)] == ["no need"]


@CLEANS_UP
def test_what_waits_because_its_workers_died_is_due_at_once(backend: Backend) -> None:
    """Suspects are claimed as suspects all the same."""
    submit(backend, "w")
    later = Recovery(max_strikes=100, backoff=LATER)
    for worker in ("a", "b"):
        join(backend, worker)
        assert ids(claim(backend, worker)) == ["w"]
        backend.leave(worker)
        backend.reap([], margin=AT_ONCE, recovery=later, limit=10)
    assert get(backend, "w").status is Status.DELAYED
    assert _cancel(backend, "w") == {"w": Status.ENQUEUED}
    found = get(backend, "w")
    assert (found.strikes, found.recoveries) == (2, 2)
    join(backend, "c")
    assert claim(backend, "c") == []
    claimed = backend.claim("c", [LANE], limit=10, suspects=True)
    assert [(one.id, one.cancel_reason) for one in claimed] == [("w", "no need")]


@ASKS
@RUNS_ON
@promise(seam, "Whatever others want of a running workflow is a request that its owner reads.")
@promise(seam, "A workflow leaves a live owner only through that owner's own `commit`")
def test_what_runs_is_left_to_its_owner(backend: Backend) -> None:
    stand(backend, "w", Status.RUNNING)
    before = get(backend, "w")
    assert _cancel(backend, "w") == {"w": Status.RUNNING}
    found = get(backend, "w")
    assert (found.status, found.owner, found.epoch) == (Status.RUNNING, OWNER, 1)
    assert (found.run_at, found.completed_at) == (before.run_at, None)
    assert _request(found) == (True, "no need")
    assert list(record(backend, OWNER, step("w")).steps) != []
    assert steps_of(backend, "w") == [step("w")]


@RUNS_ON
@pytest.mark.parametrize("status", [*FINAL, Status.PARKED, Status.ENQUEUED])
def test_who_is_asked_to_cancel_may_end_in_any_way(backend: Backend, status: Status) -> None:
    """Who has finished in time has finished; and the request stays to be seen."""
    stand(backend, "w", Status.RUNNING)
    _cancel(backend, "w")
    assert list(finish(backend, OWNER, end("w", status)).transitions) == [status]
    found = get(backend, "w")
    assert (found.status, _request(found)) == (status, (True, "no need"))


@ASKS
@promise(Backend.cancel, "One that has ended stays as it is.")
@pytest.mark.parametrize("status", FINAL)
def test_what_has_ended_stays_as_it_is(backend: Backend, status: Status) -> None:
    stand(backend, "w", status)
    before = get(backend, "w")
    assert _cancel(backend, "w") == {"w": status}
    assert get(backend, "w") == before


@ASKS
@promise(Backend.cancel, "May be a transaction for each.")
@promise(seam, "Nothing to do (an empty sequence or batch, a limit of 0) is no error.")
def test_each_of_many_is_cancelled_as_it_stands(backend: Backend) -> None:
    for one in (Status.SUCCESS, Status.PARKED, Status.WAITING, Status.RUNNING, Status.ENQUEUED):
        stand(backend, str(one), one)
    submit(backend, "spared")
    asked = ("enqueued", "nobody", "running", "waiting", "parked", "success")
    assert _cancel(backend, *asked) == {
        "enqueued": Status.CANCELLED,
        "parked": Status.CANCELLED,
        "running": Status.RUNNING,
        "success": Status.SUCCESS,
        "waiting": Status.ENQUEUED,
    }
    assert _request(get(backend, "spared")) == (False, None)
    assert _cancel(backend) == {}


# --------------------------------------------------------------- request


@FIRST
@promise(seam, "after a lost answer the engine calls it again with the same arguments.")
@pytest.mark.parametrize("status", [Status.ENQUEUED, Status.RUNNING, Status.WAITING])
def test_the_first_request_counts(backend: Backend, status: Status) -> None:
    stand(backend, "w", status)
    told = _cancel(backend, "w", reason="first")
    before = get(backend, "w")
    assert _cancel(backend, "w", reason="second") == told
    assert get(backend, "w") == before
    assert before.cancel_reason == "first"


@FIRST
@AT_ITS_END
def test_who_was_parked_with_a_request_is_cancelled_by_the_next(backend: Backend) -> None:
    stand(backend, "w", Status.RUNNING)
    _cancel(backend, "w", reason="first")
    finish(backend, OWNER, end("w", Status.PARKED, error_message="broken"))
    asked_at = get(backend, "w").cancel_requested_at
    assert _cancel(backend, "w", reason="second") == {"w": Status.CANCELLED}
    found = get(backend, "w")
    assert (found.cancel_requested_at, found.cancel_reason) == (asked_at, "first")


@FIRST
@promise(seam, "Texts come back as they went in.")
@pytest.mark.parametrize("reason", ["", "it's \\ gone", "日本 🎉\n"])
def test_a_reason_is_any_text(backend: Backend, reason: str) -> None:
    stand(backend, "w", Status.RUNNING)
    _cancel(backend, "w", reason=reason)
    assert get(backend, "w").cancel_reason == reason
    assert dict(backend.requests(OWNER)) == {"w": reason}


@FIRST
@promise(seam, "**Thread-safe.** Every thread may call every verb")
def test_of_many_requests_one_counts(backend: Backend, rival: Backend) -> None:
    stand(backend, "w", Status.RUNNING)
    reasons = [f"r{n}" for n in range(8)]
    told = together(
        lambda hand: dict(hand[0].cancel(["w"], reason=hand[1])), dealt(reasons, backend, rival)
    )
    assert told == [{"w": Status.RUNNING}] * 8
    assert dict(backend.requests(OWNER)) == {"w": get(rival, "w").cancel_reason}


@REQUESTS
def test_a_worker_reads_the_requests_to_what_it_runs(backend: Backend) -> None:
    join(backend, "a", "b")
    own(backend, "a", "v", "w", "x", "ended")
    own(backend, "b", "y")
    submit(backend, "new")
    assert dict(backend.requests("a")) == {}
    _cancel(backend, "v", "y", "new", reason="first")
    _cancel(backend, "w", "ended", reason="")
    finish(backend, "a", end("ended", Status.CANCELLED))
    assert dict(backend.requests("a")) == {"v": "first", "w": ""}
    assert dict(backend.requests("b")) == {"y": "first"}
    assert dict(backend.requests("nobody")) == {}


@REQUESTS
@promise(Claimed, "None: nobody has asked to cancel it.")
def test_a_request_goes_with_its_workflow(backend: Backend) -> None:
    """To the next owner, whoever dies in between."""
    join(backend, "a", "b")
    own(backend, "a", "w")
    _cancel(backend, "w")
    backend.leave("a")
    backend.reap([], margin=AT_ONCE, recovery=PATIENT, limit=10)
    assert dict(backend.requests("a")) == {}
    assert [one.cancel_reason for one in claim(backend, "b")] == ["no need"]
    assert dict(backend.requests("b")) == {"w": "no need"}


# -------------------------------------------------------------- suspend


@SENT_BACK
@KNOWS
@promise(Backend.commit, "The answer tells.")
@pytest.mark.parametrize("run_at", [WHEN.replace(year=2999), None])
def test_who_is_suspended_in_ignorance_goes_back_to_the_queue(
    backend: Backend, run_at: object
) -> None:
    stand(backend, "w", Status.RUNNING)
    _cancel(backend, "w")
    told = finish(backend, OWNER, suspend("w", run_at=run_at, wake_at=7))
    assert list(told.transitions) == [Status.ENQUEUED]
    found = get(backend, "w")
    assert (found.status, found.owner, found.epoch) == (Status.ENQUEUED, None, 1)
    assert [(one.epoch, one.cancel_reason) for one in claim(backend, OWNER)] == [(2, "no need")]


@KNOWS
def test_who_knows_of_the_request_is_suspended(backend: Backend) -> None:
    """Its clean-up may wait, and a wake-up that came first sends it back as ever."""
    stand(backend, "w", Status.RUNNING)
    _cancel(backend, "w")
    knowing = suspend("w", run_at=WHEN.replace(year=2999), wake_at=1, cancelling=True)
    assert list(finish(backend, OWNER, knowing).transitions) == [Status.WAITING]
    drain(backend)
    assert get(backend, "w").status is Status.WAITING
    stand(backend, "child", Status.SUCCESS, parent_id="w")
    drain(backend)
    assert get(backend, "w").status is Status.ENQUEUED
    (again,) = claim(backend, OWNER)
    late = suspend("w", epoch=again.epoch, wake_at=1, cancelling=True)
    assert list(finish(backend, OWNER, late).transitions) == [Status.ENQUEUED]


@KNOWS
def test_who_knows_of_a_request_that_is_not_there_is_suspended(backend: Backend) -> None:
    stand(backend, "w", Status.RUNNING)
    told = finish(backend, OWNER, suspend("w", cancelling=True))
    assert list(told.transitions) == [Status.WAITING]
    assert _request(get(backend, "w")) == (False, None)


@SENT_BACK
@CLEANS_UP
@promise(seam, "**Guards, not timing.** Every write is conditional on the state it expects")
def test_nobody_sleeps_through_a_request(backend: Backend, rival: Backend) -> None:
    """Whichever of the two comes first."""
    join(backend, OWNER)
    for turn in range(RACES):
        one = f"w{turn}"
        own(backend, OWNER, one)

        def suspend_it(one: str = one) -> object:
            return finish(backend, OWNER, suspend(one))

        at_once(suspend_it, lambda one=one: rival.cancel([one], reason=""))  # type: ignore[misc]
        assert get(backend, one).status is Status.ENQUEUED
        assert [(each.id, each.cancel_reason) for each in claim(backend, OWNER)] == [(one, "")]


@AT_ITS_END
@RUNS_ON
@promise(seam, "**Guards, not timing.** Every write is conditional on the state it expects")
def test_who_is_claimed_at_the_time_is_either_cancelled_or_asked(
    backend: Backend, rival: Backend
) -> None:
    join(backend, OWNER)
    for turn in range(RACES):
        one = f"w{turn}"
        submit(backend, one)

        def cancel_it(one: str = one) -> Status:
            return rival.cancel([one], reason="")[one]

        earlier = [f"w{n}" for n in range(turn)]
        claimed, status = at_once(partial(claim_beside, backend, OWNER, known=earlier), cancel_it)
        assert get(backend, one).status is status
        assert status is (Status.RUNNING if claimed else Status.CANCELLED)
        assert (one in backend.requests(OWNER)) == bool(claimed)


# ---------------------------------------------------------------- others


@AT_ITS_END
@promise(Backend.cancel, "and wakes its parent and subscribers as any end does.")
@pytest.mark.parametrize("status", [Status.DELAYED, Status.ENQUEUED, Status.PARKED])
def test_an_end_by_cancellation_wakes_who_waits_for_it(backend: Backend, status: Status) -> None:
    for one in ("parent", "watcher"):
        stand(backend, one, Status.RUNNING)
        finish(backend, OWNER, suspend(one, wake_at=1))
    stand(backend, "w", status, parent_id="parent")
    backend.subscribe([Subscription("watcher", "w")])
    for _ in range(2):
        _cancel(backend, "w")
        drain(backend)
        for one in ("parent", "watcher"):
            assert (get(backend, one).status, get(backend, one).wake) == (Status.ENQUEUED, 1)


@RUNS_ON
@CLEANS_UP
def test_a_request_alone_wakes_nobody(backend: Backend) -> None:
    stand(backend, "parent", Status.WAITING)
    stand(backend, "runs", Status.RUNNING, parent_id="parent")
    stand(backend, "waits", Status.WAITING, parent_id="parent")
    _cancel(backend, "runs", "waits")
    drain(backend)
    assert get(backend, "parent").wake == 0
    finish(backend, OWNER, end("runs", Status.CANCELLED))
    drain(backend)
    assert get(backend, "parent").wake == 1
