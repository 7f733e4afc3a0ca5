"""The transaction runner: when to try again, and what to say when it is useless.

The closure it runs holds every read that its writes depend on and no code of a
user. A definite failure is tried again; after a lost answer a verb is repeated,
because it recognises its own success, unless it says that it cannot.
"""

import random
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol, TypeVar

import attrs
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from perdure.errors import PerdureError

from .errors import Fault, explained

T = TypeVar("T")
_PATIENCE = 2.0
"""Seconds for lost connections; the engine knows how to wait longer."""
_TRIES = 12
"""For what the database calls transient."""
_LONGEST_PAUSE = 0.3


class Lender(Protocol):
    """Where connections come from."""

    def lend(self) -> AbstractContextManager[Connection]:
        """A connection for one try."""
        ...


@attrs.frozen(kw_only=True)
class Runner:
    """Runs closures on lent connections."""

    connections: Lender
    fault: Callable[[BaseException], Fault]
    where: str
    unprepare: Callable[[], None] = lambda: None
    """Called once a pooler has mixed up prepared statements."""

    def run(
        self,
        work: Callable[[Connection], T],
        *,
        writes: bool = True,
        repeatable: bool = True,
        certain: bool = True,
    ) -> T:
        """The result of `work`, tried again as often as it makes sense.

        Args:
            writes: whether a lost answer leaves anything unknown.
            repeatable: whether `work` may run again after a lost answer.
            certain: whether a serialization failure means that nothing happened.
        """
        attempts = _Attempts()
        while True:
            attempts.count += 1
            attempts.connected = False
            try:
                with self.connections.lend() as connection:
                    attempts.connected = True
                    return work(connection)
            except PerdureError:
                raise
            except (DBAPIError, OSError, UnicodeEncodeError, OverflowError) as error:
                fault = self._fault(error, attempts, certain=certain)
                attempts.unknown |= writes and fault is Fault.LOST
                if not attempts.another(fault, repeatable=repeatable):
                    raise self._final(fault, error, attempts, writes=writes) from error

    def _fault(self, error: Exception, attempts: "_Attempts", *, certain: bool) -> Fault:
        if isinstance(error, UnicodeEncodeError | OverflowError):
            return Fault.REFUSED
        if isinstance(error, OSError):
            return Fault.UNAVAILABLE
        fault = self.fault(error)
        if not attempts.connected:
            return fault if fault is Fault.REFUSED else Fault.UNAVAILABLE
        if fault is Fault.UNPREPARED:
            self.unprepare()
        return Fault.LOST if fault is Fault.RETRY and not certain else fault

    def _final(
        self, fault: Fault, error: Exception, attempts: "_Attempts", *, writes: bool
    ) -> PerdureError:
        if fault is Fault.LOST and not writes:
            fault = Fault.UNAVAILABLE
        raised = explained(fault, error, where=self.where)
        if attempts.unknown and fault in {Fault.UNAVAILABLE, Fault.RETRY}:
            return explained(Fault.LOST, error, where=self.where)
        return raised


@attrs.define
class _Attempts:
    count: int = 0
    connected: bool = False
    unknown: bool = False
    """An earlier try may have written."""
    since: float = attrs.field(factory=time.monotonic)

    def another(self, fault: Fault, *, repeatable: bool) -> bool:
        """Whether to try again; if so, after a pause."""
        if fault in {Fault.RETRY, Fault.UNPREPARED}:
            again = self.count < _TRIES
        elif fault is Fault.UNAVAILABLE or (fault is Fault.LOST and repeatable):
            again = time.monotonic() - self.since < _PATIENCE
        else:
            again = False
        if again:
            self._pause()
        return again

    def _pause(self) -> None:
        # Full jitter: rivals that failed together must not meet again.
        longest = min(_LONGEST_PAUSE, 0.005 * 2**self.count)
        time.sleep(random.uniform(0, longest))  # noqa: S311 (no secret)
