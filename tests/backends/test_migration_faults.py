"""A migration that fails at any statement leaves the same tables as any other.

The conformance suite has the rest: that another process finishes it, and that the
tables serve their purpose. What they consist of is not to be seen over the seam.
The CockroachDB backend runs on a PostgreSQL here: evidence about statements, not
about CockroachDB.
"""

import logging
import sqlite3
import time
from collections.abc import Callable, Generator
from contextlib import closing
from pathlib import Path
from typing import Any

import attrs
import psycopg
import pytest

from perdure.errors import BackendUnavailable
from perdure_backends.cockroachdb import CockroachBackend
from perdure_backends.postgres import PostgresBackend
from perdure_backends.sql.backend import SqlBackend
from perdure_backends.sqlite import SqliteBackend
from perdure_backends.testing.injector import Injector
from perdure_backends.testing.mishaps import COCKROACHDB, POSTGRES, SQLITE, Manners, Mishap, When
from perdure_backends.testing.statements import Place, intercept
from perdure_compat.fault import Crash, Plan, Strike
from perdure_compat.suite.exploration import Trace, explore
from perdure_compat.suite.records import get, submit

_log = logging.getLogger(__name__)
_CATALOG = """
SELECT table_name || ' ' || column_name || ' ' || data_type || ' ' || coalesce(column_default, '')
FROM information_schema.columns WHERE table_schema = 'perdure'
UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'perdure'
"""
_RUN_OUT = "UPDATE migration SET held_until = now() - interval '1 second'"


@attrs.frozen(eq=False)
class Site:
    """Where tables are made, torn down, and compared."""

    backend: SqlBackend
    manners: Manners
    clear: Callable[[], object]
    catalog: Callable[[], list[str]]
    years_pass: Callable[[], object] = lambda: None
    """What a process that was killed holds runs out."""


@pytest.fixture
def on_sqlite(tmp_path: Path) -> Generator[Site, None, None]:
    """A file that is deleted in between."""
    path = tmp_path / "perdure.db"
    with closing(SqliteBackend(f"sqlite:///{path}")) as backend:

        def clear() -> None:
            backend.close()
            for each in tmp_path.glob("perdure.db*"):
                each.unlink()

        def catalog() -> list[str]:
            with closing(sqlite3.connect(path)) as raw:
                rows = raw.execute("SELECT coalesce(sql, name) FROM sqlite_master").fetchall()
            return sorted(row[0] for row in rows)

        yield Site(backend, SQLITE, clear, catalog)


def _site(backend: SqlBackend, psql: psycopg.Connection[Any], manners: Manners) -> Site:
    def catalog() -> list[str]:
        return sorted(row[0] for row in psql.execute(_CATALOG).fetchall())

    def clear() -> None:
        psql.execute("DROP SCHEMA IF EXISTS perdure CASCADE")

    def years_pass() -> None:
        if psql.execute("SELECT to_regclass('perdure.migration')").fetchone() != (None,):
            psql.execute(_RUN_OUT)

    return Site(backend, manners, clear, catalog, years_pass)


@pytest.fixture
def on_postgres(postgres_url: str, psql: psycopg.Connection[Any]) -> Generator[Site, None, None]:
    """A schema that is dropped in between."""
    psql.execute("SET client_min_messages = warning")
    with closing(PostgresBackend(postgres_url)) as backend:
        yield _site(backend, psql, POSTGRES)


@pytest.fixture
def on_the_double(cockroach_url: str, psql: psycopg.Connection[Any]) -> Generator[Site, None, None]:
    """CockroachDB's migration, without a transaction around it."""
    psql.execute("SET client_min_messages = warning")
    with closing(CockroachBackend(cockroach_url)) as backend:
        yield _site(backend, psql, COCKROACHDB)


@pytest.fixture(params=["on_sqlite", "on_postgres", "on_the_double"])
def site(request: pytest.FixtureRequest) -> Site:
    """Each of them in turn."""
    found: Site = request.getfixturevalue(request.param)
    return found


def _until_done(site: Site) -> None:
    for _ in range(5):
        try:
            site.backend.migrate()
        except Crash:
            site.backend.close()
            site.years_pass()
        except BackendUnavailable:
            continue
        else:
            return
    raise AssertionError("it never ended")


def test_a_migration_survives_faults(site: Site) -> None:
    injector = Injector(site.manners)
    intercept(site.backend, injector)
    wanted: list[str] = []

    def migrate(plan: Plan) -> Trace:
        site.clear()
        injector.arm(plan)
        try:
            _until_done(site)
        finally:
            trace = injector.disarm()
        wanted.extend(() if wanted else site.catalog())
        assert site.catalog() == wanted, ", ".join(map(str, plan))
        submit(site.backend, "w")
        site.backend.migrate()
        assert get(site.backend, "w").epoch == 0
        return trace

    tally = explore(migrate, singles=50, pairs=20)
    _log.info("migrate: %s", tally)


def test_a_try_that_lost_its_connection_leaves_its_lease_to_the_next(
    on_the_double: Site,
) -> None:
    site = on_the_double
    injector = Injector(site.manners)
    intercept(site.backend, injector)
    (lost,) = (
        each
        for each in site.manners[Place.ALONE]
        if isinstance(each, Mishap) and (each.name, each.when) == ("disconnect", When.DONE)
    )
    injector.arm((Strike(10, lost),))
    began = time.monotonic()
    site.backend.migrate()
    assert len(injector.trace) > 11
    assert time.monotonic() - began < 30
