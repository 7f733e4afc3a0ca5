"""A started workflow, seen from outside."""

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from datetime import timedelta
from typing import Any, Generic, Protocol, TypeVar

import attrs

from .client import Client
from .codec import Codec
from .errors import WaitTimeout, WorkflowParked
from .failure import Failure
from .model import Status, StepRecord, WorkflowRecord

R_co = TypeVar("R_co", covariant=True)
T = TypeVar("T")


class Desk(Protocol):
    """What a handle asks of its engine."""

    def ask(self, verb: str, fn: Callable[[Client], T]) -> T:
        """Run a blocking call; refused where it would block the workers' event loop."""
        ...

    def aask(self, verb: str, fn: Callable[[Client], T]) -> Coroutine[Any, Any, T]:
        """Run a blocking call in a thread."""
        ...

    def outcome(self, verb: str, id: str) -> "Future[WorkflowRecord]":
        """The record of a workflow once it has ended; refused as `ask` is."""
        ...

    def aoutcome(self, verb: str, id: str) -> "Coroutine[Any, Any, Future[WorkflowRecord]]":
        """The same, for async code."""
        ...


@attrs.frozen(eq=False)
class Handle(Generic[R_co]):
    """A workflow by its id. Making one reads nothing; its methods do."""

    id: str
    created: bool
    """Whether this start created it; False: the id was there already, or nobody started it."""
    _desk: Desk = attrs.field(repr=False)
    _result: Codec[Any] = attrs.field(repr=False)

    def result(self, *, timeout: timedelta | None = None) -> R_co:
        """Wait for the end and return what the workflow returned.

        Raises:
            WaitTimeout: it has not ended in time.
            WorkflowParked: it needs a person.
            WorkflowNotFound: there is no such workflow.
            RemoteError: it failed with an error that cannot be rebuilt here; any
                other error of its own is raised as what it was.
        """
        waiting = self._desk.outcome("handle.result", self.id)
        try:
            record = waiting.result(timeout.total_seconds() if timeout is not None else None)
        except TimeoutError:
            if waiting.done() or timeout is None:
                raise
            waiting.cancel()
            raise WaitTimeout(f"the result of {self.id}", timeout) from None
        return self._outcome(record)

    async def aresult(self, *, timeout: timedelta | None = None) -> R_co:
        """As `result`, for async code."""
        waiting = asyncio.wrap_future(await self._desk.aoutcome("handle.aresult", self.id))
        seconds = timeout.total_seconds() if timeout is not None else None
        done, _ = await asyncio.wait([waiting], timeout=seconds)
        if timeout is not None and not done:
            waiting.cancel()
            raise WaitTimeout(f"the result of {self.id}", timeout)
        return self._outcome(waiting.result())

    def status(self) -> Status:
        """Where it stands.

        Raises:
            WorkflowNotFound: there is no such workflow.
        """
        return self.record().status

    async def astatus(self) -> Status:
        """As `status`, for async code."""
        return (await self.arecord()).status

    def record(self) -> WorkflowRecord:
        """All that the database says of it.

        Raises:
            WorkflowNotFound: there is no such workflow.
        """
        return self._desk.ask("handle.record", self._load)

    async def arecord(self) -> WorkflowRecord:
        """As `record`, for async code."""
        return await self._desk.aask("handle.arecord", self._load)

    def steps(self) -> list[StepRecord]:
        """What is recorded so far, in order of branch and number.

        Raises:
            WorkflowNotFound: there is no such workflow.
        """
        return self._desk.ask("handle.steps", self._steps)

    async def asteps(self) -> list[StepRecord]:
        """As `steps`, for async code."""
        return await self._desk.aask("handle.asteps", self._steps)

    def resume(self) -> None:
        """Put a parked workflow back into the queue; it goes on from its last record.

        Raises:
            WorkflowNotFound: there is no such workflow.
            WorkflowFinished: it has ended.
        """
        self._desk.ask("handle.resume", self._resume)

    async def aresume(self) -> None:
        """As `resume`, for async code."""
        await self._desk.aask("handle.aresume", self._resume)

    def _load(self, client: Client) -> WorkflowRecord:
        return client.load(self.id)

    def _steps(self, client: Client) -> list[StepRecord]:
        return list(client.history(self.id).steps)

    def _resume(self, client: Client) -> None:
        client.resume(self.id)

    def _outcome(self, record: WorkflowRecord) -> R_co:
        if record.status is Status.SUCCESS:
            value: R_co = self._result.load(record.output_json)
            return value
        if record.status is Status.PARKED:
            raise WorkflowParked(record.id, record.error_message or "no reason is recorded")
        failure = Failure.load(record.error_json)
        error = failure.exception()
        if failure.traceback:
            error.add_note(f"In workflow {record.id}:\n{failure.traceback}")
        raise error
