"""A backend whose database is a server that speaks PostgreSQL's protocol."""

import re
from abc import abstractmethod
from collections.abc import Generator
from contextlib import contextmanager
from typing import ClassVar

from sqlalchemy import URL, Connection, Engine, NullPool, create_engine

from perdure.errors import BackendRefused, ConfigurationError

from . import wire
from .backend import SqlBackend
from .connections import Connections
from .dialect import Dialect
from .link import driver_of
from .location import parsed
from .session import Session

_NAMESPACE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")


class ServerBackend(SqlBackend):
    """Connections to a server, opened when they are needed."""

    _limits: ClassVar[str | None] = None
    """What a transaction of several statements begins with."""

    def __init__(self, dialect: Dialect, url: str, *, namespace: str) -> None:
        self._url = _expected(url, dialect)
        self._namespace = _checked(namespace)
        self._unchecked = True
        self._prepares = True
        self._made: Engine | None = None
        where = wire.where(self._url, scheme=dialect.scheme)
        super().__init__(dialect, schema=namespace, where=where)

    @abstractmethod
    def _check(self, connection: Connection) -> None:
        """Refuse a server of another kind, or too old.

        Raises:
            ConfigurationError: it is not what the URL says.
        """

    def _pool(self) -> Connections:
        return Connections(self._open)

    def _open(self) -> Connection:
        connection = self._engine().connect()
        if self._unchecked:
            try:
                self._check(connection)
            except BaseException:
                connection.close()
                raise
            self._unchecked = False
        driver_of(connection).prepare_threshold = 5 if self._prepares else None
        return connection

    def _engine(self) -> Engine:
        if self._made is None:
            self._made = self._make()
        return self._made

    def _make(self) -> Engine:
        try:
            return create_engine(
                wire.completed(self._url, drivername=self._dialect.driver),
                poolclass=NullPool,
                isolation_level="AUTOCOMMIT",
                use_native_hstore=False,
            )
        except ImportError as error:
            raise ConfigurationError(
                f"{self._dialect.scheme}:// needs a driver that is not installed ({error}). "
                f"Install it: pip install 'perdure[{self._dialect.extra}]'"
            ) from error

    def _unprepare(self) -> None:
        self._prepares = False
        self._connections.drop()

    @contextmanager
    def _transaction(self, session: Session) -> Generator[None, None, None]:
        with session.transaction(begin=lambda: session.execute("BEGIN")):
            if self._limits:
                # Gone with the transaction, so a pooler may hand the session on.
                session.execute(self._limits)
            yield
            if wire.aborted(session.link.driver):
                # Its COMMIT would report success and be a rollback.
                raise BackendRefused(f"{self._where}: a statement failed and nobody noticed")


def _expected(url: str, dialect: Dialect) -> URL:
    found = parsed(url, scheme=dialect.scheme)
    if found.get_backend_name() not in {dialect.scheme, "postgres"}:
        raise ConfigurationError(
            f"{dialect.scheme}:// was expected, not {found.get_backend_name()}://"
        )
    return found.set(drivername=dialect.scheme)


def _checked(namespace: str) -> str:
    # It stands in statements as it is.
    if not _NAMESPACE.fullmatch(namespace):
        raise ConfigurationError(
            f"a namespace has 1 to 63 letters, digits and underscores and begins with "
            f"no digit, not {namespace!r}"
        )
    return namespace
