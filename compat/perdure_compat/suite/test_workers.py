"""Workers: who is alive, until when, and what they serve."""

from datetime import UTC, datetime, timedelta
from functools import partial

from perdure import backend as seam
from perdure.backend import NOT_YOURS, Backend, Batch, Lane, Peer, Pulse, Query, Service, WorkerInfo
from perdure.model import Status
from perdure_compat.promise import promise

from .races import dealt, together, until
from .records import (
    AT_ONCE,
    BRIEF,
    LEASE,
    OVER,
    PATIENT,
    WHEN,
    claim,
    end,
    finish,
    get,
    info,
    job,
    join,
    own,
    step,
    steps_of,
    submit,
)

SOON = timedelta(seconds=10)

THREAD_SAFE = promise(seam, "**Thread-safe.** Every thread may call every verb")
NOT_DEAD = promise(
    Pulse, "All workers that are not dead, the caller included, whatever their leases say."
)
BEATS = promise(
    Backend.heartbeat,
    "The beat grows with each heartbeat of the worker and each joining, no other's.",
)
DEATH_IS_DECLARED = promise(
    seam,
    "**Death is declared**, by `leave` or `reap`, never by time alone. Until then a "
    "worker is live, also when its lease is over: it renews, claims and commits.",
)
SERVED = promise(
    Backend.service, "Whether a workflow name was ever served, and whether a live worker serves it."
)
KNOWN_AND_LIVE = promise(
    Service, "Whether anybody serves a name: `known` if ever, `live` if now, on that queue."
)


def pulse(backend: Backend, worker_id: str) -> Pulse:
    """The answer to a heartbeat of a worker that is alive."""
    answer = backend.heartbeat(worker_id, lease=LEASE)
    assert answer is not None
    return answer


def peers(backend: Backend, observer: str) -> dict[str, Peer]:
    """Everybody that is not dead."""
    return {peer.worker_id: peer for peer in pulse(backend, observer).peers}


@NOT_DEAD
def test_a_worker_that_joined_is_among_the_peers_of_all(backend: Backend, rival: Backend) -> None:
    join(backend, "a", "b")
    assert set(peers(backend, "a")) == set(peers(rival, "b")) == {"a", "b"}


@promise(Backend.join, "Make a worker known, alive until `lease` from now.")
@promise(seam, "**The database's clock** decides leases and due times.")
def test_join_makes_a_worker_alive_until_its_lease_ends(backend: Backend) -> None:
    join(backend, "a", "b", lease=timedelta(hours=2))
    answer = pulse(backend, "a")
    (other,) = (peer for peer in answer.peers if peer.worker_id == "b")
    assert abs(other.lease_until - answer.now - timedelta(hours=2)) < SOON


@promise(Backend.heartbeat, "Renew a lease to `lease` from now, even if it has run out already.")
def test_a_heartbeat_renews_the_lease_from_now(backend: Backend) -> None:
    join(backend, "a", lease=BRIEF)
    answer = backend.heartbeat("a", lease=timedelta(hours=2))
    assert answer is not None
    assert abs(answer.peers[0].lease_until - answer.now - timedelta(hours=2)) < SOON


@promise(Backend.heartbeat, "Renew a lease to `lease` from now")
def test_a_heartbeat_may_shorten_the_lease(backend: Backend) -> None:
    join(backend, "a", lease=timedelta(hours=2))
    answer = backend.heartbeat("a", lease=BRIEF)
    assert answer is not None
    assert answer.peers[0].lease_until - answer.now < SOON


@BEATS
def test_the_beat_grows_when_its_worker_joins_again(backend: Backend) -> None:
    join(backend, "a", "b")
    first = peers(backend, "b")
    join(backend, "a")
    second = peers(backend, "b")
    assert first["a"].beat < second["a"].beat


@BEATS
@promise(Peer, "`beat` grows with each heartbeat.")
def test_the_beat_grows_with_each_heartbeat_of_its_worker_only(
    backend: Backend,
) -> None:
    join(backend, "a", "b")
    first = peers(backend, "a")
    second = peers(backend, "a")
    assert first["a"].beat < second["a"].beat
    assert first["b"].beat == second["b"].beat


@BEATS
@THREAD_SAFE
def test_heartbeats_at_once_all_count(backend: Backend, rival: Backend) -> None:
    join(backend, "a")
    before = peers(backend, "a")["a"].beat
    together(lambda b: peers(b, "a"), [backend, rival] * 4)
    assert peers(backend, "a")["a"].beat >= before + 9


@promise(Backend.heartbeat, "Renew a lease to `lease` from now, even if it has run out already.")
@DEATH_IS_DECLARED
def test_a_lease_that_ran_out_may_be_renewed(backend: Backend) -> None:
    """Until somebody has declared it dead, a late worker is a living one."""
    join(backend, "a", "b", lease=BRIEF)
    until(lambda: (p := pulse(backend, "b")).now > _lease_of(p, "a"))
    assert pulse(backend, "a").now < peers(backend, "a")["a"].lease_until


@promise(Backend.join, "A lease below zero is over at once.")
def test_a_lease_below_zero_is_over_at_once(backend: Backend) -> None:
    join(backend, "b")
    join(backend, "a", lease=OVER)
    answer = pulse(backend, "b")
    assert _lease_of(answer, "a") < answer.now
    assert pulse(backend, "a").now < peers(backend, "b")["a"].lease_until
    assert backend.heartbeat("a", lease=OVER) is not None
    answer = pulse(backend, "b")
    assert _lease_of(answer, "a") < answer.now


@DEATH_IS_DECLARED
@NOT_DEAD
@promise(Peer, "A live worker, so one that is not dead.")
def test_who_is_late_lives_until_it_is_declared_dead(backend: Backend) -> None:
    join(backend, "b")
    join(backend, "a", lease=OVER)
    submit(backend, "w")
    reaped = backend.reap([], margin=AT_ONCE, recovery=PATIENT, limit=10)
    assert (list(reaped.workers), dict(reaped.workflows)) == ([], {})
    assert set(peers(backend, "b")) == {"a", "b"}
    assert [one.id for one in claim(backend, "a")] == ["w"]
    assert not pulse(backend, "b").orphans
    answer = finish(backend, "a", end("w"))
    assert (answer.fenced, list(answer.transitions)) == (False, [Status.SUCCESS])
    assert backend.join(info("a"), lease=LEASE)


@promise(Backend.service, "On that queue, now, and under a lease that is not over")
@promise(seam, "Only `service` asks for a lease that holds.")
@promise(Service, "Live is here who is not dead and whose lease is not over.")
def test_only_under_a_lease_that_holds_does_a_worker_serve(backend: Backend) -> None:
    join(backend, "a", lease=OVER)
    assert backend.service("work", "default") == Service(known=True, live=False)
    assert backend.heartbeat("a", lease=LEASE) is not None
    assert backend.service("work", "default") == Service(known=True, live=True)


def _lease_of(answer: Pulse, worker_id: str) -> datetime:
    (found,) = (peer for peer in answer.peers if peer.worker_id == worker_id)
    return found.lease_until


@promise(Pulse, "The database's clock.")
@promise(
    seam,
    "Times that come in and out are aware UTC with microseconds (milliseconds where the "
    "database has no more)",
)
@promise(Pulse, "The answer to a heartbeat, from one moment.")
def test_the_database_s_clock_is_aware_utc_and_goes_on(backend: Backend) -> None:
    join(backend, "a")
    first, second = pulse(backend, "a"), pulse(backend, "a")
    assert first.now.utcoffset() == timedelta(0)
    assert first.peers[0].lease_until.utcoffset() == timedelta(0)
    assert WHEN.astimezone(UTC) < first.now <= second.now


@promise(Backend.heartbeat, "None: the worker is dead (or was never there); nothing was changed.")
@promise(seam, "**An expected refusal is a value.**")
def test_a_heartbeat_of_nobody_is_none_and_makes_nobody(backend: Backend) -> None:
    join(backend, "a")
    assert backend.heartbeat("ghost", lease=LEASE) is None
    assert set(peers(backend, "a")) == {"a"}


@promise(Backend.leave, "Declare oneself dead.")
@promise(Backend.heartbeat, "None: the worker is dead (or was never there); nothing was changed.")
def test_who_left_is_dead(backend: Backend) -> None:
    join(backend, "a", "b")
    backend.leave("b")
    assert set(peers(backend, "a")) == {"a"}
    assert backend.heartbeat("b", lease=LEASE) is None


@promise(Backend.leave, "Nothing happens if it is dead or was never there.")
@promise(
    seam, "**One verb is one transaction** (or says where it is two) and is **safe to repeat**"
)
def test_leaving_twice_or_without_having_joined_harms_nobody(backend: Backend) -> None:
    join(backend, "a", "b")
    backend.leave("b")
    backend.leave("b")
    backend.leave("ghost")
    assert set(peers(backend, "a")) == {"a"}


@promise(
    Backend.join,
    "False: the worker is dead, and nothing was changed; its id does not come back until "
    "`reap` forgets it, a day later at least.",
)
def test_dead_ids_never_come_back(backend: Backend) -> None:
    join(backend, "a", "b")
    backend.leave("b")
    for _ in range(2):
        assert not backend.join(info("b", names=["secret"]), lease=LEASE)
        backend.reap([], margin=AT_ONCE, recovery=PATIENT, limit=10)
    assert set(peers(backend, "a")) == {"a"}
    assert backend.service("secret", "default") == Service(known=False, live=False)


@promise(
    Backend.join, "Joining again under the same id replaces what it serves and renews its lease."
)
def test_joining_again_renews_the_lease_and_replaces_what_is_served(
    backend: Backend,
) -> None:
    assert backend.join(info("a", names=["old"]), lease=BRIEF)
    assert backend.join(info("a", names=["new"], queues=["fast"]), lease=LEASE)
    assert backend.service("new", "fast") == Service(known=True, live=True)
    assert backend.service("old", "default") == Service(known=True, live=False)
    answer = pulse(backend, "a")
    assert [peer.worker_id for peer in answer.peers] == ["a"]
    assert answer.peers[0].lease_until - answer.now > SOON


@THREAD_SAFE
@promise(Backend.join, "Make a worker known")
def test_many_workers_may_join_at_once(backend: Backend, rival: Backend) -> None:
    names = [f"w{n}" for n in range(8)]
    together(
        lambda hand: hand[0].join(info(hand[1]), lease=LEASE),
        dealt(names, backend, rival),
    )
    assert set(peers(backend, "w0")) == set(names)


@SERVED
@KNOWN_AND_LIVE
def test_a_name_that_was_never_served_is_unknown(backend: Backend) -> None:
    join(backend, "a")
    submit(backend, "w", name="typo")
    assert backend.service("typo", "default") == Service(known=False, live=False)


@SERVED
@promise(Backend.service, "On that queue, now, and under a lease that is not over")
@KNOWN_AND_LIVE
def test_a_name_is_live_on_the_queues_of_a_worker_that_serves_it(
    backend: Backend,
) -> None:
    join(backend, "a")
    assert backend.service("work", "default") == Service(known=True, live=True)
    assert backend.service("work", "elsewhere") == Service(known=True, live=False)


@promise(Backend.join, "The names served are remembered for good (`service`).")
def test_a_name_is_remembered_when_its_last_worker_is_dead(backend: Backend) -> None:
    join(backend, "a", "b")
    backend.leave("a")
    assert backend.service("work", "default") == Service(known=True, live=True)
    backend.leave("b")
    assert backend.service("work", "default") == Service(known=True, live=False)


@promise(seam, "Texts come back as they went in.")
@SERVED
@promise(WorkerInfo, "`names` and `queues` are what it serves.")
def test_what_is_served_is_compared_as_a_whole(backend: Backend) -> None:
    """Names and queues are lists of any texts, not one text to search in."""
    names = ["a,b", 'c"d', "e{}", "f%g", "日本", "H", "back\\slash"]
    assert backend.join(info("a", names=names, queues=["q,r", "s"]), lease=LEASE)
    for name in names:
        assert backend.service(name, "q,r") == Service(known=True, live=True)
    for name in ("a", "b", "c", "f", "fxg", "h", '"'):
        assert backend.service(name, "s") == Service(known=False, live=False)
    for queue in ("q", "r", "S", ""):
        assert backend.service("a,b", queue) == Service(known=True, live=False)


@promise(
    Pulse, "When `wake` has something to do: the earliest due time of a delayed or waiting workflow"
)
def test_the_next_due_time_is_that_of_the_earliest_delayed(backend: Backend) -> None:
    join(backend, "a")
    submit(backend, "now")
    assert pulse(backend, "a").next_due is None
    due = WHEN + timedelta(days=10_000)
    late, early = due + timedelta(days=1), due
    backend.submit([job("late", run_at=late), job("early", run_at=early)])
    assert pulse(backend, "a").next_due == due


@THREAD_SAFE
def test_threads_share_a_backend_for_every_verb(backend: Backend) -> None:
    """Each leads a life of its own, and none sees anything of the others."""
    names = [f"a{n}" for n in range(8)]
    assert together(partial(_a_life, backend), names) == [1] * len(names)
    found = backend.load([f"{name}-{n}" for name in names for n in range(3)])
    assert [one.status for one in found] == [Status.SUCCESS] * 24
    assert {one.epoch for one in found} == {3}


def _a_life(backend: Backend, name: str) -> int:
    """Everything that a worker can ask for; how often it was declared dead."""
    lane, every = Lane(name, name), [f"{name}-{n}" for n in range(3)]
    assert backend.join(info(name, names=[name], queues=[name]), lease=LEASE)
    assert not backend.submit([job(one, name=name, queue=name) for one in every])
    assert backend.service(name, name) == Service(known=True, live=True)
    assert len(backend.claim(name, [lane], limit=9)) == 3
    assert sorted(backend.reconcile(name, [])) == every
    backend.wake(limit=0)
    assert len(backend.claim(name, [lane], limit=9)) == 3
    parking = [end(one, Status.PARKED, epoch=2) for one in every]
    steps = [step(one, epoch=2) for one in every]
    answer = backend.commit(name, Batch(steps=steps, transitions=parking))
    assert list(answer.transitions) == [Status.PARKED] * 3
    assert sorted(one.workflow_id for one in backend.history(every)) == every
    assert [backend.resume(one, epoch=2) for one in every] == [Status.ENQUEUED] * 3
    claimed = backend.claim(name, [lane], limit=9)
    assert backend.heartbeat(name, lease=LEASE) is not None
    finish(backend, name, *[end(one.id, epoch=one.epoch) for one in claimed])
    assert len(backend.find(Query(name=name, statuses=[Status.SUCCESS]))) == 3
    backend.leave(name)
    backend.reap([], margin=AT_ONCE, recovery=PATIENT, limit=9)
    return int(backend.heartbeat(name, lease=LEASE) is None)


@promise(seam, "Who never joined is treated as dead.")
@promise(Backend.commit, "One transaction. Nothing is written if the worker is dead")
def test_a_worker_that_never_joined_records_nothing(backend: Backend) -> None:
    join(backend, "a")
    own(backend, "a", "w")
    answer = backend.commit("ghost", Batch(steps=[step("w")], transitions=[end("w")]))
    assert answer.fenced
    assert list(answer.steps) == [NOT_YOURS]
    assert (get(backend, "w").owner, steps_of(backend, "w")) == ("a", [])
