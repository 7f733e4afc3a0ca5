"""A started workflow, seen from outside."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future
from datetime import timedelta
from typing import Any, Generic, TypeVar, overload

import attrs

from . import clock, ids, news
from .client import Client, Letter
from .codec import Codec
from .context import STEP, in_workflow, waiting_branch
from .desk import Desk
from .errors import (
    UsageError,
    WaitTimeout,
    WorkflowCancelled,
    WorkflowFinished,
    WorkflowParked,
)
from .event import Event
from .failure import Failure, normalised
from .mail import EventKey, Published
from .model import Status, StepRecord, WorkflowRecord
from .script import AWAITING, BLOCKING, drive
from .stream import Stream, StreamItem
from .topic import NO_DEFAULT, Topic

R_co = TypeVar("R_co", covariant=True)
T = TypeVar("T")
D = TypeVar("D")


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
            WorkflowCancelled: somebody has cancelled it.
            WorkflowNotFound: there is no such workflow.
            RemoteError: it failed with an error that cannot be rebuilt here; any
                other error of its own is raised as what it was.
        """
        if in_workflow():
            slot = waiting_branch("handle.result", is_async=False).draw()
            value: R_co = drive(news.result(slot, self.id, self._result, timeout, BLOCKING))
            return value
        waiting = self._desk.outcome("handle.result", self.id)
        late = WaitTimeout(f"the result of {self.id}", timeout or timedelta(0))
        return self._outcome(_got(waiting, timeout, late))

    async def aresult(self, *, timeout: timedelta | None = None) -> R_co:
        """As `result`, for async code."""
        if in_workflow():
            slot = waiting_branch("handle.aresult", is_async=True).draw()
            value: R_co = await news.result(slot, self.id, self._result, timeout, AWAITING)
            return value
        waiting = await self._desk.aoutcome("handle.aresult", self.id)
        late = WaitTimeout(f"the result of {self.id}", timeout or timedelta(0))
        return self._outcome(await _agot(waiting, timeout, late))

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

    def cancel(self, reason: str = "") -> None:
        """Ask for its end: its code is told at its next step or wait, and may clean up.

        One that has not begun is cancelled at once. In a workflow this is a step.

        Raises:
            WorkflowNotFound: there is no such workflow.
            WorkflowFinished: it has ended; if it was cancelled already, nothing happens.
        """
        if in_workflow():
            slot = waiting_branch("handle.cancel", is_async=False).draw()
            return drive(news.cancel(slot, self.id, normalised(reason), BLOCKING))
        return self._desk.ask(
            "handle.cancel", lambda client: client.cancel(self.id, normalised(reason))
        )

    async def acancel(self, reason: str = "") -> None:
        """As `cancel`, for async code."""
        if in_workflow():
            slot = waiting_branch("handle.acancel", is_async=True).draw()
            return await news.cancel(slot, self.id, normalised(reason), AWAITING)
        return await self._desk.aask(
            "handle.acancel", lambda client: client.cancel(self.id, normalised(reason))
        )

    def send(
        self, topic: Topic[T], message: T, *, key: str | None = None, connection: object = None
    ) -> None:
        """Send it a message, which it receives once.

        Args:
            topic: what the workflow receives from, and the type of the message.
            message: must be of that type.
            key: the idempotency key: a second message with it changes nothing. In a
                workflow or a step there is one by default, the same at every try.
            connection: of the caller's, to the same database: the message is there when its
                transaction commits, and never if it does not. Not in a workflow.

        Raises:
            WorkflowNotFound: there is no such workflow.
            WorkflowFinished: it has ended.
            SerializationError: the message cannot become JSON.
            UsageError: the backend cannot write through that connection.
        """
        if in_workflow():
            _refuse(connection, "handle.send")
            slot = waiting_branch("handle.send", is_async=False).draw()
            return drive(news.send(slot, self._letter(topic, message, key), BLOCKING))
        letter = self._letter(topic, message, _key_of_step() if key is None else key)
        return self._desk.write(
            "handle.send", connection, lambda client, guest: client.send(letter, guest)
        )

    async def asend(
        self, topic: Topic[T], message: T, *, key: str | None = None, connection: object = None
    ) -> None:
        """As `send`, for async code."""
        if in_workflow():
            _refuse(connection, "handle.asend")
            slot = waiting_branch("handle.asend", is_async=True).draw()
            return await news.send(slot, self._letter(topic, message, key), AWAITING)
        letter = self._letter(topic, message, _key_of_step() if key is None else key)
        return await self._desk.awrite(
            "handle.asend", connection, lambda client, guest: client.send(letter, guest)
        )

    @overload
    def event(self, event: Event[T], *, timeout: timedelta | None = None) -> T: ...
    @overload
    def event(self, event: Event[T], *, timeout: timedelta | None = None, default: D) -> T | D: ...
    def event(
        self, event: Event[Any], *, timeout: timedelta | None = None, default: Any = NO_DEFAULT
    ) -> Any:
        """The latest value of its event, as soon as there is one; also after its end.

        Args:
            event: what the workflow publishes.
            timeout: how long to wait for the first value.
            default: what is given if there is none in time, or it has ended without; else
                that raises.

        Raises:
            WaitTimeout: there is none in time.
            WorkflowFinished: it has ended without.
            WorkflowNotFound: there is no such workflow.
        """
        key = EventKey(self.id, event.name)
        try:
            if in_workflow():
                slot = waiting_branch("handle.event", is_async=False).draw()
                return drive(news.event(slot, key, event.codec, timeout, BLOCKING))
            waiting = self._desk.published("handle.event", key)
            found = _got(waiting, timeout, news.unpublished(key, timeout))
            return _published(event, found, key, timeout)
        except (WaitTimeout, WorkflowFinished):
            if default is NO_DEFAULT:
                raise
            return default

    @overload
    async def aevent(self, event: Event[T], *, timeout: timedelta | None = None) -> T: ...
    @overload
    async def aevent(
        self, event: Event[T], *, timeout: timedelta | None = None, default: D
    ) -> T | D: ...
    async def aevent(
        self, event: Event[Any], *, timeout: timedelta | None = None, default: Any = NO_DEFAULT
    ) -> Any:
        """As `event`, for async code."""
        key = EventKey(self.id, event.name)
        try:
            if in_workflow():
                slot = waiting_branch("handle.aevent", is_async=True).draw()
                return await news.event(slot, key, event.codec, timeout, AWAITING)
            waiting = await self._desk.apublished("handle.aevent", key)
            found = await _agot(waiting, timeout, news.unpublished(key, timeout))
            return _published(event, found, key, timeout)
        except (WaitTimeout, WorkflowFinished):
            if default is NO_DEFAULT:
                raise
            return default

    def read(self, stream: Stream[T], *, after: int = -1) -> Iterator[StreamItem[T]]:
        """What it has written to a stream and goes on to write, until it closes it or ends.

        Args:
            stream: what the workflow writes to.
            after: the offset behind which to begin; from the beginning by default.

        Raises:
            WorkflowNotFound: there is no such workflow.
            UsageError: this is workflow code; read in a step.
        """
        reader = self._desk.follow("handle.read", self.id, stream.name, after)
        try:
            for item in reader:
                yield StreamItem.of(item, stream)
        finally:
            reader.stop()

    async def aread(self, stream: Stream[T], *, after: int = -1) -> AsyncIterator[StreamItem[T]]:
        """As `read`, for async code."""
        reader = await self._desk.afollow("handle.aread", self.id, stream.name, after)
        try:
            async for item in reader:
                yield StreamItem.of(item, stream)
        finally:
            reader.stop()

    def settled(self, record: WorkflowRecord, *, return_exceptions: bool) -> Any:
        """What its end comes to."""
        try:
            return self._outcome(record)
        except Exception as error:
            if return_exceptions:
                return error
            raise

    def _letter(self, topic: Topic[T], message: T, key: str | None) -> Letter:
        if key is not None:
            ids.checked(key, what="the key")
        return Letter(self.id, topic.name, topic.codec.dump(message), key)

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
        if record.status is Status.CANCELLED:
            raise WorkflowCancelled(record.id, record.cancel_reason or "")
        failure = Failure.load(record.error_json)
        error = failure.exception()
        if failure.traceback:
            error.add_note(f"In workflow {record.id}:\n{failure.traceback}")
        raise error


def _got(waiting: "Future[T]", timeout: timedelta | None, late: Exception) -> T:
    """What a future comes to; raises `late` if that takes too long."""
    try:
        return waiting.result(_seconds(timeout))
    except TimeoutError:
        if not waiting.done():
            raise late from None
        return waiting.result()  # it has come at this very moment
    finally:
        waiting.cancel()  # nobody looks for who waits no more, for whatever reason


async def _agot(waiting: "Future[T]", timeout: timedelta | None, late: Exception) -> T:
    """The same, for async code."""
    future = asyncio.wrap_future(waiting)
    try:
        done, _ = await asyncio.wait([future], timeout=_seconds(timeout))
    finally:
        future.cancel()
    if not done:
        raise late
    return future.result()


def _seconds(timeout: timedelta | None) -> float | None:
    return None if timeout is None else clock.bounded(timeout).total_seconds()


def _published(
    event: Event[Any],
    found: Published | WorkflowRecord,
    key: EventKey,
    timeout: timedelta | None,
) -> Any:
    if not isinstance(found, Published):
        raise news.unpublished(key, timeout, found)
    return event.codec.load(found.value_json)


def _refuse(connection: object, verb: str) -> None:
    if connection is not None:
        raise UsageError(
            f"{verb} in a workflow is a step of its own, in no transaction of the workflow's: "
            f"leave connection= out, or send in a step"
        )


def _key_of_step() -> str | None:
    """In a step the default comes from the step, so that its next try sends nothing twice."""
    step = STEP.get(None)
    return None if step is None else step.next_start()
