"""Migrations: at once, half way, by hand, and what the tables look like afterwards."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData

from perdure.backend import Query
from perdure.errors import SchemaError
from perdure_backends.cockroachdb import CockroachBackend
from perdure_backends.postgres import PostgresBackend
from perdure_backends.sql import locks, migrate
from perdure_backends.sql.backend import SqlBackend
from perdure_backends.sql.tables import metadata
from perdure_backends.sqlite import SqliteBackend
from perdure_compat.harness import Place
from perdure_compat.suite.children import Child
from perdure_compat.suite.races import together
from perdure_compat.suite.records import claim, get, ids, job, join, submit

Psql = psycopg.Connection[Any]
_KINDS = ["sqlite", "postgresql", "cockroachdb double"]


@pytest.fixture(params=_KINDS)
def backends(request: pytest.FixtureRequest, sqlite_url: str) -> Sequence[SqlBackend]:
    """Four backends on one empty database."""
    if request.param == "sqlite":
        return [SqliteBackend(sqlite_url) for _ in range(4)]
    if request.param == "postgresql":
        url: str = request.getfixturevalue("postgres_url")
        return [PostgresBackend(url) for _ in range(4)]
    through: str = request.getfixturevalue("cockroach_url")
    return [CockroachBackend(through) for _ in range(4)]


def _use(backend: SqlBackend) -> None:
    join(backend, "a")
    submit(backend, "w")
    assert ids(claim(backend, "a")) == ["w"]
    backend.close()


def test_four_at_once_migrate_and_all_is_there(backends: Sequence[SqlBackend]) -> None:
    together(lambda backend: backend.migrate(), backends)
    for backend in backends:
        assert backend.schema_version().current == migrate.REVISIONS[-1]
        backend.close()
    _use(backends[0])


def test_processes_migrate_at_once(database_url: str) -> None:
    place = Place(url=database_url, namespace="perdure")
    with Child(place, "migrate") as one, Child(place, "migrate") as other:
        one.go()
        other.go()
        assert [one.read(), other.read()] == ["migrated"] * 2
        assert [one.end(), other.end()] == [0, 0]


class _Killed(Exception):
    """Stands for the end of the process."""


def test_a_migration_cut_short_is_finished_by_the_next(
    backends: Sequence[SqlBackend], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection dies after the fourth statement, as with a killed process."""
    first, second, *rest = backends
    executed = 0
    real = Connection.execute

    def execute(self: Connection, *args: Any, **kwargs: Any) -> Any:
        nonlocal executed
        executed += "CREATE" in str(args[0])
        if executed > 4:
            raise _Killed
        return real(self, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(Connection, "execute", execute)
        with pytest.raises(_Killed):
            first.migrate()
    assert executed == 5
    second.migrate()
    _use(second)
    for backend in (first, *rest):
        backend.close()


def test_a_lease_on_a_migration_that_nobody_holds_any_more_runs_out(
    cockroach: CockroachBackend, psql: Psql
) -> None:
    psql.execute("DROP TABLE perdure_version")
    psql.execute("UPDATE migration SET holder = 'killed', held_until = now() - interval '1 second'")
    cockroach.migrate()
    assert cockroach.schema_version().current == migrate.REVISIONS[-1]


def test_a_lease_on_a_migration_keeps_a_rival_waiting(
    cockroach: CockroachBackend,
) -> None:
    def look(connection: Connection) -> list[bool]:
        session = cockroach.session(connection)
        tries = [bool(session.rows(locks.taken, {"holder": who})) for who in "ab"]
        session.rows(locks.released, {"holder": "a"})
        return [*tries, bool(session.rows(locks.taken, {"holder": "b"}))]

    assert cockroach.runner.run(look) == [True, False, True]


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_tables_of_a_newer_perdure_are_refused(kind: str, request: pytest.FixtureRequest) -> None:
    backend: SqlBackend = request.getfixturevalue(kind)

    def age(connection: Connection) -> None:
        table = "perdure_version" if kind == "sqlite" else "perdure.perdure_version"
        connection.exec_driver_sql(f"UPDATE {table} SET version_num = '9999'")  # noqa: S608 (ours)

    backend.runner.run(age)
    assert not backend.schema_version().known
    with pytest.raises(SchemaError, match=r"newer|older"):
        backend.migrate()


def test_the_printed_script_makes_the_same_tables(postgres_url: str) -> None:
    with closing(PostgresBackend(postgres_url)) as backend:
        with psycopg.connect(postgres_url, autocommit=True) as psql:
            psql.execute(backend.migration_sql().encode())
        assert backend.schema_version().current == migrate.REVISIONS[-1]
        _use(backend)


def test_the_script_for_sqlite_makes_the_same_tables(sqlite_url: str) -> None:
    with closing(SqliteBackend(sqlite_url)) as backend:
        file = sqlite_url.removeprefix("sqlite:///")
        with closing(sqlite3.connect(file)) as shell:
            shell.executescript(backend.migration_sql())
        _use(backend)


def test_two_namespaces_share_a_database(postgres_url: str) -> None:
    for namespace in ("one", "Other"):
        with closing(PostgresBackend(postgres_url, namespace=namespace)) as backend:
            backend.migrate()
            submit(backend, "w")
            assert len(backend.find(Query())) == 1


def test_the_known_revisions_are_the_scripts() -> None:
    directory = ScriptDirectory(str(migrate.SCRIPTS))
    found = [script.revision for script in directory.walk_revisions()]
    assert tuple(reversed(found)) == migrate.REVISIONS


def _declared() -> dict[str, set[str]]:
    tables: MetaData = metadata
    return {table.name: {column.name for column in table.columns} for table in tables.sorted_tables}


def test_postgresql_has_the_declared_columns(postgres: PostgresBackend, psql: Psql) -> None:
    assert postgres.schema_version().current
    rows = psql.execute(
        "SELECT table_name, column_name FROM information_schema.columns "
        "WHERE table_schema = 'perdure'"
    ).fetchall()
    found: dict[str, set[str]] = {}
    for table, column in rows:
        found.setdefault(table, set()).add(column)
    assert found == _declared()


def test_sqlite_has_the_declared_columns(sqlite: SqliteBackend, sqlite_url: str) -> None:
    assert sqlite.schema_version().current
    with closing(sqlite3.connect(Path(sqlite_url.removeprefix("sqlite:///")))) as shell:
        found = {
            name: {row[1] for row in shell.execute(f"PRAGMA table_info({name})")}
            for (name,) in shell.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
        }
    declared = _declared()
    del declared["migration"]
    # Its own, for the numbers of wake-ups.
    del found["sqlite_sequence"]
    assert found == declared


# ------------------------------------------------------------ public SQL

_BY_HAND = (
    "INSERT INTO workflows (workflow_id, name, input) VALUES ('order-42', 'work', '{\"args\": []}')"
)


def test_an_insert_from_psql_is_a_submission(postgres: PostgresBackend, psql: Psql) -> None:
    psql.execute(_BY_HAND.encode())
    _is_claimed(postgres)


def test_an_insert_from_a_shell_is_a_submission(sqlite: SqliteBackend, sqlite_url: str) -> None:
    with closing(sqlite3.connect(sqlite_url.removeprefix("sqlite:///"))) as shell:
        shell.execute(_BY_HAND)
        shell.commit()
    _is_claimed(sqlite)


def test_an_insert_by_hand_is_claimed_from_a_shard_too(
    cockroach: CockroachBackend, psql: Psql
) -> None:
    psql.execute(_BY_HAND.encode())
    _is_claimed(cockroach)


def _is_claimed(backend: SqlBackend) -> None:
    record = get(backend, "order-42")
    assert (record.queue, record.priority, record.epoch) == ("default", 0, 0)
    assert record.attributes == {}
    join(backend, "a")
    (claimed,) = claim(backend, "a")
    assert (claimed.id, claimed.input_json) == ("order-42", '{"args": []}')
    assert [each.id for each in backend.submit([job("order-42")])] == ["order-42"]


def test_the_documented_query_runs_as_it_stands(postgres: PostgresBackend, psql: Psql) -> None:
    assert postgres.schema_version().current
    psql.execute(
        "INSERT INTO workflow_steps (workflow_id, step_seq, step_name, status, error_message) "
        "VALUES ('w', 1, 'charge', 'error', 'no money'), ('w', 2, 'charge', 'success', NULL)"
    )
    rows = psql.execute(
        "SELECT workflow_id, step_name, error_message, completed_at FROM workflow_steps "
        "WHERE status = 'error' AND completed_at >= now() - interval '1 month' "
        "ORDER BY completed_at DESC"
    ).fetchall()
    assert [row[:3] for row in rows] == [("w", "charge", "no money")]
