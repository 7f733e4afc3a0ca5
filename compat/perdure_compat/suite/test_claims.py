"""Claims: due work is handed out in order, to one worker at a time."""

from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from itertools import product

import attrs
import pytest

from perdure import backend as seam
from perdure.backend import Backend, Claimed, Lane, Query, Submission
from perdure.errors import OutcomeUnknown
from perdure.model import Status
from perdure_compat.promise import promise

from .races import at_once, dealt, together
from .records import (
    AT_ONCE,
    HIGHEST,
    LANE,
    LEASE,
    LOWEST,
    OVER,
    PATIENT,
    WHEN,
    claim,
    claim_beside,
    end,
    finish,
    get,
    ids,
    job,
    join,
    own,
    scrambled,
    submit,
)

TAKES = promise(
    Backend.claim,
    "Take up to `limit` due, enqueued workflows of these lanes: running, owner, epoch + 1.",
)
IN_LINE = promise(
    Backend.claim,
    "In the order (priority, run_at, id) over all lanes together where nobody else "
    "claims, unless the capability `ordered_claims` is missing.",
)
NOT_THE_DEAD = promise(Backend.claim, "A dead worker gets none.")
ALL_THERE_WERE = promise(
    Backend.claim,
    "Fewer than `limit` mean that no more were due, where nobody else claims and nothing fails.",
)


@TAKES
@promise(Claimed, "A workflow that is now the claimer's, under `epoch`.")
def test_a_claim_makes_a_workflow_running_and_the_claimer_s(backend: Backend) -> None:
    join(backend, "a")
    submit(backend, "w", input_json='{"a" : 1}')
    before = get(backend, "w")
    (claimed,) = claim(backend, "a")
    found = get(backend, "w")
    assert (found.status, found.owner, found.epoch) == (Status.RUNNING, "a", 1)
    assert found.started_at is not None
    assert found.started_at >= before.created_at
    assert claimed == Claimed(
        id="w",
        name="work",
        queue="default",
        input_json='{"a" : 1}',
        epoch=1,
        strikes=0,
        wake=0,
        parent_id=None,
        deadline=None,
        cancel_reason=None,
        created_at=before.created_at,
    )


@TAKES
def test_each_claim_raises_the_epoch_by_one(backend: Backend) -> None:
    join(backend, "a", "b")
    own(backend, "a", "w")
    for epoch in range(2, 5):
        finish(backend, "a", end("w", Status.ENQUEUED, epoch=epoch - 1))
        assert [one.epoch for one in claim(backend, "a")] == [epoch]
        assert get(backend, "w").epoch == epoch


@promise(Backend.claim, "The first start of a workflow is kept;")
def test_the_first_start_of_a_workflow_is_kept(backend: Backend) -> None:
    join(backend, "a")
    own(backend, "a", "w")
    first = get(backend, "w").started_at
    finish(backend, "a", end("w", Status.ENQUEUED))
    claim(backend, "a")
    assert get(backend, "w").started_at == first


def _line(backend: Backend) -> tuple[list[Lane], list[str]]:
    """Work in four lanes, with the ids in the order in which it is due."""
    lanes = [Lane(queue, name) for queue, name in product(("q", "p"), ("n", "m"))]
    times = [WHEN, WHEN + timedelta(microseconds=1000), WHEN + timedelta(days=1)]
    places = scrambled(list(product((-1, 0, 5), times, ("B", "a", "é", "日"))))
    jobs = [
        job(
            f"{text}{number}",
            priority=priority,
            run_at=at,
            name=lanes[number % 4].name,
            queue=lanes[number % 4].queue,
        )
        for number, (priority, at, text) in enumerate(places)
    ]
    backend.submit(jobs)
    keys = {j.id: (j.priority, j.run_at or WHEN, j.id.encode()) for j in jobs}
    return lanes, sorted(keys, key=lambda one: keys[one])


@IN_LINE
@promise(Submission, "The lowest comes first.")
@pytest.mark.needs("ordered_claims")
def test_claims_follow_priority_then_due_time_then_id_over_all_lanes(
    backend: Backend,
) -> None:
    join(backend, "a")
    lanes, order = _line(backend)
    seen: list[str] = []
    while claimed := backend.claim("a", lanes, limit=5):
        seen += ids(claimed)
    assert seen == order


@IN_LINE
@pytest.mark.needs("ordered_claims")
def test_one_claim_answers_in_the_order_of_the_line(backend: Backend) -> None:
    join(backend, "a")
    lanes, order = _line(backend)
    assert ids(backend.claim("a", lanes, limit=len(order))) == order


@promise(seam, "Nothing to do (an empty sequence or batch, a limit of 0) is no error.")
@TAKES
def test_a_claim_without_room_takes_nothing(backend: Backend) -> None:
    join(backend, "a")
    submit(backend, "w")
    before = get(backend, "w")
    assert claim(backend, "a", limit=0) == []
    assert list(backend.claim("a", [LANE], limit=0, suspects=True)) == []
    assert get(backend, "w") == before


@IN_LINE
@promise(Submission, "The lowest comes first.")
@pytest.mark.needs("ordered_claims")
def test_the_lowest_priority_of_all_comes_first_and_the_highest_last(backend: Backend) -> None:
    join(backend, "a")
    order = [LOWEST, LOWEST + 1, -1, 0, HIGHEST - 1, HIGHEST]
    for priority in reversed(order):
        submit(backend, f"w{priority}", priority=priority)
    assert [ids(claim(backend, "a", limit=1)) for _ in order] == [[f"w{p}"] for p in order]


@TAKES
@ALL_THERE_WERE
def test_a_claim_takes_no_more_than_its_limit(backend: Backend) -> None:
    join(backend, "a")
    submit(backend, *[f"w{n}" for n in range(10)])
    assert [len(claim(backend, "a", limit=4)) for _ in range(4)] == [4, 4, 2, 0]


@TAKES
@ALL_THERE_WERE
def test_a_claim_with_room_for_all_leaves_nothing(backend: Backend) -> None:
    join(backend, "a")
    every = [f"w{n}" for n in range(100)]
    own(backend, "a", *every)
    assert claim(backend, "a") == []


@TAKES
@promise(Lane, "A queue and the name of a workflow: what a claim asks for.")
def test_a_claim_leaves_other_lanes_alone(backend: Backend) -> None:
    join(backend, "a")
    wanted = [Lane("q1", "n1"), Lane("q2", "n2")]
    pairs = list(product(("q1", "q2", "Q1"), ("n1", "n2", "N1")))
    backend.submit([job(f"{q}-{n}", queue=q, name=n) for q, n in pairs])
    others = [f"{q}-{n}" for q, n in pairs if Lane(q, n) not in wanted]
    before = {one.id: one for one in backend.load(others)}
    assert sorted(ids(backend.claim("a", wanted, limit=50))) == ["q1-n1", "q2-n2"]
    assert {one.id: one for one in backend.load(others)} == before


@promise(
    Backend.claim,
    "In the order (priority, run_at, id) over all lanes together where nobody else claims",
)
def test_a_full_lane_does_not_hide_an_urgent_one(backend: Backend) -> None:
    join(backend, "a")
    submit(backend, *[f"w{n}" for n in range(50)], name="many")
    submit(backend, "urgent", name="few", priority=-1)
    lanes = [Lane("default", "many"), Lane("default", "few")]
    assert "urgent" in ids(backend.claim("a", lanes, limit=1))


@TAKES
@ALL_THERE_WERE
def test_a_claim_may_ask_for_many_lanes(backend: Backend) -> None:
    join(backend, "a")
    lanes = [Lane(f"q{n % 7}", f"name{n}") for n in range(150)]
    backend.submit([job(x.name, queue=x.queue, name=x.name) for x in lanes[::3]])
    assert len(backend.claim("a", lanes, limit=200)) == 50


@promise(seam, "Nothing to do (an empty sequence or batch, a limit of 0) is no error.")
def test_a_claim_of_no_lane_takes_nothing(backend: Backend) -> None:
    join(backend, "a")
    submit(backend, "w")
    assert list(backend.claim("a", [], limit=10)) == []
    assert get(backend, "w").status is Status.ENQUEUED


@TAKES
def test_an_empty_queue_gives_nothing(backend: Backend) -> None:
    join(backend, "a")
    assert claim(backend, "a") == []


@TAKES
def test_what_is_due_in_the_future_is_not_handed_out(backend: Backend) -> None:
    join(backend, "a")
    submit(backend, "w", delay=timedelta(hours=1))
    assert claim(backend, "a") == []
    assert get(backend, "w").status is Status.DELAYED


@TAKES
@promise(
    seam,
    "**Guards, not timing.** Every write is conditional on the state it expects (owner, "
    "epoch, status)",
)
def test_what_runs_or_has_ended_is_not_handed_out(backend: Backend) -> None:
    join(backend, "a", "b")
    own(backend, "a", "runs", "ends", "fails", "parks")
    finish(
        backend,
        "a",
        end("ends"),
        end("fails", Status.ERROR),
        end("parks", Status.PARKED),
    )
    assert claim(backend, "b") == claim(backend, "a") == []


@NOT_THE_DEAD
def test_a_dead_worker_gets_none(backend: Backend) -> None:
    join(backend, "a", "b")
    submit(backend, "w")
    before = get(backend, "w")
    backend.leave("a")
    assert claim(backend, "a") == []
    assert get(backend, "w") == before


@promise(seam, "Who never joined is treated as dead.")
@NOT_THE_DEAD
def test_a_worker_that_never_joined_gets_none(backend: Backend) -> None:
    submit(backend, "w")
    assert claim(backend, "ghost") == []
    assert get(backend, "w").owner is None


@promise(Backend.claim, "Two claims never return the same (id, epoch).")
@promise(seam, "**Thread-safe.** Every thread may call every verb")
def test_claimers_at_once_share_the_work_without_overlap(backend: Backend, rival: Backend) -> None:
    names = [f"a{n}" for n in range(6)]
    join(backend, *names)
    every = [f"w{n}" for n in range(300)]
    submit(backend, *every)
    answers = together(_drain, dealt(names, backend, rival))
    assert sorted(ids([one for some in answers for one in some])) == sorted(every)
    owners = {one.id: name for name, some in zip(names, answers, strict=True) for one in some}
    assert {one.id: one.owner for one in backend.load(every)} == owners


def _drain(hand: tuple[Backend, str]) -> list[Claimed]:
    """Claim until nothing is left."""
    backend, name = hand
    seen: list[Claimed] = []
    while claimed := claim_beside(backend, name, known=ids(seen), limit=7):
        seen += claimed
    return seen


@promise(Backend.claim, "Two claims never return the same (id, epoch).")
def test_two_claims_never_return_the_same_id_and_epoch(backend: Backend, rival: Backend) -> None:
    names = [f"a{n}" for n in range(4)]
    join(backend, *names)
    every = [f"w{n}" for n in range(20)]
    submit(backend, *every)
    answers = together(_juggle, dealt(names, backend, rival))
    pairs = [pair for some in answers for pair in some]
    assert len(pairs) > len(every)
    assert len(set(pairs)) == len(pairs)
    assert sum(one.epoch for one in backend.load(every)) == len(pairs)


def _juggle(hand: tuple[Backend, str]) -> list[tuple[str, int]]:
    """Claim and release again and again."""
    backend, name = hand
    seen: list[tuple[str, int]] = []
    for _ in range(15):
        claimed = claim_beside(backend, name, limit=5)
        seen += [(one.id, one.epoch) for one in claimed]
        _release(backend, name, claimed)
    return seen


def _release(backend: Backend, name: str, claimed: Sequence[Claimed]) -> None:
    back = [end(one.id, Status.ENQUEUED, epoch=one.epoch) for one in claimed]
    answer = finish(backend, name, *back)
    assert list(answer.transitions) == [Status.ENQUEUED] * len(back)


@NOT_THE_DEAD
@promise(
    Backend.leave,
    "Declaring death waits for writes of that worker in flight or makes them fail, here "
    "as in `reap`.",
)
def test_who_leaves_while_claiming_owns_only_what_it_was_told(
    backend: Backend, rival: Backend
) -> None:
    """And gets nothing any more once the leaving was answered."""
    for turn in range(8):
        name = f"a{turn}"
        join(backend, name)
        submit(backend, *[f"w{turn}-{n}" for n in range(300)])

        def die(name: str = name, after: int = turn) -> list[str]:
            for _ in range(after):
                backend.heartbeat(name, lease=LEASE)
            backend.leave(name)
            return _owned_by(backend, name)

        told, seen = at_once(partial(_told, rival, name), die)
        assert sorted(seen) == sorted(_owned_by(backend, name))
        assert told is None or sorted(seen) == sorted(told)
        assert claim(rival, name) == []


def _told(backend: Backend, name: str) -> list[str] | None:
    """What a claim has answered, if it could tell."""
    try:
        return ids(claim(backend, name, limit=300))
    except OutcomeUnknown:
        return None


def _owned_by(backend: Backend, name: str) -> list[str]:
    found = backend.find(Query(statuses=[Status.RUNNING], limit=10_000))
    return [one.id for one in found if one.owner == name]


@promise(
    seam,
    "A workflow leaves a live owner only through that owner's own `commit` (or its own "
    "`reconcile`); a dead one's only through `reap`.",
)
def test_nobody_else_moves_what_a_living_worker_runs(backend: Backend, rival: Backend) -> None:
    """Not even when its lease is over and everything else is tried."""
    join(backend, "b")
    join(backend, "a", lease=OVER)
    own(backend, "a", "w")
    before = get(backend, "w")
    pulse = backend.heartbeat("b", lease=LEASE)
    assert pulse is not None
    stale = [attrs.evolve(peer, beat=peer.beat - 1) for peer in pulse.peers]
    for one in (backend, rival):
        one.reap(stale, margin=AT_ONCE, recovery=PATIENT, limit=10)
        one.reconcile("b", [])
        one.wake(limit=10)
        one.resume("w", epoch=1)
        one.submit([job("w", input_json="[2]")])
        assert claim(one, "b") == claim(one, "a") == []
        one.leave("b")
    assert get(backend, "w") == before
    assert list(finish(backend, "a", end("w")).transitions) == [Status.SUCCESS]
