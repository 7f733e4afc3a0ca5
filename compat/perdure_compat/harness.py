"""What the suite cannot do through the seam: a fresh place for each test, and its end.

The default works for any database. A backend's package may offer a subclass of
`Harness` through an entry point in the group `perdure.compat.harness`, named like
the scheme of its URL, for instance to drop a namespace when its test is over.
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import timedelta
from importlib.metadata import entry_points
from typing import cast
from urllib.parse import urlsplit

import attrs

from perdure.backend import Backend
from perdure.url import open_backend

from .fault import Injector

GROUP = "perdure.compat.harness"


def scheme_of(url: str) -> str:
    """The part of the URL that chooses the backend."""
    return urlsplit(url).scheme.partition("+")[0]


@attrs.frozen(kw_only=True)
class Deviation:
    """A test that is known to fail: strictly, so that a cure is noticed."""

    test: str
    """The test's name, with its parameters in brackets if only they deviate."""
    reason: str
    link: str
    """Where it is explained and followed up."""


@attrs.frozen(kw_only=True)
class Place:
    """Where one test keeps its tables; whatever is opened on it sees the same data."""

    url: str = attrs.field(repr=False)
    """It may hold a password."""
    namespace: str

    def open(self) -> Backend:
        """A backend of its own on this place."""
        return open_backend(self.url, namespace=self.namespace)


class Harness:
    """Fresh namespaces of one run, with a common prefix, left behind at the end."""

    deviations: Sequence[Deviation] = ()
    """What this backend is known to do otherwise; a row too many fails the run."""
    missing: Mapping[str, str] = {
        "callers": "the harness opens no transactions as callers do",
        "clock": "the harness cannot let time pass",
        "faults": "the harness cannot let calls fail",
    }
    """What this harness cannot do for a test that needs it, and why.

    `callers`: `callers`. `clock`: `pass_time`. `faults`: `injector`. Who overrides them
    all says that nothing is missing.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.prefix = f"perdure_compat_{secrets.token_hex(3)}"
        self.left: list[Place] = []
        self._count = 0

    def fresh(self) -> Place:
        """A place without tables."""
        self._count += 1
        return Place(url=self.url, namespace=f"{self.prefix}_{self._count}")

    def prepared(self, place: Place) -> Backend:
        """Open a fresh place where the tables are: what `migrate` makes, perhaps faster."""
        backend = place.open()
        backend.migrate()
        return backend

    def dispose(self, place: Place) -> None:
        """Remove what stands at `place`; nothing has it open any more."""
        self.left.append(place)

    def injector(self, backend: Backend) -> Injector | None:  # noqa: ARG002 (for overriding)
        """What lets the calls of this backend fail; None where nothing can."""
        return None

    def pass_time(self, place: Place, by: timedelta) -> None:
        """Make all that is stored at `place` older by so much, as if that time had passed."""
        raise NotImplementedError(self.missing["clock"])

    def callers(self, place: Place) -> Mapping[str, Callable[[], AbstractContextManager[object]]]:
        """The connections that `Guests.within` takes, by what they are called, open on `place`.

        Each begins a transaction, which is committed at the end of the block, or
        rolled back where that raises.
        """
        raise NotImplementedError(self.missing["callers"])

    def close(self) -> None:
        """The run is over."""


def harness_for(url: str) -> Harness:
    """The harness of the package that serves `url`, else the one that fits any."""
    for found in entry_points(group=GROUP, name=scheme_of(url)):
        return cast("type[Harness]", found.load())(url)
    return Harness(url)
