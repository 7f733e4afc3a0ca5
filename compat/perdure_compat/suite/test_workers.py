"""Workers: who is alive, until when, and what they serve."""

from datetime import UTC, datetime, timedelta

from perdure.backend import Backend, Peer, Pulse, Service

from .races import dealt, together, until
from .records import AT_ONCE, BRIEF, LEASE, PATIENT, WHEN, info, job, join, submit

SOON = timedelta(seconds=10)


def pulse(backend: Backend, worker_id: str) -> Pulse:
    """The answer to a heartbeat of a worker that is alive."""
    answer = backend.heartbeat(worker_id, lease=LEASE)
    assert answer is not None
    return answer


def peers(backend: Backend, observer: str) -> dict[str, Peer]:
    """Everybody that is not dead."""
    return {peer.worker_id: peer for peer in pulse(backend, observer).peers}


def test_a_worker_that_joined_is_among_the_peers_of_all(backend: Backend, rival: Backend) -> None:
    join(backend, "a", "b")
    assert set(peers(backend, "a")) == set(peers(rival, "b")) == {"a", "b"}


def test_join_makes_a_worker_alive_until_its_lease_ends(backend: Backend) -> None:
    join(backend, "a", "b", lease=timedelta(hours=2))
    answer = pulse(backend, "a")
    (other,) = (peer for peer in answer.peers if peer.worker_id == "b")
    assert abs(other.lease_until - answer.now - timedelta(hours=2)) < SOON


def test_a_heartbeat_renews_the_lease_from_now(backend: Backend) -> None:
    join(backend, "a", lease=BRIEF)
    answer = backend.heartbeat("a", lease=timedelta(hours=2))
    assert answer is not None
    assert abs(answer.peers[0].lease_until - answer.now - timedelta(hours=2)) < SOON


def test_a_heartbeat_may_shorten_the_lease(backend: Backend) -> None:
    join(backend, "a", lease=timedelta(hours=2))
    answer = backend.heartbeat("a", lease=BRIEF)
    assert answer is not None
    assert answer.peers[0].lease_until - answer.now < SOON


def test_the_beat_grows_with_each_heartbeat_of_its_worker_only(
    backend: Backend,
) -> None:
    join(backend, "a", "b")
    first = peers(backend, "a")
    second = peers(backend, "a")
    assert first["a"].beat < second["a"].beat
    assert first["b"].beat == second["b"].beat


def test_heartbeats_at_once_all_count(backend: Backend, rival: Backend) -> None:
    join(backend, "a")
    before = peers(backend, "a")["a"].beat
    together(lambda b: peers(b, "a"), [backend, rival] * 4)
    assert peers(backend, "a")["a"].beat >= before + 9


def test_a_lease_that_ran_out_may_be_renewed(backend: Backend) -> None:
    """Until somebody has declared it dead, a late worker is a living one."""
    join(backend, "a", "b", lease=BRIEF)
    until(lambda: (p := pulse(backend, "b")).now > _lease_of(p, "a"))
    assert pulse(backend, "a").now < peers(backend, "a")["a"].lease_until


def _lease_of(answer: Pulse, worker_id: str) -> datetime:
    (found,) = (peer for peer in answer.peers if peer.worker_id == worker_id)
    return found.lease_until


def test_the_database_s_clock_is_aware_utc_and_goes_on(backend: Backend) -> None:
    join(backend, "a")
    first, second = pulse(backend, "a"), pulse(backend, "a")
    assert first.now.utcoffset() == timedelta(0)
    assert first.peers[0].lease_until.utcoffset() == timedelta(0)
    assert WHEN.astimezone(UTC) < first.now <= second.now


def test_a_heartbeat_of_nobody_is_none_and_makes_nobody(backend: Backend) -> None:
    join(backend, "a")
    assert backend.heartbeat("ghost", lease=LEASE) is None
    assert set(peers(backend, "a")) == {"a"}


def test_who_left_is_dead(backend: Backend) -> None:
    join(backend, "a", "b")
    backend.leave("b")
    assert set(peers(backend, "a")) == {"a"}
    assert backend.heartbeat("b", lease=LEASE) is None


def test_leaving_twice_or_without_having_joined_harms_nobody(backend: Backend) -> None:
    join(backend, "a", "b")
    backend.leave("b")
    backend.leave("b")
    backend.leave("ghost")
    assert set(peers(backend, "a")) == {"a"}


def test_dead_ids_never_come_back(backend: Backend) -> None:
    join(backend, "a", "b")
    backend.leave("b")
    for _ in range(2):
        assert not backend.join(info("b", names=["secret"]), lease=LEASE)
        backend.reap([], margin=AT_ONCE, recovery=PATIENT, limit=10)
    assert set(peers(backend, "a")) == {"a"}
    assert backend.service("secret", "default") == Service(known=False, live=False)


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


def test_many_workers_may_join_at_once(backend: Backend, rival: Backend) -> None:
    names = [f"w{n}" for n in range(8)]
    together(
        lambda hand: hand[0].join(info(hand[1]), lease=LEASE),
        dealt(names, backend, rival),
    )
    assert set(peers(backend, "w0")) == set(names)


def test_a_name_that_was_never_served_is_unknown(backend: Backend) -> None:
    join(backend, "a")
    submit(backend, "w", name="typo")
    assert backend.service("typo", "default") == Service(known=False, live=False)


def test_a_name_is_live_on_the_queues_of_a_worker_that_serves_it(
    backend: Backend,
) -> None:
    join(backend, "a")
    assert backend.service("work", "default") == Service(known=True, live=True)
    assert backend.service("work", "elsewhere") == Service(known=True, live=False)


def test_a_name_is_remembered_when_its_last_worker_is_dead(backend: Backend) -> None:
    join(backend, "a", "b")
    backend.leave("a")
    assert backend.service("work", "default") == Service(known=True, live=True)
    backend.leave("b")
    assert backend.service("work", "default") == Service(known=True, live=False)


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


def test_the_next_due_time_is_that_of_the_earliest_delayed(backend: Backend) -> None:
    join(backend, "a")
    submit(backend, "now")
    assert pulse(backend, "a").next_due is None
    due = WHEN + timedelta(days=10_000)
    late, early = due + timedelta(days=1), due
    backend.submit([job("late", run_at=late), job("early", run_at=early)])
    assert pulse(backend, "a").next_due == due
