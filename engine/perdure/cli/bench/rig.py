"""What only a database's own package can measure: its driver's speed and its counters.

An entry point in the group `perdure.bench.rig`, named like the scheme of the URL,
makes a class known whose constructor takes `(url, *, namespace)`. Without one the
benchmark tells the engine's figures alone.
"""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from importlib.metadata import entry_points
from typing import Protocol, cast
from urllib.parse import urlsplit

from perdure.backend import Submission

GROUP = "perdure.bench.rig"


class Rig(Protocol):
    """One namespace, seen by the driver alone."""

    def drain(self, name: str, *, steps: int, batch: int) -> int:
        """Claim, record and end workflows of that name until nothing is left; how many."""
        ...

    def fill(self, number: int, *, payload: int) -> None:
        """Put so many ended workflows of one step into the tables."""
        ...

    def settle(self) -> None:
        """Leave no work of before for the database to do while somebody measures."""
        ...

    def load(self, jobs: Sequence[Submission]) -> None:
        """Write these workflows by the fastest way that there is."""
        ...

    def commit_seconds(self, pauses: Iterable[float]) -> float:
        """The median of a bare insert and its commit, one after each of these pauses."""
        ...

    def transactions(self) -> int | None:
        """How many transactions the database has seen; None where nobody counts them."""
        ...

    def snapshot(self) -> AbstractContextManager[None]:
        """Somebody else holds an open snapshot meanwhile."""
        ...

    def clear(self) -> None:
        """Remove the namespace."""
        ...


def rig_for(url: str, *, namespace: str) -> Rig | None:
    """The rig of the package that serves `url`, if it offers one."""
    scheme = urlsplit(url).scheme.partition("+")[0]
    for found in entry_points(group=GROUP, name=scheme):
        return cast("Rig", found.load()(url, namespace=namespace))
    return None
