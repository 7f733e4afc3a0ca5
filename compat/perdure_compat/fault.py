"""What can go wrong inside a verb, as far as a harness can bring it about."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias

import attrs


class Crash(BaseException):
    """The process dies here; nobody but the suite may catch it."""


class Mishap(Protocol):
    """One way in which a point fails; `str` names it in reports."""

    def __hash__(self) -> int: ...


@attrs.frozen
class Strike:
    """A mishap at a point, counted from the beginning of a run."""

    at: int
    mishap: Mishap

    def __str__(self) -> str:
        return f"{self.mishap} at {self.at}"


Plan: TypeAlias = tuple[Strike, ...]


class Injector(ABC):
    """Lets the calls of one backend fail, at points that are counted from `arm` on.

    A point is where a call can fail: each statement, each commit. What happens there
    is real: a transaction that is rolled back, a connection that ends before or after
    the server did what it was told, an error of the server's. `Crash` says that the
    process dies; its connections are gone with it, and what it had not committed.
    """

    @abstractmethod
    def arm(self, plan: Plan, *, meanwhile: Callable[[], object] | None = None) -> None:
        """Count from here, and follow this plan.

        A strike that does not fit its point is passed over. `meanwhile` is what
        somebody else does while the backend can do nothing: between a failure and
        its own next try, and in a pause, which is a mishap only where this is given.
        """

    @abstractmethod
    def disarm(self) -> Sequence[Sequence[Mishap]]:
        """From now on nothing fails; what could have gone wrong at each point that was passed."""
