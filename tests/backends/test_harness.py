"""What the conformance suite borrows from our databases is given back, and ages as it should."""

from collections.abc import Callable, Generator
from contextlib import closing
from datetime import timedelta

import psycopg
import pytest
from sqlalchemy import Connection

from perdure.backend import Backend
from perdure.errors import BackendUnavailable, SchemaError
from perdure_backends.sql.backend import SqlBackend
from perdure_backends.testing.harness import (
    CockroachHarness,
    PostgresHarness,
    SqlHarness,
    SqliteHarness,
)
from perdure_compat.suite.records import get, join, submit

HOUR = timedelta(hours=1)
MAKERS: dict[str, tuple[str, Callable[[str], SqlHarness]]] = {
    "postgresql": ("postgres_url", PostgresHarness),
    "double": ("cockroach_url", CockroachHarness),
    "sqlite": ("sqlite_url", SqliteHarness),
}


SHAPE = (
    (
        "SELECT table_schema, table_name, column_name, data_type FROM information_schema.columns",
        "SELECT schemaname, indexdef FROM pg_indexes",
    ),
    ("SELECT type, name, sql FROM sqlite_master", "SELECT 'index', sql FROM sqlite_master"),
)
"""What a server and SQLite tell of their tables; a row begins with its schema, or its kind."""


@pytest.fixture(params=MAKERS)
def harness(request: pytest.FixtureRequest) -> Generator[SqlHarness, None, None]:
    """Each of ours in turn."""
    fixture, make = MAKERS[request.param]
    with closing(make(request.getfixturevalue(fixture))) as harness:
        yield harness


def test_nothing_is_left_of_a_place_that_is_given_back(harness: SqlHarness) -> None:
    place = harness.fresh()
    with closing(place.open()) as backend:
        backend.migrate()
        submit(backend, "w")
    harness.dispose(place)
    assert harness.left == []
    with closing(place.open()) as backend:
        if isinstance(harness, SqliteHarness):
            with pytest.raises(BackendUnavailable):
                backend.schema_version()
        else:
            assert backend.schema_version().current is None


def test_time_passes_for_workflows_and_workers_of_one_place(harness: SqlHarness) -> None:
    place, other = harness.fresh(), harness.fresh()
    with closing(place.open()) as backend, closing(other.open()) as untouched:
        for each in (backend, untouched):
            each.migrate()
            submit(each, "w")
        join(backend, "a", lease=HOUR)
        before, elsewhere = get(backend, "w"), get(untouched, "w")
        harness.pass_time(place, 2 * HOUR)
        after = get(backend, "w")
        assert before.run_at - after.run_at == 2 * HOUR
        assert before.created_at - after.created_at == 2 * HOUR
        assert get(untouched, "w") == elsewhere
        join(backend, "b")
        pulse = backend.heartbeat("b", lease=HOUR)
        assert pulse
        held = {peer.worker_id: peer.lease_until > pulse.now for peer in pulse.peers}
        assert held == {"a": False, "b": True}


def test_a_prepared_place_is_one_that_was_migrated(harness: SqlHarness) -> None:
    place = harness.fresh()
    with closing(harness.prepared(place)) as backend, closing(harness.fresh().open()) as other:
        other.migrate()
        assert backend.schema_version() == other.schema_version()
        assert _shape(backend) == _shape(other) != set()
        submit(backend, "w")
    with closing(harness.prepared(harness.fresh())) as another:
        assert list(another.load(["w"])) == []


def test_who_takes_over_the_tables_of_a_place_that_is_gone_finds_them_empty(
    harness: SqlHarness,
) -> None:
    gone = harness.fresh()
    with closing(harness.prepared(gone)) as backend:
        shape = _shape(backend)
        submit(backend, "w")
    harness.dispose(gone)
    with closing(harness.prepared(harness.fresh())) as backend, closing(gone.open()) as ghost:
        assert list(backend.load(["w"])) == []
        assert _shape(backend) == shape
        submit(backend, "w")
        with pytest.raises((SchemaError, BackendUnavailable)):
            ghost.load(["w"])


@pytest.mark.parametrize("kind", ["postgresql", "double"])
def test_no_schema_is_left_when_the_run_is_over(
    kind: str, postgres_url: str, request: pytest.FixtureRequest
) -> None:
    fixture, make = MAKERS[kind]
    with closing(make(request.getfixturevalue(fixture))) as harness:
        first, second = harness.fresh(), harness.fresh()
        for place in (first, second):
            harness.prepared(place).close()
        for place in (first, second):
            harness.dispose(place)
    with psycopg.connect(postgres_url) as look:
        left = look.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'perdure%'")
        assert left.fetchall() == []


def _shape(backend: Backend) -> set[str]:
    """Columns and indexes of all tables, in words without the schema's name."""
    assert isinstance(backend, SqlBackend)
    schema = backend.compiled.schema

    def look(connection: Connection) -> set[str]:
        found = [row for sql in SHAPE[schema is None] for row in connection.exec_driver_sql(sql)]
        return {
            str(row[1:]).replace(f"{schema}.", "") for row in found if row[0] in {schema, "index"}
        }

    return backend.runner.run(look)


def test_time_passes_where_nothing_was_made_yet(harness: SqlHarness) -> None:
    place = harness.fresh()
    harness.pass_time(place, HOUR)
    with closing(place.open()) as backend:
        assert backend.schema_version().current is None
