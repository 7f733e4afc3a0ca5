"""Who waits for whom, as schedules that are forced with locks on a real PostgreSQL or SQLite.

Somebody else's open transaction stands where a slow or frozen process would.
"""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from typing import Any

import attrs
import psycopg
import pytest

from perdure.backend import RECORDED, Batch
from perdure.model import Status
from perdure_backends.postgres import PostgresBackend
from perdure_backends.sqlite import SqliteBackend
from perdure_backends.testing.statements import Place, Statement, intercept
from perdure_compat.suite.records import (
    AT_ONCE,
    LANE,
    LEASE,
    PATIENT,
    claim,
    end,
    finish,
    get,
    ids,
    info,
    job,
    join,
    own,
    record,
    step,
    steps_of,
    submit,
)

from .waiting import blocked, started, until

Psql = psycopg.Connection[Any]
_INSERT = "INSERT INTO workflows (workflow_id, name) VALUES (%s, 'work')"


def test_while_a_commit_is_late_nobody_else_moves_what_its_live_owner_runs(
    postgres: PostgresBackend, psql: Psql, stranger: Psql
) -> None:
    """Its guard against another owner is as old as the statement: there must not be one."""
    join(postgres, "a", "b")
    own(postgres, "a", "w")
    stranger.execute("SELECT 1 FROM workers WHERE worker_id = 'a' FOR UPDATE")
    batch = Batch(steps=[step("w")], transitions=[end("w")])
    answer = started(lambda: postgres.commit("a", batch))
    until(lambda: blocked(psql))
    pulse = postgres.heartbeat("b", lease=LEASE)
    assert pulse
    postgres.reap(pulse.peers, margin=AT_ONCE, recovery=PATIENT, limit=10)
    assert [each.id for each in postgres.submit([job("w")])] == ["w"]
    assert postgres.resume("w", epoch=1) is Status.RUNNING
    assert postgres.wake(limit=10) == 0
    assert list(postgres.reconcile("b", ())) == []
    assert claim(postgres, "b") == []
    assert (get(postgres, "w").owner, get(postgres, "w").epoch) == ("a", 1)
    stranger.rollback()
    said = answer.result(30)
    assert [*said.steps, *said.transitions] == [RECORDED, Status.SUCCESS]


def test_a_caller_s_open_transaction_stops_neither_claims_nor_commits(
    postgres: PostgresBackend, psql: Psql, stranger: Psql
) -> None:
    join(postgres, "a")
    own(postgres, "a", "v")
    submit(postgres, "w")
    stranger.execute(_INSERT, ["x"])
    assert ids(claim(postgres, "a")) == ["w"]
    said = finish(postgres, "a", end("v"), end("w"))
    assert list(said.transitions) == [Status.SUCCESS] * 2
    assert not blocked(psql)
    stranger.commit()
    assert ids(claim(postgres, "a")) == ["x"]


def test_a_submission_takes_its_ids_in_the_order_of_all_others(
    postgres: PostgresBackend, psql: Psql, stranger: Psql
) -> None:
    """While it waits for `m` it has `a` and not yet `z`, in whatever order they came."""
    stranger.execute(_INSERT, ["m"])
    answer = started(lambda: postgres.submit([job("z"), job("m"), job("a")]))
    until(lambda: blocked(psql))
    psql.execute("SET lock_timeout = 100")
    with pytest.raises(psycopg.errors.LockNotAvailable):
        psql.execute(_INSERT, ["a"])
    psql.execute(_INSERT, ["z"])
    stranger.commit()
    assert sorted(each.id for each in answer.result(30)) == ["m", "z"]


def test_who_is_in_somebody_s_hands_is_not_forgotten_and_nobody_waits(
    postgres: PostgresBackend, psql: Psql, stranger: Psql
) -> None:
    """A claim whose fence is still open may be about to give it work."""
    join(postgres, "a", "b")
    psql.execute("UPDATE workers SET dead_at = now() - interval '25 hours'")
    stranger.execute("SELECT 1 FROM workers WHERE worker_id = 'a' FOR KEY SHARE")
    reap = started(lambda: postgres.reap([], margin=AT_ONCE, recovery=PATIENT, limit=10))
    reap.result(30)
    assert psql.execute("SELECT worker_id FROM workers").fetchall() == [("a",)]


def test_a_row_that_is_held_is_left_for_the_next_reaper_or_waker(
    postgres: PostgresBackend, psql: Psql, stranger: Psql
) -> None:
    join(postgres, "a")
    own(postgres, "a", "v", "w")
    postgres.leave("a")
    submit(postgres, "x", "y", delay=LEASE)
    psql.execute("UPDATE workflows SET run_at = '2000-01-01'")
    stranger.execute("SELECT 1 FROM workflows WHERE workflow_id IN ('v', 'x') FOR UPDATE")

    def free() -> tuple[set[str], int]:
        reaped = postgres.reap([], margin=AT_ONCE, recovery=PATIENT, limit=10)
        return set(reaped.workflows), postgres.wake(limit=10)

    assert started(free).result(30) == ({"w"}, 1)
    stranger.rollback()
    assert free() == ({"v"}, 1)


# ---------------------------------------------------------------- limits


@attrs.frozen
class _Ear:
    """Looks at the session before each statement inside a transaction."""

    heard: list[str]
    ask: Callable[[Any], str]

    def lend(self) -> None:
        """Nothing happens between tries."""

    def execute(self, statement: Statement) -> None:
        """Look, then run it."""
        limits = statement.text.startswith("SELECT set_config(")
        if statement.place is Place.INSIDE and not limits:
            self.heard.append(self.ask(statement.driver))
        statement.run()


def _idle_limit(driver: Any) -> str:
    limit: str = driver.execute("SHOW idle_in_transaction_session_timeout").fetchone()[0]
    return limit


def test_a_transaction_of_several_statements_brings_its_own_limit(
    postgres_url: str, psql: Psql
) -> None:
    """A process that is stopped inside holds its locks no longer, and the session is as before."""
    with closing(PostgresBackend(postgres_url)) as backend:
        ear = _Ear([], _idle_limit)
        intercept(backend, ear)
        backend.migrate()
        migrated = len(ear.heard)
        join(backend, "a", "b")
        psql.execute(
            "UPDATE workers SET dead_at = now() - interval '25 hours' WHERE worker_id = 'b'"
        )
        backend.heartbeat("a", lease=LEASE)
        backend.reap([], margin=AT_ONCE, recovery=PATIENT, limit=10)
        # The heartbeat is one statement, forgetting is two.
        assert len(ear.heard) == migrated + 3
        assert "0" not in ear.heard, ear.heard
        rest = backend.runner.run(lambda c: _idle_limit(c.connection.driver_connection))
        assert rest == "0"


# ---------------------------------------------------------------- sqlite


def test_no_verb_keeps_the_write_lock_of_a_file(sqlite: SqliteBackend, sqlite_url: str) -> None:
    """Every verb fetches all that it returns, and ends what it began."""
    began: list[str] = []

    @attrs.frozen
    class Begins:
        def lend(self) -> None:
            pass

        def execute(self, statement: Statement) -> None:
            if statement.place is Place.BEGIN:
                began.append(statement.text)
            statement.run()

    intercept(sqlite, Begins())
    free = [job("v"), job("w"), job("x", delay=timedelta(seconds=-1))]
    acts: list[Callable[[], object]] = [
        lambda: sqlite.join(info("a"), lease=LEASE),
        lambda: sqlite.heartbeat("a", lease=LEASE),
        lambda: sqlite.submit(free),
        lambda: sqlite.claim("a", [LANE], limit=2),
        lambda: record(sqlite, "a", step("v"), step("w")),
        lambda: finish(sqlite, "a", end("v", Status.PARKED), end("w")),
        lambda: sqlite.resume("v", epoch=1),
        lambda: sqlite.wake(limit=1),
        lambda: sqlite.reconcile("a", ()),
        lambda: sqlite.load(["v", "w", "x"]),
        lambda: steps_of(sqlite, "v"),
        lambda: sqlite.leave("a"),
        lambda: sqlite.reap([], margin=AT_ONCE, recovery=PATIENT, limit=1),
    ]
    file = sqlite_url.removeprefix("sqlite:///")
    with closing(sqlite3.connect(file, isolation_level=None, timeout=0)) as other:
        for act in acts:
            act()
            other.execute("BEGIN IMMEDIATE")
            other.execute("ROLLBACK")
    assert len(began) > 8
    assert set(began) == {"BEGIN IMMEDIATE"}
