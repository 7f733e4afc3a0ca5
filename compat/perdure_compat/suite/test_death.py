"""Death: who is declared dead, by what evidence, and what the dead can still do."""

from datetime import timedelta
from functools import partial

import pytest

from perdure import backend as seam
from perdure.backend import NOT_YOURS, RECORDED, Backend, Batch, Peer, Reaped
from perdure.model import Status
from perdure_compat.harness import Harness, Place
from perdure_compat.promise import promise

from .races import at_once, together, until
from .records import (
    AT_ONCE,
    BRIEF,
    LEASE,
    OVER,
    PATIENT,
    claim,
    end,
    finish,
    get,
    info,
    join,
    own,
    record,
    step,
    steps_of,
    submit,
)

DAY = timedelta(days=1)

WITNESSED = promise(
    Backend.reap,
    "The first declares each of `witnessed` dead whose `beat` is unchanged and whose "
    "lease ended more than `margin` ago.",
)
DEATH_IS_DECLARED = promise(
    seam,
    "**Death is declared**, by `leave` or `reap`, never by time alone. Until then a "
    "worker is live, also when its lease is over: it renews, claims and commits.",
)
DEATH_WAITS = promise(
    Backend.reap,
    "Declaring death waits for writes of that worker in flight or makes them fail: once "
    "it is dead, no commit or claim of its takes effect.",
)
FENCED = promise(Backend.commit, "One transaction. Nothing is written if the worker is dead")
FALSE_IF_DEAD = promise(
    Backend.join,
    "False: the worker is dead, and nothing was changed; its id does not come back until "
    "`reap` forgets it, a day later at least.",
)
LEAVING_WAITS = promise(
    Backend.leave,
    "Declaring death waits for writes of that worker in flight or makes them fail, here "
    "as in `reap`.",
)


def witness(backend: Backend, worker_id: str, *, by: str) -> Peer | None:
    """A worker as another one's heartbeat shows it."""
    pulse = backend.heartbeat(by, lease=LEASE)
    assert pulse is not None
    return next((peer for peer in pulse.peers if peer.worker_id == worker_id), None)


def expired(backend: Backend, worker_id: str, *, by: str) -> Peer:
    """A worker whose lease is over, as another one sees it after a while."""

    def seen() -> Peer | None:
        pulse = backend.heartbeat(by, lease=LEASE)
        assert pulse is not None
        gone = [p for p in pulse.peers if p.lease_until < pulse.now]
        return next((peer for peer in gone if peer.worker_id == worker_id), None)

    return until(seen)


def reap(backend: Backend, *witnessed: Peer, margin: timedelta = AT_ONCE) -> list[str]:
    """Who was declared dead."""
    answer = backend.reap(witnessed, margin=margin, recovery=PATIENT, limit=100)
    return list(answer.workers)


@WITNESSED
@promise(
    Backend.reap, "Declare expired workers dead and return dead workers' workflows to the queue."
)
def test_who_was_seen_to_expire_is_declared_dead(backend: Backend) -> None:
    join(backend, "a", "b", lease=BRIEF)
    peer = expired(backend, "a", by="b")
    assert reap(backend, peer) == ["a"]
    assert witness(backend, "a", by="b") is None
    assert reap(backend, peer) == []


@WITNESSED
@DEATH_IS_DECLARED
def test_an_expired_worker_that_nobody_witnessed_lives(backend: Backend) -> None:
    join(backend, "a", "b", "c", lease=BRIEF)
    expired(backend, "c", by="b")
    assert reap(backend, expired(backend, "a", by="b")) == ["a"]
    assert reap(backend) == []
    assert witness(backend, "c", by="b") is not None


@WITNESSED
def test_a_heartbeat_after_the_witness_looked_spares(backend: Backend) -> None:
    """The lease may be over again by then: what counts is that the beat moved."""
    join(backend, "a", "b", lease=BRIEF)
    before = expired(backend, "a", by="b")
    assert backend.heartbeat("a", lease=BRIEF) is not None
    after = expired(backend, "a", by="b")
    assert reap(backend, before) == []
    assert reap(backend, after) == ["a"]


@WITNESSED
@promise(
    Backend.heartbeat,
    "The beat grows with each heartbeat of the worker and each joining, no other's.",
)
def test_joining_again_after_the_witness_looked_spares(backend: Backend) -> None:
    join(backend, "a", "b", lease=BRIEF)
    before = expired(backend, "a", by="b")
    join(backend, "a")
    assert reap(backend, before) == []


@WITNESSED
def test_a_worker_with_a_valid_lease_lives(backend: Backend) -> None:
    join(backend, "a", "b")
    peer = witness(backend, "a", by="b")
    assert peer is not None
    assert reap(backend, peer) == []
    assert witness(backend, "a", by="b") is not None


@WITNESSED
def test_a_lease_counts_as_over_only_after_the_margin(backend: Backend) -> None:
    join(backend, "a", "b", lease=BRIEF)
    peer = expired(backend, "a", by="b")
    assert reap(backend, peer, margin=DAY) == []
    assert reap(backend, peer, margin=AT_ONCE) == ["a"]


@WITNESSED
def test_witnesses_of_many_are_judged_one_by_one(backend: Backend) -> None:
    join(backend, "alive", "b")
    join(backend, "gone", "back", lease=BRIEF)
    seen = [expired(backend, one, by="b") for one in ("gone", "back")]
    alive = witness(backend, "alive", by="b")
    assert alive is not None
    assert backend.heartbeat("back", lease=LEASE) is not None
    ghost = Peer(worker_id="ghost", beat=1, lease_until=seen[0].lease_until)
    assert reap(backend, alive, *seen, ghost) == ["gone"]


@promise(Reaped, "Who was declared dead, and how each of their workflows went on.")
@WITNESSED
def test_nobody_is_declared_dead_twice(backend: Backend, rival: Backend) -> None:
    join(backend, "b")
    names = [f"a{n}" for n in range(5)]
    join(backend, *names, lease=BRIEF)
    seen = [expired(backend, one, by="b") for one in names]
    answers = together(lambda b: reap(b, *seen), [backend, rival] * 2)
    told = [name for some in answers for name in some]
    assert sorted([*told, *reap(backend, *seen)]) == names


@DEATH_WAITS
@FENCED
@promise(Backend.claim, "A dead worker gets none.")
@promise(Backend.heartbeat, "None: the worker is dead (or was never there); nothing was changed.")
@FALSE_IF_DEAD
@pytest.mark.parametrize("how", ["leave", "reap"])
def test_a_zombie_changes_nothing(backend: Backend, how: str) -> None:
    join(backend, "a", "b", lease=BRIEF)
    own(backend, "a", "w")
    submit(backend, "next")
    if how == "reap":
        assert reap(backend, expired(backend, "a", by="b")) == ["a"]
    else:
        backend.leave("a")
        reap(backend)
    before = {one.id: one for one in backend.load(["w", "next"])}
    assert before["w"].status is Status.ENQUEUED
    batch = Batch(steps=[step("w")], transitions=[end("w")])
    answer = backend.commit("a", batch)
    assert answer.fenced
    assert (list(answer.steps), list(answer.transitions)) == ([NOT_YOURS], [NOT_YOURS])
    assert claim(backend, "a") == []
    assert backend.heartbeat("a", lease=LEASE) is None
    assert not backend.join(info("a"), lease=LEASE)
    assert list(backend.reconcile("a", [])) == []
    backend.leave("a")
    assert {one.id: one for one in backend.load(["w", "next"])} == before
    assert steps_of(backend, "w") == []


@FENCED
@promise(
    Backend.commit,
    "an operation is written only if its workflow is running, owned by the worker, under "
    "the operation's epoch.",
)
def test_a_workflow_claimed_again_refuses_its_old_owner(backend: Backend) -> None:
    join(backend, "a", "b")
    own(backend, "a", "w")
    backend.leave("a")
    reap(backend)
    assert [(one.id, one.epoch) for one in claim(backend, "b")] == [("w", 2)]
    for epoch in (1, 2):
        assert record(backend, "a", step("w", epoch=epoch)).fenced
        assert list(finish(backend, "a", end("w", epoch=epoch)).transitions) == [NOT_YOURS]
    assert list(record(backend, "b", step("w", epoch=1)).steps) == [NOT_YOURS]
    assert list(record(backend, "b", step("w", epoch=2)).steps) == [RECORDED]
    assert steps_of(backend, "w") == [step("w", epoch=2)]


@LEAVING_WAITS
@FENCED
def test_a_commit_against_a_death_is_written_or_fenced(backend: Backend, rival: Backend) -> None:
    """Whichever comes first: the answer is never wrong."""
    for turn in range(15):
        name, workflow = f"a{turn}", f"w{turn}"
        join(backend, name)
        own(backend, name, workflow)
        answer, _ = at_once(
            partial(record, rival, name, step(workflow)), partial(backend.leave, name)
        )
        written = not answer.fenced
        assert list(answer.steps) == [RECORDED if written else NOT_YOURS]
        assert bool(steps_of(backend, workflow)) == written
        reap(backend)
        late = record(rival, name, step(workflow, 2))
        assert late.fenced
        assert len(steps_of(backend, workflow)) == int(written)
        assert get(backend, workflow).status is Status.ENQUEUED
        join(backend, f"b{turn}")
        assert [one.epoch for one in claim(backend, f"b{turn}")] == [2]


@LEAVING_WAITS
@DEATH_WAITS
def test_nothing_is_written_once_a_death_was_told(backend: Backend, rival: Backend) -> None:
    """Death waits for a commit in flight, or makes it fail."""
    for turn in range(12):
        name, workflow = f"a{turn}", f"w{turn}"
        join(backend, name)
        own(backend, name, workflow)
        many = [step(workflow, seq) for seq in range(1, 800)]

        def die(name: str = name, workflow: str = workflow, after: int = turn) -> int:
            for _ in range(after * 2):
                backend.heartbeat(name, lease=LEASE)
            backend.leave(name)
            return len(steps_of(backend, workflow))

        answer, seen = at_once(partial(record, rival, name, *many), die)
        assert len(steps_of(backend, workflow)) == seen
        assert seen == (0 if answer.fenced else len(many))
        reap(backend)
        join(backend, f"b{turn}")
        assert [one.epoch for one in claim(backend, f"b{turn}")] == [2]


@WITNESSED
@promise(Backend.heartbeat, "None: the worker is dead (or was never there); nothing was changed.")
def test_a_heartbeat_against_a_reaper_is_renewed_or_told(backend: Backend, rival: Backend) -> None:
    join(backend, "b")
    for turn in range(10):
        name = f"a{turn}"
        join(backend, name, lease=timedelta(milliseconds=20))
        peer = expired(backend, name, by="b")
        pulse, killed = at_once(
            partial(rival.heartbeat, name, lease=LEASE), partial(reap, backend, peer)
        )
        dead = witness(backend, name, by="b") is None
        assert killed == ([name] if dead else [])
        assert (pulse is None) == dead


@WITNESSED
@FALSE_IF_DEAD
def test_joining_again_against_a_reaper_is_let_in_or_told(backend: Backend, rival: Backend) -> None:
    join(backend, "b")
    for turn in range(10):
        name = f"a{turn}"
        join(backend, name, lease=OVER)
        peer = witness(backend, name, by="b")
        assert peer is not None
        back, killed = at_once(
            partial(rival.join, info(name), lease=LEASE), partial(reap, backend, peer)
        )
        dead = witness(backend, name, by="b") is None
        assert killed == ([name] if dead else [])
        assert back == (not dead)


@DEATH_WAITS
@FENCED
def test_a_commit_against_a_reaper_is_written_or_fenced(backend: Backend, rival: Backend) -> None:
    """Its owner was late and comes back; whoever is first, the next owner sees the same."""
    join(backend, "b")
    for turn in range(12):
        name, workflow = f"a{turn}", f"w{turn}"
        join(backend, name, lease=OVER)
        own(backend, name, workflow)
        peer = witness(backend, name, by="b")
        assert peer is not None
        answer, killed = at_once(
            partial(record, rival, name, step(workflow)), partial(reap, backend, peer)
        )
        written = not answer.fenced
        assert list(answer.steps) == [RECORDED if written else NOT_YOURS]
        assert bool(steps_of(backend, workflow)) == written
        assert written or killed == [name]
        assert [*killed, *reap(backend, peer)] == [name]
        assert record(rival, name, step(workflow, 2)).fenced
        (again,) = claim(backend, "b")
        assert (again.id, again.epoch, again.strikes) == (workflow, 2, 1)
        assert len(steps_of(backend, workflow)) == int(written)
        finish(backend, "b", end(workflow, epoch=2))


@FALSE_IF_DEAD
@promise(
    Backend.reap,
    "Workers dead for more than a day that own nothing are forgotten, some at each call: "
    "the next to join under such an id is a new one.",
)
@pytest.mark.needs("clock")
def test_an_id_comes_back_once_its_death_is_forgotten(
    harness: Harness, place: Place, backend: Backend
) -> None:
    join(backend, "a", "b")
    before = witness(backend, "a", by="b")
    backend.leave("a")
    harness.pass_time(place, 2 * DAY)
    assert not backend.join(info("a"), lease=LEASE)
    reap(backend)
    assert backend.join(info("a"), lease=LEASE)
    after = witness(backend, "a", by="b")
    assert before is not None
    assert after is not None
    assert after.lease_until > before.lease_until


@FALSE_IF_DEAD
@pytest.mark.needs("clock")
def test_a_death_is_remembered_for_a_day(harness: Harness, place: Place, backend: Backend) -> None:
    join(backend, "a")
    backend.leave("a")
    harness.pass_time(place, DAY - timedelta(minutes=5))
    reap(backend)
    assert not backend.join(info("a"), lease=LEASE)


@promise(Backend.reap, "Workers dead for more than a day that own nothing are forgotten")
@pytest.mark.needs("clock")
def test_the_dead_are_remembered_as_long_as_they_own_something(
    harness: Harness, place: Place, backend: Backend
) -> None:
    join(backend, "a", "b")
    own(backend, "a", "v", "w")
    backend.leave("a")
    harness.pass_time(place, 2 * DAY)
    for left in (1, 0):
        assert not backend.join(info("a"), lease=LEASE)
        reaped = backend.reap([], margin=AT_ONCE, recovery=PATIENT, limit=1)
        assert len(reaped.workflows) == 1
        owners = [one.owner for one in backend.load(["v", "w"])]
        assert owners.count("a") == left
    reap(backend)
    assert backend.join(info("a"), lease=LEASE)


@promise(Backend.reap, "Workers dead for more than a day that own nothing are forgotten")
@DEATH_IS_DECLARED
@pytest.mark.needs("clock")
def test_the_living_are_never_forgotten(harness: Harness, place: Place, backend: Backend) -> None:
    join(backend, "a", "b")
    harness.pass_time(place, 2 * DAY)
    reap(backend)
    assert backend.heartbeat("a", lease=LEASE) is not None
