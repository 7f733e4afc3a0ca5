"""Backends with tables, and a plain connection beside them to look and to disturb."""

from collections.abc import Generator
from contextlib import closing
from typing import Any

import psycopg
import pytest

from perdure_backends.cockroachdb import CockroachBackend
from perdure_backends.postgres import PostgresBackend
from perdure_backends.sqlite import SqliteBackend


@pytest.fixture
def postgres(postgres_url: str) -> Generator[PostgresBackend, None, None]:
    """A migrated backend on PostgreSQL."""
    with closing(PostgresBackend(postgres_url)) as backend:
        backend.migrate()
        yield backend


@pytest.fixture
def cockroach_on_postgres(postgres_url: str) -> Generator[CockroachBackend, None, None]:
    """The statements for CockroachDB on a PostgreSQL: evidence about SQL, not about CockroachDB."""
    url = postgres_url.replace("postgresql://", "cockroachdb://")
    with closing(CockroachBackend(url, check_server=False)) as backend:
        backend.migrate()
        yield backend


@pytest.fixture
def sqlite(sqlite_url: str) -> Generator[SqliteBackend, None, None]:
    """A migrated backend on a file."""
    with closing(SqliteBackend(sqlite_url)) as backend:
        backend.migrate()
        yield backend


@pytest.fixture
def psql(postgres_url: str) -> Generator[psycopg.Connection[Any], None, None]:
    """What a person with psql does; unqualified names are Perdure's."""
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("SET search_path = perdure")
        yield connection


@pytest.fixture
def stranger(postgres_url: str) -> Generator[psycopg.Connection[Any], None, None]:
    """A second connection, in a transaction of its own that holds what it locks."""
    with psycopg.connect(postgres_url) as connection:
        connection.execute("SET search_path = perdure")
        connection.commit()
        yield connection
        connection.rollback()
