"""Plans: what runs often finds its rows by an index, however much history there is."""

import re
import sqlite3
from collections.abc import Generator, Mapping
from contextlib import closing, contextmanager
from typing import Any

import psycopg
import pytest

from perdure_backends.postgres import PostgresBackend
from perdure_backends.postgres.dialect import POSTGRES
from perdure_backends.sql import claims, commits, steps, workers, workflows
from perdure_backends.sql.backend import SqlBackend
from perdure_backends.sql.compiled import Build, Compiled
from perdure_backends.sqlite import SqliteBackend
from perdure_backends.sqlite.dialect import SQLITE
from perdure_compat.suite.records import WHEN

_HISTORY = 100_000
_ENDED = """
INSERT INTO workflows (workflow_id, name, status, owner, completed_at)
SELECT 'ended-' || n, 'work', 'success', NULL, '2026-01-01' FROM {numbers}
"""
_READY = """
INSERT INTO workflows (workflow_id, name) SELECT 'ready-' || n, 'work' FROM {numbers}
"""
_ASLEEP = """
INSERT INTO workflows (workflow_id, name, status, run_at)
SELECT 'asleep-' || n, 'work', 'delayed', '9000-01-01' FROM {numbers}
"""
_RUNNING = """
INSERT INTO workflows (workflow_id, name, status, owner, epoch)
SELECT 'running-' || n, 'work', 'running', 'a', 1 FROM {numbers}
"""
_STEPS = """
INSERT INTO workflow_steps (workflow_id, step_seq, step_name, status)
SELECT 'ended-' || n, 1, 'charge', 'success' FROM {numbers}
"""
_WORKERS = """
INSERT INTO workers (worker_id, lease_until, dead_at)
SELECT 'gone-' || n, '2026-01-01', '2026-01-01' FROM {numbers}
"""
_MINE = "INSERT INTO workers (worker_id, lease_until) VALUES ('a', '9000-01-01')"
_AMOUNTS = (
    (_ENDED, _HISTORY),
    (_STEPS, _HISTORY),
    (_READY, 5_000),
    (_ASLEEP, 20_000),
    (_RUNNING, 500),
    (_WORKERS, 2_000),
)


def _parameters(encode: Any, listed: Any) -> dict[str, Any]:
    lanes = [(queue, "work") for queue in ("default", "other", "third")]
    step = ("running-1", "", 1, "charge", "step", "success", "1", None, None, 1)
    return {
        "me": "a",
        "limit": 100,
        "lease": 10.0,
        "margin": 0.0,
        "max_strikes": 5,
        "backoff": 1.0,
        "queue": "default",
        "name": "work",
        "ids": listed(["running-1", "ended-2"]),
        "known": listed(["running-1"]),
        **encode("lane", claims.LANE, lanes),
        **encode("seen", workers.SEEN, [("b", 1), ("c", 2)]),
        **encode("step", steps.STEP, [(*step, WHEN, WHEN, 1)]),
        **encode("wait", steps.WAIT, [("running-1", "", 2, "sleep", WHEN, 1)]),
        **encode(
            "transition",
            claims.TRANSITION,
            [("running-1", 1, "success", None, None, None, None)],
        ),
    }


# ------------------------------------------------------------ postgresql


@pytest.fixture(params=["analyzed", "unknown to the planner"])
def history(
    request: pytest.FixtureRequest,
    postgres: PostgresBackend,
    psql: psycopg.Connection[Any],
) -> psycopg.Connection[Any]:
    """A PostgreSQL with much history, and with good statistics or none at all."""
    assert postgres.schema_version().current
    for table in ("workflows", "workflow_steps", "workers"):
        psql.execute(f"ALTER TABLE {table} SET (autovacuum_enabled = off)".encode())
    for statement, count in _AMOUNTS:
        numbers = f"generate_series(1, {count}) AS n"
        psql.execute(statement.format(numbers=numbers).encode())
    psql.execute(_MINE)
    if request.param == "analyzed":
        psql.execute("VACUUM ANALYZE")
    return psql


_HOT: dict[str, tuple[Build, tuple[object, ...], set[str]]] = {
    "claim": (claims.claim, (False,), {"workflows_ready", "workflows_pkey"}),
    "suspects": (claims.claim, (True,), {"workflows_suspects", "workflows_pkey"}),
    "commit": (
        commits.commit,
        (commits.STEPS, commits.WAITS, commits.TRANSITIONS),
        {"workflows_pkey"},
    ),
    "wake": (workflows.wake, (), {"workflows_due", "workflows_pkey"}),
    "heartbeat": (workers.heartbeat, (), {"workflows_due", "workflows_owned"}),
    "recover": (claims.recover, (), {"workflows_owned"}),
    "reconcile": (claims.reconcile, (), {"workflows_owned"}),
    "load": (workflows.load, (False,), {"workflows_pkey"}),
    "history": (steps.history, (), {"workflow_steps_pkey"}),
}
_SMALL = {"workers", "definitions", "waits"}
"""Tables that a scan reads whole without harm."""


def _nodes(plan: Mapping[str, Any]) -> Generator[Mapping[str, Any], None, None]:
    yield plan
    for inner in plan.get("Plans", ()):
        yield from _nodes(inner)


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
def test_postgresql_finds_the_rows_by_index(history: psycopg.Connection[Any], mode: str) -> None:
    compiled = Compiled(POSTGRES, "perdure")
    given = _parameters(POSTGRES.encode, POSTGRES.listed)
    history.execute(f"SET plan_cache_mode = {mode}".encode())
    history.prepare_threshold = 0
    for name, (build, shape, wanted) in _HOT.items():
        text = compiled.text(build, *shape)
        nodes = list(_nodes(_explained(history, name, text, given)))
        used = {node["Index Name"] for node in nodes if "Index Name" in node}
        assert wanted <= used, (name, used)
        scanned = {n["Relation Name"] for n in nodes if n["Node Type"] == "Seq Scan"}
        assert scanned <= _SMALL, (name, scanned)


def _explained(
    psql: psycopg.Connection[Any], name: str, text: str, given: Mapping[str, Any]
) -> Mapping[str, Any]:
    """The plan of a statement that is prepared with parameters, as ours are."""
    asked = list(dict.fromkeys(re.findall(r"%\((\w+)\)s", text)))
    for number, key in enumerate(asked, 1):
        text = text.replace(f"%({key})s", f"${number}")
    values = ", ".join("'" + str(given[key]).replace("'", "''") + "'" for key in asked)
    psql.execute(f"PREPARE plan_{name} AS {text.replace('%%', '%')}".encode())
    run = f"EXECUTE plan_{name}({values})" if asked else f"EXECUTE plan_{name}"
    row = psql.execute(f"EXPLAIN (FORMAT JSON) {run}".encode()).fetchone()
    assert row
    plan: Mapping[str, Any] = row[0][0]["Plan"]
    return plan


def test_postgresql_sorts_only_the_few_candidates_of_a_claim(
    history: psycopg.Connection[Any],
) -> None:
    """Three lanes at most a hundred each, whatever stands in the queue."""
    given = _parameters(POSTGRES.encode, POSTGRES.listed)
    text = Compiled(POSTGRES, "perdure").text(claims.claim, False)  # noqa: FBT003 (a shape)
    history.execute("BEGIN")
    row = history.execute(
        f"EXPLAIN (ANALYZE, FORMAT JSON) {text}".encode(),
        given,
    ).fetchone()
    history.execute("ROLLBACK")
    assert row
    nodes = list(_nodes(row[0][0]["Plan"]))
    sorts = [node for node in nodes if node["Node Type"] == "Sort"]
    assert [node["Actual Rows"] for node in sorts] == [100]
    (index,) = [n for n in nodes if n.get("Index Name") == "workflows_ready"]
    assert index["Actual Rows"] <= 100


# ---------------------------------------------------------------- sqlite


@contextmanager
def _shell(url: str) -> Generator[sqlite3.Connection, None, None]:
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
        yield connection
        connection.commit()


_COUNT = (
    "(WITH RECURSIVE count(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM count "
    "WHERE n < {count}) SELECT n FROM count)"
)
_SQLITE_HOT: dict[str, tuple[Build, tuple[object, ...], str]] = {
    "candidates": (claims.candidates, (False,), "workflows_ready"),
    "suspects": (claims.candidates, (True,), "workflows_suspects"),
    "take": (claims.take_ids, (), "sqlite_autoindex_workflows_1"),
    "record": (steps.record, (), "sqlite_autoindex_workflows_1"),
    "let_go": (claims.let_go, (), "sqlite_autoindex_workflows_1"),
    "wake": (workflows.wake, (), "workflows_due"),
    "pulse": (workers.pulse, (), "workflows_owned"),
    "recover": (claims.recover, (), "workflows_owned"),
    "reconcile": (claims.reconcile, (), "workflows_owned"),
    "load": (workflows.load, (False,), "sqlite_autoindex_workflows_1"),
    "history": (steps.history, (), "sqlite_autoindex_workflow_steps_1"),
}


@pytest.mark.parametrize("statistics", ["none", "analyzed"])
def test_sqlite_finds_the_rows_by_index(
    sqlite: SqliteBackend, sqlite_url: str, statistics: str
) -> None:
    _filled(sqlite, sqlite_url, analyzed=statistics == "analyzed")
    compiled = Compiled(SQLITE, None)
    given = _parameters(SQLITE.encode, SQLITE.listed)
    with _shell(sqlite_url) as shell:
        for name, (build, shape, wanted) in _SQLITE_HOT.items():
            plan = "\n".join(
                row[3]
                for row in shell.execute(
                    "EXPLAIN QUERY PLAN " + compiled.text(build, *shape),
                    given,
                )
            )
            assert wanted in plan, (name, plan)
            scans = re.findall(r"SCAN (workflows|workflow_steps|candidate)(?! USING)", plan)
            assert scans == [], (name, plan)


def _filled(backend: SqlBackend, url: str, *, analyzed: bool) -> None:
    assert backend.schema_version().current
    with _shell(url) as shell:
        for statement, count in _AMOUNTS:
            numbers = _COUNT.format(count=count)
            shell.execute(statement.format(numbers=numbers))
        shell.execute(_MINE)
        if analyzed:
            shell.execute("ANALYZE")
