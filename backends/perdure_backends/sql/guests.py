"""Verbs in a transaction of a caller's: the statements of our own, on another's connection."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, TypeVar

import attrs
from sqlalchemy.util import greenlet_spawn

from perdure.backend import Existing, Guest, SendAnswer, Submission
from perdure.guest import Guests, unfit
from perdure.model import Message

from .callers import Borrowed, Native, joined
from .mail import SqlMail
from .session import Session

T = TypeVar("T")
Submitting: TypeAlias = Callable[[Session], Sequence[Existing]]
Sending: TypeAlias = Callable[[Session], Sequence[SendAnswer]]


@attrs.frozen
class SqlGuest(Guest):
    """The verbs of a backend, on a caller's connection."""

    _session: Session
    _submitting: Callable[[Sequence[Submission]], Submitting]
    _sending: Callable[[Sequence[Message]], Sending]

    def submit(self, submissions: Sequence[Submission]) -> Sequence[Existing]:
        return self._submitting(submissions)(self._session) if submissions else ()

    def send(self, messages: Sequence[Message]) -> Sequence[SendAnswer]:
        return self._sending(messages)(self._session) if messages else ()


class SqlGuests(SqlMail, Guests):
    """Takes SQLAlchemy's connections and sessions, and the driver's own."""

    @abstractmethod
    def _submitting(self, submissions: Sequence[Submission]) -> Submitting:
        """What submits them, in whoever's transaction."""

    def _begin_for(self, session: Session, driver: Any) -> None:
        """Begin a transaction on a caller's connection where its driver would not."""

    def within(self, connection: object, work: Callable[[Guest], T]) -> T:
        caller = joined(connection, self._dialect)
        if caller is None or caller.awaited:
            raise unfit(self, connection)
        return self._visit(caller, work)

    async def awithin(self, connection: object, work: Callable[[Guest], T]) -> T:
        run: Any = getattr(connection, "run_sync", None)
        if run is not None:  # SQLAlchemy's, which lends the connection inside
            lent: T = await run(self.within, work)
            return lent
        caller = joined(connection, self._dialect)
        if caller is None or not caller.awaited:
            return self.within(connection, work)
        return await greenlet_spawn(self._visit, caller, work)

    def _visit(self, caller: Borrowed | Native, work: Callable[[Guest], T]) -> T:
        session = Session(caller, self.compiled)
        self._begin_for(session, caller.driver)
        return work(SqlGuest(session, self._submitting, self._sending))
