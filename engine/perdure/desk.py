"""What a handle asks of its engine: blocking calls, and what somebody waits for."""

from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import Future
from typing import Any, Protocol, TypeVar

from .backend import Guest
from .client import Client
from .definition import WorkflowDefinition
from .mail import EventKey, Published
from .model import WorkflowRecord
from .streams import Item

T = TypeVar("T")


class Desk(Protocol):
    """What a handle asks of its engine."""

    def ask(self, verb: str, fn: Callable[[Client], T]) -> T:
        """Run a blocking call; refused where it would block the workers' event loop."""
        ...

    def aask(self, verb: str, fn: Callable[[Client], T]) -> Coroutine[Any, Any, T]:
        """Run a blocking call in a thread."""
        ...

    def write(self, verb: str, connection: object, fn: Callable[[Client, Guest | None], T]) -> T:
        """Run a blocking call, in a caller's transaction if there is one."""
        ...

    def awrite(
        self, verb: str, connection: object, fn: Callable[[Client, Guest | None], T]
    ) -> Coroutine[Any, Any, T]:
        """The same, for async code."""
        ...

    def outcome(self, verb: str, id: str) -> "Future[WorkflowRecord]":
        """The record of a workflow once it has ended; refused as `ask` is."""
        ...

    def aoutcome(self, verb: str, id: str) -> "Coroutine[Any, Any, Future[WorkflowRecord]]":
        """The same, for async code."""
        ...

    def started(self, definition: WorkflowDefinition) -> None:
        """Serve this workflow from now on, if all that is started is served."""
        ...

    def published(self, verb: str, key: EventKey) -> "Future[Published | WorkflowRecord]":
        """The latest value of an event once there is one; refused as `ask` is."""
        ...

    def apublished(
        self, verb: str, key: EventKey
    ) -> "Coroutine[Any, Any, Future[Published | WorkflowRecord]]":
        """The same, for async code."""
        ...

    def follow(self, verb: str, id: str, stream: str, after: int) -> "Reader":
        """A reader of a stream; refused as `ask` is."""
        ...

    def afollow(self, verb: str, id: str, stream: str, after: int) -> "Coroutine[Any, Any, Reader]":
        """The same, for async code."""
        ...


class Reader(Protocol):
    """What follows a stream."""

    def stop(self) -> None: ...
    def __iter__(self) -> Iterator[Item]: ...
    def __aiter__(self) -> AsyncIterator[Item]: ...
