"""Who may be declared dead: two witnesses, the database and one's own clock."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import attrs
from hypothesis import given
from hypothesis import strategies as st

from perdure.backend import Peer, Pulse
from perdure.recovery import Witness

LEASE, HEARTBEAT = 10.0, 2.5
NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


def witness() -> Witness:
    return Witness("me", timedelta(seconds=LEASE), timedelta(seconds=HEARTBEAT))


def pulse(now: float, *peers: tuple[str, int, float]) -> Pulse:
    """What the database says at `now`: of each peer its name, its beat, and the end of its lease."""
    return Pulse(
        now=NOON + timedelta(seconds=now),
        peers=[
            Peer(worker_id=name, beat=beat, lease_until=NOON + timedelta(seconds=until))
            for name, beat, until in peers
        ],
        next_due=None,
        orphans=False,
        outbox=False,
    )


def names(peers: Sequence[Peer]) -> list[str]:
    return [peer.worker_id for peer in peers]


def watch(seen: Witness, *peers: tuple[str, int, float], since: float = 0, until: float) -> None:
    """Heartbeats without a gap; the witness's own clock is 100 ahead of the database's."""
    at = since
    while at <= until:
        seen.observe(pulse(at, *peers), 100 + at)
        at += HEARTBEAT


def test_a_peer_is_dead_when_its_lease_is_over_and_its_beat_was_long_unchanged() -> None:
    seen = witness()
    watch(seen, ("a", 1, 9), until=7.5)

    assert seen.next_due(107.5) == 109.0
    assert seen.dead(108.9) == []
    assert names(seen.dead(109.0)) == ["a"]


def test_a_lease_that_was_over_before_needs_its_own_time_of_silence() -> None:
    seen = witness()
    watch(seen, ("a", 1, -100), until=5)

    assert seen.dead(105.0) == []
    assert seen.next_due(105.0) == 100 + LEASE - HEARTBEAT
    assert names(seen.dead(107.5)) == ["a"]


def test_a_beat_that_changes_begins_the_silence_anew() -> None:
    seen = witness()
    watch(seen, ("a", 1, 10), until=7.5)
    watch(seen, ("a", 2, 10.5), since=10, until=10)

    assert seen.dead(111.0) == []
    assert seen.next_due(111.0) == 110 + LEASE - HEARTBEAT


def test_a_missed_heartbeat_of_its_own_makes_all_earlier_sight_worthless() -> None:
    seen = witness()
    watch(seen, ("a", 1, 1), until=7.5)
    seen.forget()

    assert seen.dead(108.0) == []
    watch(seen, ("a", 1, 1), since=10, until=10)
    assert seen.dead(110.0) == []
    assert seen.next_due(110.0) == 110 + LEASE - HEARTBEAT


def test_a_gap_in_its_own_heartbeats_makes_all_earlier_sight_worthless() -> None:
    seen = witness()
    watch(seen, ("a", 1, 1), until=5)
    watch(seen, ("a", 1, 1), since=50, until=50)

    assert seen.dead(150.0) == []
    assert seen.next_due(150.0) == 150 + LEASE - HEARTBEAT


def test_without_a_heartbeat_of_its_own_nobody_is_dead() -> None:
    seen = witness()
    assert (seen.dead(100.0), seen.next_due(100.0)) == ([], None)
    watch(seen, ("a", 1, 1), until=7.5)
    late = 107.5 + 2 * HEARTBEAT

    assert (seen.dead(late), seen.next_due(late)) == ([], None)


def test_a_worker_never_buries_itself() -> None:
    seen = witness()
    watch(seen, ("me", 1, -50), until=20)

    assert seen.dead(120.0) == []


def test_a_peer_that_is_gone_is_forgotten() -> None:
    seen = witness()
    watch(seen, ("a", 1, 1), ("b", 1, 1), until=7.5)
    watch(seen, ("b", 1, 1), since=10, until=10)

    assert names(seen.dead(110.0)) == ["b"]


def test_a_peer_that_is_dealt_with_is_looked_at_again_a_heartbeat_later() -> None:
    seen = witness()
    watch(seen, ("a", 1, 1), until=10)
    (peer,) = seen.dead(110.0)
    seen.postpone(peer, 110.0)

    assert seen.dead(112.4) == []
    assert names(seen.dead(112.5)) == ["a"]


@attrs.frozen
class Beat:
    """One heartbeat of the witness's: after a pause, with or without an answer, and who has beaten."""

    pause: float
    answered: bool
    lively: frozenset[str]


PEERS: tuple[str, ...] = ("a", "b", "c")
BEATS = st.lists(
    st.builds(
        Beat,
        st.floats(0.01, 15.0),
        st.booleans(),
        st.frozensets(st.sampled_from(PEERS)),
    ),
    max_size=30,
)


@given(BEATS, st.floats(-1e6, 1e6))
def test_the_dead_were_silent_in_both_clocks_and_under_unbroken_watch(
    beats: list[Beat], skew: float
) -> None:
    """Whatever happens, with a database whose clock is `skew` ahead of the witness's."""
    seen = witness()
    at = 1000.0
    number, lease = dict.fromkeys(PEERS, 1), dict.fromkeys(PEERS, at + LEASE)
    watched: dict[str, float] = {}
    looked = 0.0
    for beat in beats:
        at += beat.pause
        for name in beat.lively:
            number[name] += 1
            lease[name] = at + LEASE
            watched.pop(name, None)
        if beat.answered:
            if at - looked > 2 * HEARTBEAT:
                watched = {}
            looked = at
            known = [(name, number[name], lease[name] + skew) for name in PEERS]
            seen.observe(pulse(at + skew, *known), at)
            watched = {name: watched.get(name, at) for name in PEERS}
        else:
            seen.forget()
            watched = {}
        for name in names(seen.dead(at)):
            assert at >= lease[name] - 1e-3
            assert at >= watched[name] + LEASE - HEARTBEAT - 1e-6


@given(BEATS)
def test_who_falls_silent_is_dead_in_bounded_time(beats: list[Beat]) -> None:
    """However it went before: under an unbroken watch, within a lease of the last sign of life."""
    seen, at = witness(), 1000.0
    for beat in beats:
        at += beat.pause
        if beat.answered:
            seen.observe(pulse(at, *((name, 1 + len(beat.lively), at + 1) for name in PEERS)), at)
        else:
            seen.forget()
    last = at
    for _ in range(9):
        seen.observe(pulse(at, *((name, 99, last + LEASE) for name in PEERS)), at)
        due = seen.next_due(at)
        assert due is not None
        assert due <= last + LEASE + 1e-3
        at += 0.9
    assert sorted(names(seen.dead(last + LEASE + 1e-3))) == sorted(PEERS)
