"""Where tables are made, torn down, and compared: one empty database of each kind."""

import shutil
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import attrs
import psycopg

from perdure_backends.cockroachdb import CockroachBackend
from perdure_backends.postgres import PostgresBackend
from perdure_backends.sql import migrate
from perdure_backends.sql.backend import SqlBackend
from perdure_backends.sqlite import SqliteBackend

SCRATCH = Path(__file__).with_name("revisions")
NEXT = "0003"
TABLES = {
    "workflows": "",
    "workflow_steps": "",
    "waits": "",
    "workers": "",
    "definitions": "",
    "messages": "",
    "subscriptions": "",
    # Its numbers are the database's, which will give the next ones.
    "wakeups": "workflow_id, n, fan",
    "stream_items": "",
}
"""All, and which columns are taken along where it is not every one."""
_CATALOG = """
SELECT table_name || ' ' || column_name || ' ' || data_type || ' ' || coalesce(column_default, '')
FROM information_schema.columns WHERE table_schema = 'perdure'
UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'perdure'
"""
_KINDS: dict[str, Callable[[str], SqlBackend]] = {
    "sqlite": SqliteBackend,
    "postgresql": PostgresBackend,
    "cockroachdb": CockroachBackend,
}


def connected(url: str) -> SqlBackend:
    """A backend by its URL."""
    return _KINDS[url.partition(":")[0]](url)


def with_next_revision(folder: Path) -> Path:
    """A copy of our migrations, in which one revision follows that no release has."""
    scripts = folder / "migrations"
    shutil.copytree(migrate.SCRIPTS, scripts, ignore=shutil.ignore_patterns("__pycache__"))
    for each in SCRATCH.glob("r*.py"):
        shutil.copy(each, scripts / "versions")
    return scripts


class Site(Protocol):
    """One database, seen from outside."""

    @property
    def url(self) -> str:
        """For `connected`."""
        ...

    def clear(self) -> None:
        """Remove everything."""
        ...

    def catalog(self) -> list[str]:
        """Columns and indexes."""
        ...

    def execute(self, script: str) -> None:
        """Run statements."""
        ...

    def rows(self, query: str) -> Sequence[tuple[Any, ...]]:
        """What a query finds."""
        ...

    def years_pass(self) -> None:
        """What a killed process holds runs out."""
        ...


@attrs.frozen
class FileSite:
    """A file."""

    path: Path

    @property
    def url(self) -> str:
        """For `connected`."""
        return f"sqlite:///{self.path}"

    def clear(self) -> None:
        """Remove the file and those beside it."""
        for each in self.path.parent.glob(f"{self.path.name}*"):
            each.unlink()

    def catalog(self) -> list[str]:
        """The texts that SQLite keeps of its tables, whose columns may have come later."""
        return sorted(row[0] for row in self.rows("SELECT coalesce(sql, name) FROM sqlite_master"))

    def execute(self, script: str) -> None:
        """Run statements."""
        with closing(sqlite3.connect(self.path)) as raw:
            raw.executescript(script)

    def rows(self, query: str) -> Sequence[tuple[Any, ...]]:
        """What a query finds."""
        with closing(sqlite3.connect(self.path)) as raw:
            return raw.execute(query).fetchall()

    def years_pass(self) -> None:
        """The kernel has taken back what the dead held."""


@attrs.frozen
class ServerSite:
    """A schema on a PostgreSQL."""

    url: str
    _psql: psycopg.Connection[Any]

    def clear(self) -> None:
        """Drop the schema."""
        self._psql.execute("SET client_min_messages = warning")
        self._psql.execute("DROP SCHEMA IF EXISTS perdure CASCADE")

    def catalog(self) -> list[str]:
        """Columns and indexes."""
        return sorted(row[0] for row in self.rows(_CATALOG))

    def execute(self, script: str) -> None:
        """Run statements."""
        self._psql.execute(script.encode())

    def rows(self, query: str) -> Sequence[tuple[Any, ...]]:
        """What a query finds."""
        return self._psql.execute(query.encode()).fetchall()

    def years_pass(self) -> None:
        """A lease on the migration, if there is one, is over."""
        if self.rows("SELECT to_regclass('perdure.migration')") != [(None,)]:
            self.execute("UPDATE migration SET held_until = now() - interval '1 second'")


def literal(value: object) -> str:
    """A value of a row as SQL."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, int):
        return str(value)
    text = value.isoformat() if isinstance(value, datetime) else str(value)
    return "'" + text.replace("'", "''") + "'"
