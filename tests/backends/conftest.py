"""Backends with tables, and a plain connection beside them to look and to disturb."""

from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from perdure_backends.cockroachdb import CockroachBackend
from perdure_backends.postgres import PostgresBackend
from perdure_backends.sqlite import SqliteBackend

from .sites import FileSite, ServerSite, Site
from .stage import Stage, staged


@pytest.fixture
def postgres(postgres_url: str) -> Generator[PostgresBackend, None, None]:
    """A migrated backend on PostgreSQL."""
    with closing(PostgresBackend(postgres_url)) as backend:
        backend.migrate()
        yield backend


@pytest.fixture
def cockroach(cockroach_url: str) -> Generator[CockroachBackend, None, None]:
    """A migrated backend for CockroachDB on the double: evidence about SQL and a few manners."""
    with closing(CockroachBackend(cockroach_url)) as backend:
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


@pytest.fixture
def stage(postgres_url: str, psql: psycopg.Connection[Any]) -> Generator[Stage, None, None]:
    """Three actors on one PostgreSQL, and a backend that is not disturbed."""
    with staged(postgres_url, psql) as stage:
        yield stage


@pytest.fixture(params=["sqlite", "postgresql", "cockroachdb double"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Site:
    """An empty database of each kind in turn."""
    if request.param == "sqlite":
        return FileSite(tmp_path / "perdure.db")
    wanted = "postgres_url" if request.param == "postgresql" else "cockroach_url"
    url: str = request.getfixturevalue(wanted)
    psql: psycopg.Connection[Any] = request.getfixturevalue("psql")
    return ServerSite(url, psql)
