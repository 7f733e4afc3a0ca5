"""Plans: what runs often costs the same with a million rows behind it and before it as with none.

Whatever the planner knows: nothing, what was true when the tables were almost empty,
or the truth; and whether it plans for the parameters or once for all.
"""

import re
import sqlite3
from collections.abc import Generator, Set  # noqa: PYI025 (no set is made)
from contextlib import closing
from itertools import product
from pathlib import Path
from typing import Any

import attrs
import psycopg
import pytest

from perdure_backends.postgres import PostgresBackend
from perdure_backends.postgres.dialect import POSTGRES
from perdure_backends.sql import (
    cancellation,
    claims,
    commits,
    events,
    messages,
    outbox,
    steps,
    streams,
    subscriptions,
    workers,
    workflows,
)
from perdure_backends.sql.compiled import Build, Compiled
from perdure_backends.sqlite import SqliteBackend
from perdure_backends.sqlite.dialect import SQLITE

from .crowd import BATCH, CROWD, FEW, LIMIT, lone_parameters, parameters
from .explained import Plan, explained

_MODES = ("force_custom_plan", "force_generic_plan")
_POSTGRESQL_KNOWLEDGE = {
    "what was true in early days": (),
    "nothing": (
        "DELETE FROM pg_statistic WHERE starelid >= 16384",
        "UPDATE pg_class SET reltuples = -1, relpages = 0 WHERE oid >= 16384",
    ),
    "the truth": ("VACUUM ANALYZE",),
}
_SQLITE_KNOWLEDGE = {
    "what was true in early days": "",
    "nothing": "DELETE FROM sqlite_stat1",
    "the truth": "ANALYZE",
}
_PAGES = 40
"""How many pages a row may cost: each index of its tables, from the root to the leaf."""
_PAGES_WITH_MAIL = 60
"""Where it takes a message too, and publishes an event."""
_GONE = 2_000
_AT_LEAST = 100
"""Pages that are touched for no row of the crowd: who works, and what is locked."""


@attrs.frozen
class Hot:
    """A statement that runs often."""

    build: Build
    shape: tuple[object, ...] = ()
    indexes: Set[str] = attrs.field(kw_only=True)
    rows: int = attrs.field(kw_only=True)
    """The most that it may read from one table, or write there."""
    pages: int = attrs.field(default=_PAGES, kw_only=True)
    """How many pages each of them may cost."""

    @property
    def alone(self) -> bool:
        """Whether it is about one row of each kind."""
        return commits.ALONE in self.shape


_COMMIT = (commits.STEPS, commits.WAITS, commits.TRANSITIONS)
_MAIL = (commits.CONSUMPTIONS, commits.EVENTS)
_READ = BATCH + LIMIT
"""Items: one of each stream that is read, and many of one of them."""
_HOT = {
    "claim": Hot(claims.claim, (False,), indexes={"workflows_ready", "workflows_pkey"}, rows=LIMIT),
    "suspects": Hot(
        claims.claim, (True,), indexes={"workflows_suspects", "workflows_pkey"}, rows=LIMIT
    ),
    "commit": Hot(commits.commit, _COMMIT, indexes={"workflows_pkey"}, rows=BATCH),
    "fresh commit": Hot(
        commits.commit, (commits.FRESH, *_COMMIT), indexes={"workflows_pkey"}, rows=BATCH
    ),
    "usual commit": Hot(
        commits.commit,
        (commits.FRESH, commits.PLAIN, commits.SUCCESSES, commits.STEPS, commits.TRANSITIONS),
        indexes={"workflows_pkey"},
        rows=BATCH,
    ),
    "lone commit": Hot(
        commits.commit,
        (commits.ALONE, *_COMMIT, commits.ITEMS),
        indexes={"workflows_pkey"},
        rows=1,
    ),
    "fresh lone commit": Hot(
        commits.commit,
        (commits.FRESH, commits.ALONE, *_COMMIT),
        indexes={"workflows_pkey"},
        rows=1,
    ),
    "usual lone commit": Hot(
        commits.commit,
        (
            commits.FRESH,
            commits.ALONE,
            commits.PLAIN,
            commits.SUCCESSES,
            commits.STEPS,
            commits.TRANSITIONS,
        ),
        indexes={"workflows_pkey"},
        rows=1,
    ),
    "commit with mail": Hot(
        commits.commit,
        (*_COMMIT, *_MAIL),
        indexes={"workflows_pkey"},
        rows=BATCH,
        pages=_PAGES_WITH_MAIL,
    ),
    "fresh commit with mail": Hot(
        commits.commit,
        (commits.FRESH, *_COMMIT, *_MAIL),
        indexes={"workflows_pkey"},
        rows=BATCH,
        pages=_PAGES_WITH_MAIL,
    ),
    "commit with items": Hot(
        commits.commit,
        (*_COMMIT, commits.ITEMS),
        indexes={"workflows_pkey"},
        rows=BATCH,
        pages=_PAGES_WITH_MAIL,
    ),
    "only items": Hot(commits.commit, (commits.ITEMS,), indexes={"workflows_pkey"}, rows=BATCH),
    "read": Hot(streams.read, indexes={"stream_items_pkey"}, rows=_READ),
    "heartbeat": Hot(
        workers.heartbeat,
        indexes={"workflows_due", "workflows_owned", "workflows_deadlines", "wakeups_pkey"},
        rows=2,
    ),
    "send": Hot(messages.send, indexes={"workflows_pkey"}, rows=BATCH),
    "sent": Hot(messages.sent, indexes={"messages_pkey"}, rows=BATCH),
    "look": Hot(messages.pending, indexes={"workflows_pkey", "messages_pending"}, rows=BATCH),
    "latest events": Hot(events.latest, indexes={"workflow_steps_events"}, rows=BATCH),
    "drain": Hot(outbox.drain, indexes={"wakeups_pkey", "workflows_pkey"}, rows=LIMIT),
    "fans": Hot(outbox.fans, indexes={"wakeups_pkey"}, rows=BATCH),
    "spread": Hot(outbox.spread, indexes={"subscriptions_pkey"}, rows=BATCH),
    "subscribe": Hot(subscriptions.subscribe, indexes={"workflows_pkey"}, rows=BATCH),
    "requests": Hot(cancellation.requests, indexes={"workflows_requests"}, rows=BATCH),
    "deadlines": Hot(cancellation.overdue, indexes={"workflows_deadlines"}, rows=LIMIT),
    "ask many": Hot(cancellation.ask, (False,), indexes={"workflows_pkey"}, rows=BATCH),
    "ask one": Hot(cancellation.ask, (True,), indexes={"workflows_pkey"}, rows=BATCH),
    "asked": Hot(cancellation.standing, indexes={"workflows_pkey"}, rows=BATCH),
    "recover": Hot(claims.recover, indexes={"workflows_owned"}, rows=LIMIT),
    "wake": Hot(workflows.wake, indexes={"workflows_due", "workflows_pkey"}, rows=LIMIT),
    "reconcile": Hot(claims.reconcile, indexes={"workflows_owned"}, rows=BATCH),
    "results": Hot(workflows.load, (True,), indexes={"workflows_pkey"}, rows=BATCH),
    "load": Hot(workflows.load, (False,), indexes={"workflows_pkey"}, rows=BATCH),
    "history": Hot(steps.history, indexes={"workflow_steps_pkey", "waits_pkey"}, rows=BATCH),
    "submit": Hot(workflows.submit, indexes=frozenset(), rows=BATCH),
    "submit fresh": Hot(workflows.submit, (workflows.FRESH,), indexes=frozenset(), rows=BATCH),
    "existing": Hot(workflows.existing, indexes={"workflows_pkey"}, rows=BATCH),
    "recorded": Hot(steps.recorded, indexes={"workflow_steps_pkey"}, rows=BATCH),
    "standing": Hot(workflows.standing, indexes={"workflows_pkey"}, rows=BATCH),
}
_TABLES = ("workflows", "workflow_steps", "waits", "messages", "subscriptions", "stream_items")
_SMALL = {"workers", "definitions"}
"""Tables that a scan reads whole without harm."""


# ------------------------------------------------------------ postgresql


@pytest.fixture
def crowded(postgres_alone: str) -> Generator[psycopg.Connection[Any], None, None]:
    """A PostgreSQL with a crowd in it, analyzed when it was small."""
    with closing(PostgresBackend(postgres_alone)) as backend:
        backend.migrate()
    with psycopg.connect(postgres_alone, autocommit=True) as psql:
        psql.execute("SET search_path = perdure; SET synchronous_commit = off")
        for table in _TABLES:
            # The disk is not what is looked at here.
            psql.execute(f"ALTER TABLE {table} SET UNLOGGED".encode())
        _fill(psql, FEW)
        psql.execute("ANALYZE")
        _fill(psql, CROWD)
        yield psql


def _fill(psql: psycopg.Connection[Any], amounts: tuple[tuple[str, int], ...]) -> None:
    for statement, count in amounts:
        psql.execute(statement.format(numbers=f"generate_series(1, {count}) AS n").encode())


def test_postgresql_touches_few_rows_and_finds_them_by_index(
    crowded: psycopg.Connection[Any],
) -> None:
    compiled, wrong = Compiled(POSTGRES, "perdure"), list[str]()
    many, one = parameters(POSTGRES), lone_parameters()
    for knowledge, learn in _POSTGRESQL_KNOWLEDGE.items():
        for statement in learn:
            crowded.execute(statement.encode())
        for mode, (name, hot) in product(_MODES, _HOT.items()):
            text, given = compiled.text(hot.build, *hot.shape), one if hot.alone else many
            plan = explained(crowded, text, given, mode=mode)
            if not _cheap(plan, hot):
                wrong.append(f"{name}, {mode}, with {knowledge} known:\n{plan}")
    assert not wrong, "\n\n".join(wrong)


def _cheap(plan: Plan, hot: Hot) -> bool:
    return (
        hot.indexes <= plan.indexes
        and plan.scanned <= _SMALL
        and plan.most(besides=_SMALL) <= hot.rows
        and plan.sorted <= max(LIMIT, BATCH)
        and plan.pages <= _AT_LEAST + hot.pages * hot.rows
    )


# ---------------------------------------------------------------- sqlite

_WORKFLOWS, _STEPS, _WAITS, _MESSAGES, _SUBSCRIPTIONS, _ITEMS = (
    f"sqlite_autoindex_{table}_1" for table in _TABLES
)
_OWNED = "(owner=?)" if sqlite3.sqlite_version_info[:2] == (3, 46) else "workflows_requests"
"""Two indexes begin with the owner, who runs few; 3.46 takes either, by what it knows."""
_SQLITE_HOT = {
    "candidates": Hot(claims.candidates, (False,), indexes={"workflows_ready"}, rows=LIMIT),
    "suspects": Hot(claims.candidates, (True,), indexes={"workflows_suspects"}, rows=LIMIT),
    "take": Hot(claims.take_ids, indexes={_WORKFLOWS}, rows=BATCH),
    "record": Hot(steps.record, indexes={_WORKFLOWS}, rows=1),
    "wait": Hot(steps.wait, indexes={_WORKFLOWS}, rows=1),
    "write": Hot(streams.write, indexes={_WORKFLOWS}, rows=1),
    "read": Hot(streams.read, indexes={_ITEMS}, rows=_READ),
    "let_go": Hot(claims.let_go, indexes={_WORKFLOWS}, rows=1),
    "succeed": Hot(claims.succeed, indexes={_WORKFLOWS}, rows=1),
    "wake": Hot(workflows.wake, indexes={"workflows_due", _WORKFLOWS}, rows=LIMIT),
    "pulse": Hot(
        workers.pulse,
        indexes={"workflows_due", "workflows_owned", "workflows_deadlines"},
        rows=_GONE,
    ),
    "insert": Hot(messages.insert, indexes={_WORKFLOWS}, rows=BATCH),
    "sent": Hot(messages.sent, indexes={_MESSAGES}, rows=BATCH),
    "look": Hot(messages.pending, indexes={_WORKFLOWS, _MESSAGES, "messages_pending"}, rows=BATCH),
    "consume": Hot(messages.consume, indexes={_WORKFLOWS, _STEPS, _MESSAGES}, rows=1),
    "tell of an event": Hot(outbox.events, indexes={_WORKFLOWS, _STEPS}, rows=1),
    "followed": Hot(outbox.followed, indexes={_WORKFLOWS}, rows=BATCH),
    "tell of an end": Hot(outbox.ends, indexes={_WORKFLOWS}, rows=1),
    "tell of ends": Hot(cancellation.ends, indexes={_WORKFLOWS}, rows=BATCH),
    "latest events": Hot(events.latest, indexes={"workflow_steps_events"}, rows=BATCH),
    "fans": Hot(outbox.fans, indexes=frozenset(), rows=BATCH),
    "spread": Hot(outbox.spread, indexes={_SUBSCRIPTIONS}, rows=BATCH),
    "apply": Hot(outbox.apply, indexes={_WORKFLOWS}, rows=BATCH),
    "sweep": Hot(outbox.sweep, indexes=frozenset(), rows=BATCH),
    "mark": Hot(subscriptions.mark, indexes={_WORKFLOWS}, rows=1),
    "enter": Hot(subscriptions.enter, indexes={_WORKFLOWS}, rows=BATCH),
    "requests": Hot(cancellation.requests, indexes={_OWNED}, rows=BATCH),
    "deadlines": Hot(cancellation.overdue, indexes={"workflows_deadlines"}, rows=LIMIT),
    "ask": Hot(cancellation.ask, (False,), indexes={_WORKFLOWS}, rows=BATCH),
    "asked": Hot(cancellation.standing, indexes={_WORKFLOWS}, rows=BATCH),
    "recover": Hot(claims.recover, indexes={"workflows_owned"}, rows=LIMIT),
    "reconcile": Hot(claims.reconcile, indexes={"workflows_owned"}, rows=BATCH),
    "results": Hot(workflows.load, (True,), indexes={_WORKFLOWS}, rows=BATCH),
    "load": Hot(workflows.load, (False,), indexes={_WORKFLOWS}, rows=BATCH),
    "history": Hot(steps.history, indexes={_STEPS, _WAITS}, rows=BATCH),
    "submit": Hot(workflows.submit, indexes=frozenset(), rows=BATCH),
    "existing": Hot(workflows.existing, indexes={_WORKFLOWS}, rows=BATCH),
    "recorded": Hot(steps.recorded, indexes={_STEPS}, rows=BATCH),
    "standing": Hot(workflows.standing, indexes={_WORKFLOWS}, rows=BATCH),
}
_NUMBERS = (
    "(WITH RECURSIVE count(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM count "
    "WHERE n < {count}) SELECT n FROM count)"
)
_SORTS = {"submit", "insert", "enter", "look"}
"""They sort what they are given, or the few that they have found."""
_LOOK = 100
"""Instructions of SQLite's machine between two looks at it."""
_INSTRUCTIONS = 400
"""How many of them a row may cost."""


@pytest.fixture
def crowded_file(tmp_path: Path) -> Generator[Path]:
    """A file with a crowd in it, analyzed when it was small."""
    path = tmp_path / "perdure.db"
    with closing(SqliteBackend(f"sqlite:///{path}")) as backend:
        backend.migrate()
    with closing(sqlite3.connect(path)) as shell:
        shell.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF")
        for amounts in (FEW, CROWD):
            for statement, count in amounts:
                shell.execute(statement.format(numbers=_NUMBERS.format(count=count)))
            if amounts is FEW:
                shell.execute("ANALYZE")
            shell.commit()
    yield path
    path.unlink()


def test_sqlite_touches_few_rows_and_finds_them_by_index(crowded_file: Path) -> None:
    wrong: list[str] = []
    for knowledge, learn in _SQLITE_KNOWLEDGE.items():
        with closing(sqlite3.connect(crowded_file)) as shell:
            shell.executescript(learn)
        # Only a new connection reads the statistics.
        with closing(sqlite3.connect(crowded_file)) as shell:
            for name, hot in _SQLITE_HOT.items():
                if plan := _dear(shell, name, hot):
                    wrong.append(f"{name}, with {knowledge} known:\n{plan}")
    assert not wrong, "\n\n".join(wrong)


def _dear(shell: sqlite3.Connection, name: str, hot: Hot) -> str | None:
    """The plan, if it costs too much."""
    text = Compiled(SQLITE, None).text(hot.build, *hot.shape)
    given = parameters(SQLITE)
    plan = "\n".join(row[3] for row in shell.execute(f"EXPLAIN QUERY PLAN {text}", given))
    cheap = (
        all(index in plan for index in hot.indexes)
        and not re.search(
            r"SCAN (workflows|workflow_steps|waits|messages|found|subscriptions|stream_items|candidate)\b",
            plan,
        )
        and (name in _SORTS or "TEMP B-TREE FOR ORDER BY" not in plan)
        and _instructions(shell, text, given) <= _INSTRUCTIONS * hot.rows
    )
    return None if cheap else plan


def _instructions(file: sqlite3.Connection, text: str, given: dict[str, Any]) -> int:
    """How many instructions a statement runs through; nothing of it is kept."""
    looks: list[None] = []
    file.execute("BEGIN")
    file.set_progress_handler(lambda: looks.append(None), _LOOK)
    try:
        file.execute(text, given).fetchall()
    finally:
        file.set_progress_handler(None, 0)
        file.rollback()
    return len(looks) * _LOOK
