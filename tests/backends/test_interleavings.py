"""All schedules of two actors on PostgreSQL, statement by statement."""

import logging
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from typing import Any

import attrs
import psycopg
import pytest
from sqlalchemy import CTE, Text, select

from perdure.backend import NOT_YOURS, RECORDED, Backend, Batch, Committed
from perdure.model import Status
from perdure_backends.postgres import PostgresBackend
from perdure_backends.sql import commits, tables
from perdure_backends.sql.expression import bind
from perdure_backends.testing.mishaps import POSTGRES
from perdure_backends.testing.schedules import Actor, Director
from perdure_backends.testing.trials import Act, rescue
from perdure_backends.testing.world import World
from perdure_compat.suite.records import (
    AT_ONCE,
    LANE,
    LEASE,
    PATIENT,
    end,
    finish,
    get,
    job,
    join,
    own,
    step,
    steps_of,
    submit,
)

_log = logging.getLogger(__name__)


@attrs.frozen
class Stage:
    """Two actors, and whoever looks on."""

    world: World
    director: Director


@pytest.fixture
def stage(postgres_url: str, psql: psycopg.Connection[Any]) -> Generator[Stage, None, None]:
    """Three backends on one database."""
    with (
        closing(PostgresBackend(postgres_url)) as first,
        closing(PostgresBackend(postgres_url)) as second,
        closing(PostgresBackend(postgres_url)) as clean,
    ):
        clean.migrate()
        world = World(PostgresBackend(postgres_url), clean, psql, POSTGRES)
        yield Stage(world, Director([Actor(first), Actor(second)], psql))


# ------------------------------------------------------------------ acts


def _claims(worker_id: str) -> Act:
    def act(backend: Backend) -> dict[str, int]:
        return {each.id: each.epoch for each in backend.claim(worker_id, [LANE], limit=2)}

    return act


def _reaps(world: World, *worker_ids: str) -> Act:
    """Everybody's lease is over, and these have been seen so."""
    pulse = world.clean.heartbeat("b", lease=LEASE)
    assert pulse
    world.expire()
    seen = [peer for peer in pulse.peers if peer.worker_id in worker_ids]
    return lambda backend: backend.reap(seen, margin=AT_ONCE, recovery=PATIENT, limit=10)


def _commits(backend: Backend) -> Committed:
    return backend.commit("a", Batch(steps=[step("v")], transitions=[end("v")]))


def _beats(backend: Backend) -> bool:
    return backend.heartbeat("a", lease=LEASE) is not None


def _owners(world: World) -> None:
    join(world.clean, "a", "b")
    own(world.clean, "a", "v")


def _dead(world: World) -> set[str]:
    return {row[1] for row in world.state("workers") if row[3]}


def _all_or_nothing(world: World, said: Any) -> bool:
    """Whether the commit took place; its answer tells the truth."""
    recorded = len(steps_of(world.clean, "v")) == 1
    assert (get(world.clean, "v").status is Status.SUCCESS) == recorded
    assert (list(said.transitions) == [Status.SUCCESS]) == recorded
    return recorded


# ----------------------------------------------------------------- pairs


def _reap_commit(world: World) -> Sequence[Act]:
    _owners(world)
    return [_reaps(world, "a"), _commits]


def _reap_commit_check(world: World, reaped: Any, said: Any) -> None:
    assert _all_or_nothing(world, said) != ("v" in reaped.workflows)


def _takeover(world: World) -> Sequence[Act]:
    """Reap, claim and look: what is seen then must be all that will ever be there."""
    _owners(world)
    reap, claim = _reaps(world, "a"), _claims("b")

    def act(backend: Backend) -> object:
        reap(backend)
        return steps_of(backend, "v") if claim(backend) else None

    return [act, lambda backend: backend.commit("a", Batch(steps=[step("v")]))]


def _takeover_check(world: World, seen: Any, said: Any) -> None:
    there = steps_of(world.clean, "v")
    assert seen is None or seen == there, f"seen {seen}, and then there was {there}"
    assert list(said.steps) == [RECORDED if there else NOT_YOURS]


def _reap_claim(world: World) -> Sequence[Act]:
    _owners(world)
    submit(world.clean, "w")
    return [_reaps(world, "a"), _claims("a")]


def _reap_claim_check(world: World, reaped: Any, claimed: Any) -> None:
    left = world.epochs(owner="a")
    assert not (left and "a" in _dead(world))
    assert claimed.keys() - reaped.workflows.keys() == left.keys() - {"v"}


def _reap_beat(world: World) -> Sequence[Act]:
    _owners(world)
    return [_reaps(world, "a"), _beats]


def _reap_beat_check(world: World, reaped: Any, alive: Any) -> None:
    assert alive != ("a" in reaped.workers)
    assert alive != ("a" in _dead(world))
    assert alive != ("v" in reaped.workflows)


def _two_claims(world: World) -> Sequence[Act]:
    join(world.clean, "a", "b")
    submit(world.clean, "v", "w", "x")
    return [_claims("a"), _claims("b")]


def _two_claims_check(world: World, one: Any, other: Any) -> None:
    assert not one.keys() & other.keys()
    assert (one, other) == (world.epochs(owner="a"), world.epochs(owner="b"))
    assert len(one | other) == 3


def _claim_submit(world: World) -> Sequence[Act]:
    join(world.clean, "a")
    submit(world.clean, "v")
    jobs = [job("v"), job("w")]
    return [_claims("a"), lambda backend: [each.id for each in backend.submit(jobs)]]


def _claim_submit_check(world: World, claimed: Any, existing: Any) -> None:
    assert claimed == world.epochs(owner="a")
    assert "v" in claimed
    assert existing == ["v"]


def _resume_claim(world: World) -> Sequence[Act]:
    _owners(world)
    finish(world.clean, "a", end("v", Status.PARKED))
    return [lambda backend: backend.resume("v", epoch=1), _claims("b")]


def _resume_claim_check(world: World, status: Any, claimed: Any) -> None:
    assert status in {Status.ENQUEUED, Status.RUNNING}
    assert claimed == world.epochs(owner="b")
    assert len(world.epochs("enqueued", "running")) == 1


def _two_reaps(world: World) -> Sequence[Act]:
    _owners(world)
    reap = _reaps(world, "a")
    return [reap, reap]


def _two_reaps_check(world: World, one: Any, other: Any) -> None:
    assert [*one.workers, *other.workers] == ["a"]
    assert [*one.workflows, *other.workflows] == ["v"]
    assert get(world.clean, "v").recoveries == 1


def _leave_commit(world: World) -> Sequence[Act]:
    _owners(world)
    return [lambda backend: backend.leave("a"), _commits]


def _leave_commit_check(world: World, _: Any, said: Any) -> None:
    assert "a" in _dead(world)
    assert _all_or_nothing(world, said) != said.fenced


Check = Callable[[World, Any, Any], None]
PAIRS: Mapping[str, tuple[Callable[[World], Sequence[Act]], Check]] = {
    "reap and commit": (_reap_commit, _reap_commit_check),
    "takeover and record": (_takeover, _takeover_check),
    "reap and claim": (_reap_claim, _reap_claim_check),
    "reap and heartbeat": (_reap_beat, _reap_beat_check),
    "two claims": (_two_claims, _two_claims_check),
    "claim and submit": (_claim_submit, _claim_submit_check),
    "resume and claim": (_resume_claim, _resume_claim_check),
    "two reaps": (_two_reaps, _two_reaps_check),
    "leave and commit": (_leave_commit, _leave_commit_check),
}


def _play(stage: Stage, pair: str) -> int:
    arrange, check = PAIRS[pair]
    world = stage.world

    def begin() -> Sequence[Act]:
        world.clear()
        return arrange(world)

    def judge(answers: Sequence[object]) -> None:
        check(world, *answers)
        rescue(world)

    return stage.director.play_all(begin, judge)


@pytest.mark.parametrize("pair", PAIRS)
def test_every_schedule_of_two_actors_keeps_the_invariants(pair: str, stage: Stage) -> None:
    count = _play(stage, pair)
    _log.info("%s: %s schedules", pair, count)
    assert count > 1


def test_a_fence_that_locks_nothing_is_caught(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fence() -> CTE:
        table = tables.workers
        alive = (table.c.worker_id == bind("me", Text()), table.c.dead_at.is_(None))
        return select(table.c.worker_id).where(*alive).cte("fence")

    monkeypatch.setattr(commits, "fence", fence)
    with pytest.raises(AssertionError, match="and then there was"):
        _play(stage, "takeover and record")
