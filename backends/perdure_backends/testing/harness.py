"""What the conformance suite needs of our databases beside the seam: places, failures, time."""

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

import attrs
from sqlalchemy import Connection, inspect, make_url

from perdure.backend import Backend
from perdure.url import open_backend
from perdure_backends.sql.backend import SqlBackend
from perdure_backends.sql.tables import NEVER, metadata, migration, version
from perdure_compat.harness import Harness, Place, scheme_of

from .callers import Begin, callers
from .injector import Injector
from .mishaps import COCKROACHDB, POSTGRES, SQLITE, Manners
from .statements import intercept

_MOMENTS: Mapping[str, Sequence[str]] = {
    "workflows": (
        "run_at",
        "deadline",
        "cancel_requested_at",
        "created_at",
        "started_at",
        "completed_at",
    ),
    "messages": ("sent_at",),
    "workers": ("started_at", "lease_until", "dead_at"),
    "migration": ("held_until",),
}
"""Where the tables say when something was, or will be."""
_FILLED = sorted(metadata.tables.keys() - {migration.name, version.name})
"""All tables but those that tell of the tables themselves."""


class SqlHarness(Harness):
    """Lets statements fail, and moves into the past what the tables say."""

    missing: Mapping[str, str] = {}
    manners: ClassVar[Manners]
    """What can go wrong on this kind of database."""

    def injector(self, backend: Backend) -> Injector | None:
        """One that strikes at each statement; none for what wraps a backend of ours."""
        if not isinstance(backend, SqlBackend):
            return None
        injector = Injector(self.manners)
        intercept(backend, injector)
        return injector

    def callers(self, place: Place) -> Mapping[str, Begin]:
        """Connections, sessions, and those of the driver."""
        with closing(place.open()) as backend:
            driver = _ours(backend).compiled.dialect.driver
        # The scheme may be a stranger's who wraps a backend of ours.
        return callers(make_url(f"{driver}://{place.url.partition('://')[2]}"))


class SqliteHarness(SqlHarness):
    """A new file for each test, in a temporary folder beside the URL's own path."""

    manners = SQLITE

    def __init__(self, url: str) -> None:
        super().__init__(url)
        path = urlsplit(url).path[1:]
        beside = Path(path).resolve().parent if path else None
        self._folder = Path(tempfile.mkdtemp(prefix="perdure-compat-", dir=beside))
        self._model = self._folder / "model.db"

    def fresh(self) -> Place:
        """A file that does not exist yet."""
        place = super().fresh()
        query = urlsplit(self.url).query
        file = self._folder / place.namespace / "perdure.db"
        file.parent.mkdir()
        url = f"{scheme_of(self.url)}:///{file.as_posix()}"
        return attrs.evolve(place, url=f"{url}?{query}" if query else url)

    def prepared(self, place: Place) -> Backend:
        """Copy a file that was migrated once."""
        if not self._model.exists():
            first = self.fresh()
            super().prepared(first).close()
            _file_of(first).rename(self._model)
            self.dispose(first)
        shutil.copyfile(self._model, _file_of(place))
        return place.open()

    def dispose(self, place: Place) -> None:
        """Delete the file and what the database put beside it."""
        shutil.rmtree(self._folder / place.namespace)

    def pass_time(self, place: Place, by: timedelta) -> None:
        """Write earlier times over those that stand there."""
        earlier = f"strftime('%Y-%m-%dT%H:%M:%f000Z', {{}}, '-{by.total_seconds():f} seconds')"
        with closing(place.open()) as backend:
            _age(backend, schema=None, earlier=earlier)

    def close(self) -> None:
        """Delete what tests made and did not use."""
        shutil.rmtree(self._folder)


class ServerHarness(SqlHarness):
    """Its places are schemas, which can be emptied, renamed and dropped."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        # Its own namespace never comes to be.
        self._admin = open_backend(url, namespace=self.prefix)
        self._script: str | None = None
        self._prepared: set[str] = set()
        """The schemas that have the tables of today, as `prepared` made them."""
        self._spare: list[str] = []
        """Those of them that are empty, and whose places are gone."""

    def prepared(self, place: Place) -> Backend:
        """Take over the tables of a place that is gone; else run what `migrate` would, as a script.

        To make some fifty relations and to drop them takes a server more than most tests do.
        """
        if self._spare:
            self._rename(self._spare.pop(), place.namespace)
        else:
            self._script = self._script or self._admin.migration_sql()
            # Where it stands, it is a name, and in no other word.
            self._run(self._script.replace(self.prefix, place.namespace))
        self._prepared.add(place.namespace)
        return place.open()

    def dispose(self, place: Place) -> None:
        """Empty the schema, or drop it; whatever still locks it has ten seconds to end."""
        self._run("SET lock_timeout = '10s'")
        if place.namespace in self._prepared:
            self._prepared.remove(place.namespace)
            spare = f"{place.namespace}_spare"
            # Who still knows its old name does not find it.
            self._rename(place.namespace, spare)
            self._run("TRUNCATE " + ", ".join(f"{spare}.{table}" for table in _FILLED))
            self._spare.append(spare)
        else:
            self._drop(place.namespace)

    def _drop(self, namespace: str) -> None:
        self._run(f"DROP SCHEMA IF EXISTS {namespace} CASCADE")

    def _rename(self, old: str, new: str) -> None:
        def rename(connection: Connection) -> None:
            # After a lost answer it may have been done.
            if new not in inspect(connection).get_schema_names():
                connection.exec_driver_sql(f"ALTER SCHEMA {old} RENAME TO {new}")

        _ours(self._admin).runner.run(rename)

    def _run(self, sql: str) -> None:
        _ours(self._admin).runner.run(lambda connection: connection.exec_driver_sql(sql))

    def pass_time(self, place: Place, by: timedelta) -> None:
        """Write earlier times over those that stand there."""
        earlier = f"{{}} - INTERVAL '{by.total_seconds():f} seconds'"
        _age(self._admin, schema=place.namespace, earlier=earlier)

    def close(self) -> None:
        """Drop what is spare, and let go of the connection."""
        for spare in self._spare:
            self._drop(spare)
        self._admin.close()


class PostgresHarness(ServerHarness):
    """Schemas on PostgreSQL."""

    manners = POSTGRES


class CockroachHarness(ServerHarness):
    """Schemas on CockroachDB, or on what behaves like one."""

    manners = COCKROACHDB


def _file_of(place: Place) -> Path:
    return Path(urlsplit(place.url).path[1:])


def _ours(backend: Backend) -> SqlBackend:
    if not isinstance(backend, SqlBackend):
        raise TypeError(f"{backend!r} is no backend for SQL")
    return backend


def _age(backend: Backend, *, schema: str | None, earlier: str) -> None:
    """Replace each time by `earlier`, an expression with a gap for the time."""

    def age(connection: Connection) -> None:
        # A migration that was killed half way has not made all of them.
        there = inspect(connection).get_table_names(schema=schema)
        connection.exec_driver_sql("BEGIN")
        for table in sorted(_MOMENTS.keys() & set(there)):
            name = f"{schema}.{table}" if schema else table
            # What stands for never stays so.
            changes = ", ".join(
                f"{each} = CASE WHEN {each} < '{NEVER}' THEN {earlier.format(each)} ELSE {each} END"
                for each in _MOMENTS[table]
            )
            connection.exec_driver_sql(f"UPDATE {name} SET {changes}")  # noqa: S608 (our own names)
        connection.exec_driver_sql("COMMIT")

    _ours(backend).runner.run(age)
