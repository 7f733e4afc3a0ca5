"""Recovery: what becomes of the workflows of the dead, and of those nobody knows."""

from datetime import timedelta
from uuid import uuid4

import pytest

from perdure import backend as seam
from perdure.backend import NOT_YOURS, Backend, Lane, Pulse, Reaped, Recovery, Transition
from perdure.model import Status
from perdure_compat.promise import promise

from .races import together
from .records import (
    AT_ONCE,
    LANE,
    LEASE,
    OVER,
    PATIENT,
    claim,
    end,
    finish,
    get,
    ids,
    join,
    own,
    record,
    scrambled,
    step,
    steps_of,
    submit,
)

HOUR = timedelta(hours=1)
SOON = timedelta(seconds=10)

GIVEN_BACK = promise(
    Backend.reap, "owner None, recoveries + 1, strikes and status as `Recovery` says"
)
TAKEN = promise(
    Backend.reap, "The second takes up to `limit` running workflows from workers that are dead"
)
OWNER_EXIT = promise(
    seam,
    "A workflow leaves a live owner only through that owner's own `commit` (or its own "
    "`reconcile`); a dead one's only through `reap`.",
)
SUSPECTS_ALONE = promise(
    Backend.claim,
    "`suspects` takes those with two strikes or more, and only those; without it they are "
    "left alone.",
)
RETURNS = promise(
    Backend.reconcile,
    "Return to the queue what the table gives to a worker that does not know of it.",
)
KNOWN = promise(
    Backend.reconcile,
    "`known` is every id that the worker runs, taken before the call and with none of its "
    "claims in flight.",
)


def reap(backend: Backend, *, recovery: Recovery = PATIENT, limit: int = 1000) -> Reaped:
    """Take back what the dead own."""
    return backend.reap([], margin=AT_ONCE, recovery=recovery, limit=limit)


def lives(backend: Backend, count: int, *, recovery: Recovery = PATIENT) -> None:
    """Let `count` workers, one after the other, claim everything and die of it."""
    for _ in range(count):
        victim = uuid4().hex
        join(backend, victim)
        backend.wake(limit=1000)
        for suspects in (False, True):
            backend.claim(victim, [LANE], limit=1000, suspects=suspects)
        backend.leave(victim)
        reap(backend, recovery=recovery)


def orphans(backend: Backend) -> bool:
    """What a heartbeat says of them; somebody called z is alive."""
    pulse = backend.heartbeat("z", lease=LEASE)
    assert pulse is not None
    return pulse.orphans


@GIVEN_BACK
@promise(Backend.leave, "What the worker still owns is for `reap`.")
@promise(Recovery, "What becomes of a dead worker's workflows.")
def test_a_dead_worker_s_workflows_return_to_the_queue(backend: Backend) -> None:
    join(backend, "a", "b")
    own(backend, "a", "v", "w")
    backend.leave("a")
    assert dict(reap(backend).workflows) == {"v": Status.ENQUEUED, "w": Status.ENQUEUED}
    found = get(backend, "w")
    assert (found.status, found.owner, found.epoch) == (Status.ENQUEUED, None, 1)
    assert (found.recoveries, found.strikes) == (1, 1)
    assert sorted((one.id, one.epoch) for one in claim(backend, "b")) == [
        ("v", 2),
        ("w", 2),
    ]


@promise(
    seam, "**One verb is one transaction** (or says where it is two) and is **safe to repeat**"
)
@GIVEN_BACK
def test_reaping_again_changes_nothing(backend: Backend) -> None:
    join(backend, "a")
    own(backend, "a", "w")
    backend.leave("a")
    reap(backend)
    before = get(backend, "w")
    assert dict(reap(backend).workflows) == {}
    assert get(backend, "w") == before


@TAKEN
@OWNER_EXIT
def test_what_the_living_own_and_what_has_ended_is_left_alone(backend: Backend) -> None:
    join(backend, "a", "b")
    own(backend, "a", "ended", "failed", "parked", "lost")
    finish(
        backend,
        "a",
        end("ended"),
        end("failed", Status.ERROR),
        end("parked", Status.PARKED),
    )
    own(backend, "b", "runs")
    submit(backend, "waits")
    rest = ["ended", "failed", "parked", "runs", "waits"]
    before = {one.id: one for one in backend.load(rest)}
    backend.leave("a")
    assert list(reap(backend).workflows) == ["lost"]
    assert {one.id: one for one in backend.load(rest)} == before


@promise(Backend.reap, "from workers that are dead (these, earlier ones")
def test_reap_takes_from_whom_it_declares_dead_and_from_the_dead_before(backend: Backend) -> None:
    join(backend, "b", "left")
    join(backend, "late", lease=OVER)
    own(backend, "left", "v")
    own(backend, "late", "w")
    backend.leave("left")
    pulse = backend.heartbeat("b", lease=LEASE)
    assert pulse is not None
    reaped = backend.reap(pulse.peers, margin=AT_ONCE, recovery=PATIENT, limit=10)
    assert list(reaped.workers) == ["late"]
    assert dict(reaped.workflows) == {"v": Status.ENQUEUED, "w": Status.ENQUEUED}


@promise(Backend.reap, "Two transactions.")
@promise(seam, "Nothing to do (an empty sequence or batch, a limit of 0) is no error.")
def test_reap_without_room_takes_nothing_and_declares_all_the_same(backend: Backend) -> None:
    join(backend, "b")
    join(backend, "a", lease=OVER)
    own(backend, "a", "w")
    pulse = backend.heartbeat("b", lease=LEASE)
    assert pulse is not None
    reaped = backend.reap(pulse.peers, margin=AT_ONCE, recovery=PATIENT, limit=0)
    assert (list(reaped.workers), dict(reaped.workflows)) == (["a"], {})
    assert get(backend, "w").owner == "a"
    assert dict(reap(backend).workflows) == {"w": Status.ENQUEUED}


@TAKEN
@promise(
    Backend.reap,
    "Which of them first is the backend's choice; the engine calls again while the limit "
    "was reached.",
)
def test_reap_takes_no_more_than_its_limit_and_goes_on_when_called_again(
    backend: Backend,
) -> None:
    join(backend, "a")
    every = [f"w{n}" for n in range(25)]
    own(backend, "a", *every)
    backend.leave("a")
    answers = [reap(backend, limit=10).workflows for _ in range(4)]
    assert [len(one) for one in answers] == [10, 10, 5, 0]
    assert sorted(one for some in answers for one in some) == sorted(every)
    assert {one.recoveries for one in backend.load(every)} == {1}


@GIVEN_BACK
def test_two_reapers_at_once_count_each_recovery_once(backend: Backend, rival: Backend) -> None:
    join(backend, "z")
    for turn in range(8):
        every = [f"w{turn}-{n}" for n in range(200)]
        join(backend, f"a{turn}")
        own(backend, f"a{turn}", *every)
        backend.leave(f"a{turn}")
        told = together(lambda b: list(reap(b).workflows), [backend, rival] * 2)
        told.append(list(reap(backend).workflows))
        assert sorted(one for some in told for one in some) == sorted(every)
        found = backend.load(every)
        assert {(one.recoveries, one.strikes) for one in found} == {(1, 1)}
        ending = [end(one.id, epoch=one.epoch) for one in claim(backend, "z")]
        finish(backend, "z", *ending)


@promise(Pulse, "Whether a running workflow belongs to a worker that is dead or forgotten.")
def test_a_pulse_tells_of_orphans(backend: Backend) -> None:
    join(backend, "a", "z")
    own(backend, "a", "w")
    assert not orphans(backend)
    backend.leave("a")
    assert orphans(backend)
    reap(backend)
    assert not orphans(backend)


@promise(Pulse, "Whether a running workflow belongs to a worker that is dead or forgotten.")
def test_who_dies_with_nothing_to_run_leaves_no_orphans(backend: Backend) -> None:
    join(backend, "a", "z")
    own(backend, "a", "w")
    finish(backend, "a", end("w"))
    backend.leave("a")
    assert not orphans(backend)


@promise(
    Recovery,
    "Two strikes make it a suspect, which waits `backoff` times 2^(strikes - 2), at most 2^20",
)
@pytest.mark.parametrize(("strikes", "times"), [(2, 1), (3, 2), (4, 4), (6, 16), (24, 2**20)])
def test_from_two_strikes_on_each_one_doubles_the_delay(
    backend: Backend, strikes: int, times: int
) -> None:
    submit(backend, "w")
    lives(backend, strikes - 1)
    lives(backend, 1, recovery=Recovery(max_strikes=50, backoff=HOUR))
    found = get(backend, "w")
    assert (found.status, found.strikes) == (Status.DELAYED, strikes)
    join(backend, "z")
    pulse = backend.heartbeat("z", lease=LEASE)
    assert pulse is not None
    assert abs(found.run_at - pulse.now - HOUR * times) < SOON
    assert pulse.next_due == found.run_at


@promise(Recovery, "`max_strikes` park it.")
@promise(Backend.reap, "an `error_message` explains a parking.")
@pytest.mark.parametrize("most", [1, 2, 5])
def test_too_many_strikes_park_and_say_so(backend: Backend, most: int) -> None:
    submit(backend, "w")
    lives(backend, most - 1)
    assert get(backend, "w").status is not Status.PARKED
    join(backend, "a")
    backend.wake(limit=10)
    for suspects in (False, True):
        backend.claim("a", [LANE], limit=10, suspects=suspects)
    backend.leave("a")
    told = reap(backend, recovery=Recovery(max_strikes=most, backoff=HOUR)).workflows
    assert dict(told) == {"w": Status.PARKED}
    found = get(backend, "w")
    assert (found.status, found.owner) == (Status.PARKED, None)
    assert (found.strikes, found.recoveries) == (most, most)
    assert found.error_message


@promise(
    Recovery,
    "A workflow without progress since its last claim gets one more strike, one with "
    "progress counts from one again.",
)
def test_progress_starts_the_count_of_strikes_again(backend: Backend) -> None:
    submit(backend, "w")
    lives(backend, 3)
    assert get(backend, "w").strikes == 3
    join(backend, "a")
    backend.wake(limit=10)
    (claimed,) = backend.claim("a", [LANE], limit=1, suspects=True)
    record(backend, "a", step("w", epoch=claimed.epoch))
    backend.leave("a")
    assert dict(reap(backend).workflows) == {"w": Status.ENQUEUED}
    assert (get(backend, "w").strikes, get(backend, "w").recoveries) == (1, 4)
    lives(backend, 1)
    assert (get(backend, "w").strikes, get(backend, "w").recoveries) == (2, 5)


@promise(
    Backend.claim,
    "Take up to `limit` due, enqueued workflows of these lanes: running, owner, epoch + 1.",
)
def test_a_parked_workflow_is_handed_to_nobody(backend: Backend) -> None:
    submit(backend, "w")
    lives(backend, 1, recovery=Recovery(max_strikes=1, backoff=AT_ONCE))
    assert get(backend, "w").status is Status.PARKED
    before = get(backend, "w")
    lives(backend, 1)
    assert get(backend, "w") == before


@SUSPECTS_ALONE
def test_a_suspect_is_claimed_only_as_one(backend: Backend) -> None:
    submit(backend, "w")
    lives(backend, 2)
    assert get(backend, "w").status is Status.DELAYED
    assert backend.wake(limit=10) == 1
    submit(backend, "innocent")
    join(backend, "a")
    assert ids(backend.claim("a", [LANE], limit=10)) == ["innocent"]
    assert ids(backend.claim("a", [Lane("default", "x")], limit=10, suspects=True)) == []
    submit(backend, "innocent too")
    (suspect,) = backend.claim("a", [LANE], limit=10, suspects=True)
    assert (suspect.id, suspect.strikes) == ("w", 2)


@SUSPECTS_ALONE
def test_one_strike_makes_no_suspect(backend: Backend) -> None:
    submit(backend, "w")
    lives(backend, 1)
    join(backend, "a")
    assert list(backend.claim("a", [LANE], limit=10, suspects=True)) == []
    assert [one.strikes for one in claim(backend, "a")] == [1]


@promise(Transition, "`enqueued` (back to the queue as it was, strikes unchanged, due at once)")
def test_strikes_outlive_a_release(backend: Backend) -> None:
    submit(backend, "w")
    lives(backend, 1)
    join(backend, "a")
    claim(backend, "a")
    finish(backend, "a", end("w", Status.ENQUEUED, epoch=2))
    assert (get(backend, "w").strikes, get(backend, "w").recoveries) == (1, 1)


@RETURNS
@promise(Backend.reconcile, "Answers with the ids released.")
@promise(Backend.reconcile, "Strikes and recoveries stay.")
def test_reconcile_releases_exactly_what_is_not_known(backend: Backend) -> None:
    join(backend, "a", "b")
    own(backend, "a", *[f"w{n}" for n in range(40)], "ended")
    finish(backend, "a", end("ended"))
    own(backend, "b", "theirs")
    submit(backend, "free")
    rest = [*[f"w{n}" for n in range(0, 40, 2)], "ended", "theirs", "free"]
    before = {one.id: one for one in backend.load(rest)}
    released = backend.reconcile("a", rest)
    assert sorted(released) == sorted(f"w{n}" for n in range(1, 40, 2))
    assert {one.id: one for one in backend.load(rest)} == before
    for found in backend.load(released):
        assert (found.status, found.owner, found.epoch) == (Status.ENQUEUED, None, 1)
        assert (found.strikes, found.recoveries) == (0, 0)
    assert list(backend.reconcile("a", rest)) == []


@RETURNS
@KNOWN
def test_reconcile_with_nothing_known_releases_everything_of_its_worker(
    backend: Backend,
) -> None:
    join(backend, "a", "b")
    own(backend, "a", "v", "w")
    own(backend, "b", "theirs")
    assert sorted(backend.reconcile("a", [])) == ["v", "w"]
    assert get(backend, "theirs").owner == "b"
    assert sorted(one.epoch for one in claim(backend, "b")) == [2, 2]
    assert list(record(backend, "a", step("w")).steps) == [NOT_YOURS]
    assert steps_of(backend, "w") == []


@KNOWN
def test_reconcile_may_know_many(backend: Backend) -> None:
    join(backend, "a")
    every = [f"it's {n}, {{}}" for n in range(1000)]
    submit(backend, *every)
    claim(backend, "a")
    assert list(backend.reconcile("a", scrambled(every)[1:])) == [scrambled(every)[0]]


@RETURNS
@pytest.mark.parametrize("worker_id", ["ghost", "a"])
def test_reconcile_of_who_owns_nothing_changes_nothing(backend: Backend, worker_id: str) -> None:
    join(backend, "a", "b")
    own(backend, "b", "w")
    assert list(backend.reconcile(worker_id, [])) == []
    assert get(backend, "w").owner == "b"


@promise(
    Backend.reconcile,
    "A dead worker's workflows are for `reap`: it releases none, and changes nothing.",
)
@OWNER_EXIT
def test_reconcile_of_the_dead_releases_nothing(backend: Backend) -> None:
    """Else a zombie could take its workflows past the strikes that its death costs."""
    join(backend, "a")
    own(backend, "a", "w")
    backend.leave("a")
    before = get(backend, "w")
    assert list(backend.reconcile("a", [])) == []
    assert get(backend, "w") == before
    assert dict(reap(backend).workflows) == {"w": Status.ENQUEUED}
    assert (get(backend, "w").strikes, get(backend, "w").recoveries) == (1, 1)
