"""What real errors of PostgreSQL and SQLite become."""

import os
import sqlite3
import time
from collections.abc import Generator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from threading import Barrier
from typing import Any, Protocol

import psycopg
import pytest
from sqlalchemy import Connection

from perdure.backend import Query
from perdure.errors import (
    BackendRefused,
    BackendUnavailable,
    ConfigurationError,
    OutcomeUnknown,
    SchemaError,
)
from perdure_backends.cockroachdb import CockroachBackend
from perdure_backends.postgres import PostgresBackend
from perdure_backends.sql.backend import SqlBackend
from perdure_backends.sqlite import SqliteBackend
from perdure_compat.suite.races import together
from perdure_compat.suite.records import LANE, LEASE, job, join, submit

Psql = psycopg.Connection[Any]
_KILL = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


def test_a_read_survives_the_loss_of_every_held_connection(
    postgres: PostgresBackend, psql: Psql
) -> None:
    submit(postgres, "w")
    psql.execute(_KILL)
    assert [found.id for found in postgres.find(Query())] == ["w"]


def test_a_repeatable_write_survives_the_loss_of_its_connection(
    postgres: PostgresBackend, psql: Psql
) -> None:
    join(postgres, "a")
    psql.execute(_KILL)
    assert postgres.heartbeat("a", lease=LEASE)


def test_a_claim_on_a_lost_connection_is_unknown_at_once(
    postgres: PostgresBackend, psql: Psql
) -> None:
    join(postgres, "a")
    submit(postgres, "w")
    psql.execute(_KILL)
    with pytest.raises(OutcomeUnknown) as raised:
        postgres.claim("a", [LANE], limit=1)
    assert raised.value.where == postgres.where
    assert isinstance(raised.value.__cause__, Exception)
    assert [claimed.id for claimed in postgres.claim("a", [LANE], limit=1)] == ["w"]


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_restart_of_the_server_is_survived(postgres_restarts: "Restarts") -> None:
    with closing(PostgresBackend(postgres_restarts.url)) as backend:
        backend.migrate()
        submit(backend, "w")
        postgres_restarts.stop()
        with pytest.raises(BackendUnavailable):
            backend.load(["w"])
        with pytest.raises(BackendUnavailable):
            backend.submit([job("v")])
        postgres_restarts.start()
        assert [found.id for found in backend.load(["w", "v"])] == ["w"]


class Restarts(Protocol):
    """A server of one's own."""

    url: str

    def stop(self) -> None:
        """Stop it as a crash would."""
        ...

    def start(self) -> None:
        """Start it again on the same port."""
        ...


def test_a_deadlock_is_tried_again(postgres: PostgresBackend, psql: Psql) -> None:
    """Two writers that lock two rows in opposite order: one dies and comes back."""
    submit(postgres, "v", "w")
    psql.execute(
        "DO $$ BEGIN EXECUTE 'ALTER DATABASE ' || current_database() || "
        "' SET deadlock_timeout = 20'; END $$"
    )
    postgres.close()
    met = Barrier(2)

    def lock(order: tuple[str, str]) -> int:
        tries = 0

        def both(connection: Connection) -> None:
            nonlocal tries
            tries += 1
            connection.exec_driver_sql("BEGIN")
            for at, workflow_id in enumerate(order):
                connection.exec_driver_sql(
                    "UPDATE perdure.workflows SET priority = priority + 1 "
                    "WHERE workflow_id = %(id)s",
                    {"id": workflow_id},
                )
                if at == 0 and tries == 1:
                    met.wait(30)
            connection.exec_driver_sql("COMMIT")

        postgres.runner.run(both)
        return tries

    assert sorted(together(lock, [("v", "w"), ("w", "v")])) == [1, 2]
    assert [found.priority for found in postgres.find(Query())] == [2, 2]


def test_a_cancelled_statement_is_unavailability_and_no_lost_answer(
    postgres: PostgresBackend, psql: Psql
) -> None:
    submit(postgres, "w")
    psql.execute(
        "DO $$ BEGIN EXECUTE 'ALTER DATABASE ' || current_database() || "
        "' SET statement_timeout = 60'; END $$"
    )
    postgres.close()

    def slow(connection: Connection) -> None:
        connection.exec_driver_sql("SELECT pg_sleep(30)")

    with pytest.raises(BackendUnavailable) as raised:
        postgres.runner.run(slow, repeatable=False)
    assert type(raised.value) is BackendUnavailable


def test_a_read_only_server_is_unavailable(postgres: PostgresBackend, psql: Psql) -> None:
    psql.execute(
        "DO $$ BEGIN EXECUTE 'ALTER DATABASE ' || current_database() || "
        "' SET default_transaction_read_only = on'; END $$"
    )
    postgres.close()
    with pytest.raises(BackendUnavailable, match="read-only"):
        postgres.submit([job("w")])


@pytest.mark.parametrize("kind", ["postgres", "sqlite"])
def test_missing_tables_name_the_command(kind: str, postgres_url: str, sqlite_url: str) -> None:
    backends: dict[str, SqlBackend] = {
        "postgres": PostgresBackend(postgres_url),
        "sqlite": SqliteBackend(sqlite_url),
    }
    with closing(backends[kind]) as backend, pytest.raises(SchemaError, match="migrate"):
        backend.submit([job("w")])
    backends["postgres"].close()


def test_a_number_that_is_too_big_is_refused(postgres: PostgresBackend) -> None:
    with pytest.raises(BackendRefused, match="out of range"):
        postgres.submit([job("w", priority=2**40)])


# --------------------------------------------------------------- servers


def test_a_server_that_is_not_there_is_named_without_the_password() -> None:
    backend = PostgresBackend("postgresql://me:secret@127.0.0.1:1/shop")
    began = time.monotonic()
    with pytest.raises(BackendUnavailable) as raised:
        backend.schema_version()
    assert time.monotonic() - began < 15
    assert "postgresql://127.0.0.1:1/shop" in str(raised.value)
    assert "secret" not in str(raised.value)
    assert "secret" not in repr(backend)


def test_a_postgresql_behind_a_cockroachdb_url_is_refused(postgres_url: str) -> None:
    url = postgres_url.replace("postgresql://", "cockroachdb://")
    with (
        closing(CockroachBackend(url)) as backend,
        pytest.raises(ConfigurationError, match=r"no CockroachDB.*postgresql://"),
    ):
        backend.schema_version()


def test_the_first_verb_of_any_kind_checks_the_server(postgres_url: str) -> None:
    url = postgres_url.replace("postgresql://", "cockroachdb://")
    with (
        closing(CockroachBackend(url)) as backend,
        pytest.raises(ConfigurationError, match="no CockroachDB"),
    ):
        backend.wake(limit=1)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_postgresql_has_three_spellings(postgres_url: str, scheme: str) -> None:
    url = postgres_url.replace("postgresql://", f"{scheme}://")
    with closing(PostgresBackend(url)) as backend:
        assert backend.schema_version().current is None


@pytest.mark.parametrize("namespace", ["", "1a", "a b", 'a"b', "a" * 64])
def test_a_namespace_is_a_plain_name(namespace: str) -> None:
    with pytest.raises(ConfigurationError, match="namespace"):
        PostgresBackend("postgresql://127.0.0.1/x", namespace=namespace)


# ---------------------------------------------------------------- sqlite


@contextmanager
def _written_by_a_stranger(path: Path) -> Generator[None, None, None]:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def _file(url: str) -> Path:
    return Path(url.removeprefix("sqlite:///"))


def test_reads_do_not_wait_for_a_stranger_who_writes(
    sqlite: SqliteBackend, sqlite_url: str
) -> None:
    submit(sqlite, "w")
    with _written_by_a_stranger(_file(sqlite_url)):
        assert [found.id for found in sqlite.find(Query())] == ["w"]


def test_an_empty_queue_is_seen_without_the_write_lock(
    sqlite: SqliteBackend, sqlite_url: str
) -> None:
    join(sqlite, "a")
    with _written_by_a_stranger(_file(sqlite_url)):
        assert list(sqlite.claim("a", [LANE], limit=5)) == []


def test_a_directory_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    with (
        closing(SqliteBackend(f"sqlite:///{tmp_path}/absent/x.db")) as backend,
        pytest.raises(BackendUnavailable),
    ):
        backend.migrate()


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_text("not a database at all, by any measure\n" * 100)
    with (
        closing(SqliteBackend(f"sqlite:///{tmp_path}/x.db")) as backend,
        pytest.raises(BackendRefused, match="not a database"),
    ):
        backend.migrate()


def test_memory_is_private_and_shared_by_threads() -> None:
    one, other = SqliteBackend("sqlite://"), SqliteBackend("sqlite:///:memory:")
    one.migrate()
    assert other.schema_version().current is None

    def enqueue(number: int) -> None:
        one.submit([job(f"w{number}")])
        assert one.heartbeat("nobody", lease=timedelta(seconds=1)) is None

    together(enqueue, range(8))
    assert len(one.find(Query())) == 8


@pytest.mark.skipif(not hasattr(os, "fork"), reason="fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_child_of_a_fork_opens_connections_of_its_own(database_url: str) -> None:
    kind = SqliteBackend if database_url.startswith("sqlite") else PostgresBackend
    with closing(kind(database_url)) as backend:
        backend.migrate()
        submit(backend, "parent")
        child = os.fork()
        if child == 0:
            try:
                submit(backend, "child")
                os._exit(0)
            finally:
                os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        submit(backend, "again")
        assert {found.id for found in backend.find(Query())} == {"parent", "child", "again"}
