"""What a worker offers to the workflows that it runs; they know no more of it."""

import asyncio
from datetime import datetime
from typing import Any, Protocol, TypeVar

from .backend import Transition
from .threads import Pool
from .transit import Courier, Record
from .vigil import Vigil

A_contra = TypeVar("A_contra", contravariant=True)
"""What stands for a running workflow."""


class Recorder(Protocol[A_contra]):
    """Takes records on their way; the attempt's `newest` is the flush that carries them."""

    def record(self, attempt: A_contra, what: Record) -> None: ...
    def finish(self, attempt: A_contra, transition: Transition) -> None: ...


class Host(Protocol[A_contra]):
    """What a worker offers to the workflows that it runs."""

    @property
    def recorder(self) -> Recorder[A_contra]: ...
    @property
    def pool(self) -> Pool:
        """Threads for sync steps and workflows."""
        ...

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop of async steps and workflows."""
        ...

    @property
    def draining(self) -> bool:
        """No body may begin any more; what is not in one goes back to the queue."""
        ...

    @property
    def linger(self) -> float:
        """How long, in seconds, a durable wait stays in memory."""
        ...

    def crowded(self) -> bool:
        """Whether others may need the place of a workflow that waits."""
        ...

    def holds_lease(self) -> bool:
        """Whether, by this process's own clock, the worker is surely alive for others."""
        ...

    def now(self) -> datetime:
        """The wall clock, corrected by what the database's clock says."""
        ...

    def ended(self, attempt: A_contra) -> None:
        """The attempt has ended without any transition to write."""

    def watch(self, attempt: A_contra, vigil: Vigil) -> None:
        """Look for what the vigil waits for, until it is over or the attempt leaves memory."""

    def struck(self, attempt: A_contra) -> None:
        """A request to cancel has struck: its children are to hear of it."""

    @property
    def courier(self) -> Courier:
        """Carries what its workflows send."""
        ...

    @property
    def desk(self) -> Any:
        """What the handles of workflows started by workflows ask."""
        ...
