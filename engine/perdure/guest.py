"""Writing in a transaction that somebody else has begun.

A part of the seam, under the rules of `backend` except that nothing is tried again:
the transaction is its owner's, and so are its errors.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TypeVar

from .errors import UsageError
from .exchange import Existing, Submission
from .mail import SendAnswer
from .model import Message

T = TypeVar("T")


class Guest(ABC):
    """What can be written in a transaction of a caller's, which the caller ends.

    It is there for everybody when the transaction is committed, and never if it is not.
    A refusal leaves the transaction as it is.
    """

    @abstractmethod
    def submit(self, submissions: Sequence[Submission]) -> Sequence[Existing]:
        """Write workflows, and answer, as `Backend.submit` does."""

    @abstractmethod
    def send(self, messages: Sequence[Message]) -> Sequence[SendAnswer]:
        """Write messages and their wake-ups, and answer, as `Mail.send` does."""


class Guests(ABC):  # noqa: B024 (what nobody needs to have)
    """A database's way of writing in transactions of callers."""

    def within(self, connection: object, work: Callable[[Guest], T]) -> T:
        """Do `work` in the transaction of a caller's connection; what it returns.

        Which connections it takes, a backend says; one that takes none leaves out the
        capability `guests`. Where no transaction is open, one begins as if the caller
        had written something.

        Raises:
            UsageError: it cannot write through this connection.
        """
        del work
        raise unfit(self, connection)

    async def awithin(self, connection: object, work: Callable[[Guest], T]) -> T:
        """As `within`, also for connections whose calls are awaited."""
        return self.within(connection, work)


def unfit(backend: object, connection: object) -> UsageError:
    """Why a caller's connection is of no use."""
    kind = type(connection)
    return UsageError(
        f"{backend!r} cannot write through a {kind.__module__}.{kind.__qualname__}: connection= takes "
        f"a connection or session to the same database"
    )
