"""The fence against death, as schedules that are forced with locks on a real PostgreSQL.

Somebody else's open transaction stands where a slow or frozen process would.
"""

from datetime import timedelta
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection

from perdure.backend import NOT_YOURS, RECORDED, Batch, Peer
from perdure.errors import BackendUnavailable
from perdure.model import Status
from perdure_backends.postgres import PostgresBackend
from perdure_backends.sql import workers
from perdure_compat.suite.records import (
    AT_ONCE,
    LANE,
    LEASE,
    PATIENT,
    end,
    get,
    info,
    join,
    own,
    step,
    steps_of,
    submit,
)

from .waiting import blocked, started, until

Psql = psycopg.Connection[Any]
_DECLARE_DEAD = "UPDATE workers SET dead_at = now() WHERE worker_id = 'a'"
_FENCE = "SELECT 1 FROM workers WHERE worker_id = 'a' AND dead_at IS NULL FOR KEY SHARE"
_STRONG = "SELECT 1 FROM workers WHERE worker_id = 'a' FOR UPDATE"


def _expired(backend: PostgresBackend, *worker_ids: str) -> list[Peer]:
    """Workers whose lease is over, and how they were seen."""
    for worker_id in worker_ids:
        assert backend.join(info(worker_id), lease=timedelta(seconds=-1))
    assert backend.join(info("witness"), lease=LEASE)
    pulse = backend.heartbeat("witness", lease=LEASE)
    assert pulse
    return [peer for peer in pulse.peers if peer.worker_id in worker_ids]


def test_a_commit_that_waited_for_a_death_writes_nothing(
    postgres: PostgresBackend, psql: Psql, stranger: Psql
) -> None:
    join(postgres, "a")
    own(postgres, "a", "w")
    stranger.execute(_STRONG)
    stranger.execute(_DECLARE_DEAD)
    batch = Batch(steps=[step("w")], transitions=[end("w")])
    answer = started(lambda: postgres.commit("a", batch))
    until(lambda: blocked(psql))
    stranger.commit()
    committed = answer.result(30)
    assert committed.fenced
    assert [*committed.steps, *committed.transitions] == [NOT_YOURS, NOT_YOURS]
    assert steps_of(postgres, "w") == []
    assert get(postgres, "w").status is Status.RUNNING


def test_a_commit_that_waited_for_a_death_undone_is_written(
    postgres: PostgresBackend, psql: Psql, stranger: Psql
) -> None:
    join(postgres, "a")
    own(postgres, "a", "w")
    stranger.execute(_STRONG)
    stranger.execute(_DECLARE_DEAD)
    answer = started(lambda: postgres.commit("a", Batch(steps=[step("w")])))
    until(lambda: blocked(psql))
    stranger.rollback()
    assert list(answer.result(30).steps) == [RECORDED]


def test_a_bare_update_of_dead_at_waits_for_an_open_fence(
    postgres: PostgresBackend, psql: Psql, stranger: Psql, postgres_url: str
) -> None:
    """The unique index on (worker_id, dead_at) makes any death a change of a key."""
    join(postgres, "a")
    stranger.execute(_FENCE)

    def declare() -> None:
        with psycopg.connect(postgres_url, autocommit=True) as other:
            other.execute("SET search_path = perdure")
            other.execute(_DECLARE_DEAD)

    done = started(declare)
    until(lambda: blocked(psql))
    stranger.commit()
    done.result(30)


def test_a_heartbeat_never_waits_for_a_fence(postgres: PostgresBackend) -> None:
    join(postgres, "a")

    def hold(connection: Connection) -> None:
        session = postgres.session(connection)
        session.execute("BEGIN")
        assert session.rows(workers.fenced, {"me": "a"})
        for _ in range(20):
            assert started(lambda: postgres.heartbeat("a", lease=LEASE)).result(10)
        session.execute("ROLLBACK")

    postgres.runner.run(hold)


def test_a_frozen_fence_saves_its_worker_and_no_other(
    postgres: PostgresBackend, stranger: Psql
) -> None:
    seen = _expired(postgres, "a", "b", "c")
    stranger.execute(_FENCE)
    reap = started(lambda: postgres.reap(seen, margin=AT_ONCE, recovery=PATIENT, limit=10))
    assert sorted(reap.result(30).workers) == ["b", "c"]
    stranger.rollback()
    again = postgres.reap(seen, margin=AT_ONCE, recovery=PATIENT, limit=10)
    assert list(again.workers) == ["a"]


def test_a_heartbeat_between_seeing_and_reaping_saves_the_worker(
    postgres: PostgresBackend,
) -> None:
    seen = _expired(postgres, "a")
    assert postgres.heartbeat("a", lease=timedelta(seconds=-1))
    reaped = postgres.reap(seen, margin=AT_ONCE, recovery=PATIENT, limit=10)
    assert list(reaped.workers) == []


def test_a_claim_that_waited_for_the_death_of_its_worker_gets_nothing(
    postgres: PostgresBackend, psql: Psql, stranger: Psql
) -> None:
    join(postgres, "a")
    submit(postgres, "w")
    stranger.execute(_STRONG)
    stranger.execute(_DECLARE_DEAD)
    claim = started(lambda: postgres.claim("a", [LANE], limit=10))
    until(lambda: blocked(psql))
    stranger.commit()
    assert list(claim.result(30)) == []
    assert get(postgres, "w").status is Status.ENQUEUED


def test_a_claim_passes_over_rows_that_somebody_holds(
    postgres: PostgresBackend, stranger: Psql
) -> None:
    join(postgres, "a")
    submit(postgres, "v", "w")
    stranger.execute("SELECT 1 FROM workflows WHERE workflow_id = 'v' FOR UPDATE")
    claim = started(lambda: postgres.claim("a", [LANE], limit=10))
    assert [claimed.id for claimed in claim.result(30)] == ["w"]


def test_a_repeat_that_meets_its_own_first_try_is_recognised(
    postgres: PostgresBackend, psql: Psql, stranger: Psql
) -> None:
    """The first try is still under way when the repeat arrives."""
    join(postgres, "a")
    own(postgres, "a", "w")
    stranger.execute(
        "INSERT INTO workflow_steps (workflow_id, step_seq, step_name, status, epoch) "
        "VALUES ('w', 1, 'charge', 'success', 1)"
    )
    stranger.execute(
        "UPDATE workflows SET status = 'success', owner = NULL WHERE workflow_id = 'w'"
    )
    batch = Batch(steps=[step("w")], transitions=[end("w")])
    answer = started(lambda: postgres.commit("a", batch))
    until(lambda: blocked(psql))
    stranger.commit()
    committed = answer.result(30)
    assert list(committed.steps) == [RECORDED]
    assert list(committed.transitions) == [Status.SUCCESS]


@pytest.mark.parametrize("owner", ["a", "forgotten"])
def test_workflows_of_a_worker_without_a_row_are_recovered(
    postgres: PostgresBackend, psql: Psql, owner: str
) -> None:
    join(postgres, "a", "b")
    own(postgres, "a", "w")
    psql.execute("UPDATE workflows SET owner = %s", [owner])
    psql.execute("DELETE FROM workers WHERE worker_id = 'a'")
    pulse = postgres.heartbeat("b", lease=LEASE)
    assert pulse
    assert pulse.orphans
    reaped = postgres.reap([], margin=AT_ONCE, recovery=PATIENT, limit=10)
    assert reaped.workflows == {"w": Status.ENQUEUED}


def test_workers_dead_for_a_day_are_forgotten_unless_they_own_something(
    postgres: PostgresBackend, psql: Psql
) -> None:
    join(postgres, "a", "b", "c")
    own(postgres, "a", "w")
    psql.execute("UPDATE workers SET dead_at = now() - interval '25 hours' WHERE worker_id <> 'c'")
    postgres.reap([], margin=AT_ONCE, recovery=PATIENT, limit=0)
    left = psql.execute("SELECT worker_id FROM workers ORDER BY 1").fetchall()
    assert left == [("a",), ("c",)]


def test_a_heartbeat_that_hangs_is_given_up_while_the_lease_still_holds(
    postgres: PostgresBackend, stranger: Psql
) -> None:
    join(postgres, "a")
    stranger.execute(_STRONG)
    with pytest.raises(BackendUnavailable, match="statement timeout"):
        postgres.heartbeat("a", lease=timedelta(seconds=2))
    stranger.rollback()
    assert postgres.heartbeat("a", lease=timedelta(seconds=2))
