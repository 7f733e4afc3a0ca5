"""A database as verbs use it: its connections, its statements, its transactions."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TypeVar

from sqlalchemy import Connection

from .compiled import Compiled
from .connections import Connections, Only
from .dialect import Dialect
from .link import Direct, Link
from .runner import Runner
from .session import Session

T = TypeVar("T")


class Database(ABC):
    """What all verbs of a backend share."""

    def __init__(self, dialect: Dialect, *, schema: str | None, where: str) -> None:
        self._dialect = dialect
        self._schema = schema
        self._where = where
        self.compiled = Compiled(dialect, schema)
        self.reach: Callable[[Connection], Link] = Direct.beneath
        self._connections = self._pool()
        self.runner = Runner(
            connections=self._connections,
            fault=dialect.fault,
            where=where,
            unprepare=self._unprepare,
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._where}>"

    @property
    def where(self) -> str:
        """The database in words for messages."""
        return self._where

    # ------------------------------------------------------- what differs

    @abstractmethod
    def _pool(self) -> Connections | Only:
        """Where connections come from; they are in autocommit mode."""

    @abstractmethod
    def _transaction(self, session: Session) -> AbstractContextManager[None]:
        """A transaction of several statements."""

    @abstractmethod
    def _migrating(self, session: Session) -> AbstractContextManager[None]:
        """What keeps rivals away while the tables change."""

    def _unprepare(self) -> None:  # noqa: B027 (most prepare nothing that a pooler could mix up)
        """Do without prepared statements from now on."""

    def _one_statement(self, session: Session) -> AbstractContextManager[None]:
        """The transaction of a verb that is a single statement where parts fuse."""
        return nullcontext() if self._dialect.fused else self._transaction(session)

    # ---------------------------------------------------------------- runs

    def session(self, connection: Connection) -> Session:
        """The statements of this backend on a connection that the runner lends."""
        return Session(self.reach(connection), self.compiled)

    def _read(self, work: Callable[[Session], T]) -> T:
        return self.runner.run(lambda conn: work(self.session(conn)), writes=False)

    def _write(self, work: Callable[[Session], T], **how: bool) -> T:
        def attempt(connection: Connection) -> T:
            session = self.session(connection)
            with self._one_statement(session):
                return work(session)

        return self.runner.run(attempt, **how)

    def _write_many(self, work: Callable[[Session], T]) -> T:
        """Run what is several statements in one transaction on every database."""

        def attempt(connection: Connection) -> T:
            session = self.session(connection)
            with self._transaction(session):
                return work(session)

        return self.runner.run(attempt)
