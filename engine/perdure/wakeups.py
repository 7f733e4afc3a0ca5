"""News between the processes of one database: hints, never the truth.

A backend that can tell other processes at once that something has changed offers
`Wakeups`; whoever has none is polled. News may be lost, come twice or come late:
everything that is told is also in the tables, and somebody looks there regularly.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from enum import StrEnum


class News(StrEnum):
    """What has changed."""

    ENQUEUED = "enqueued"
    """There is work that a worker may claim."""
    DELAYED = "delayed"
    """There is work that will be due, soon perhaps."""
    COMING = "coming"
    """Somebody's transaction holds work, or messages; nobody knows when it will commit."""
    ENDED = "ended"
    """Workflows have ended or are parked."""
    SENT = "sent"
    """Messages or events have come, and wake-ups were applied."""
    ASKED = "asked"
    """Workflows are asked to cancel."""
    CHANGED = "changed"
    """Something, by somebody: for databases that can tell no more."""


class Wakeups(ABC):
    """What a database offers beside its tables. Thread-safe, as a backend is."""

    @abstractmethod
    def publish(self, news: News) -> None:
        """Tell whoever listens on the same namespace, in any process, this one too.

        Who listens by this very object may be left out: who publishes knows. Called
        after a commit and never inside a transaction of a user's; it does not wait for
        the disk.

        Raises:
            BackendUnavailable: nobody was told.
        """

    def tell(self, news: News) -> bool:  # noqa: ARG002 (who cannot do it needs no news)
        """Publish without waiting for the database, where that can be done now; else False.

        What goes wrong with it afterwards is told to nobody: news may be lost.
        """
        return False

    @abstractmethod
    def listen(self, heard: Callable[[News], None], *, ready: Callable[[], None]) -> None:
        """Call `heard` for all news until `close`; blocks.

        `ready` is called once, when nothing more is missed that is published from now on.

        Raises:
            BackendUnavailable: the connection is lost; what was published since is missed.
        """

    @abstractmethod
    def close(self) -> None:
        """Let `listen` return, soon, and listen no more."""
