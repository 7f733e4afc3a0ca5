"""One colour of code for sync and async: scripts, which are coroutines, and their waits.

A script awaits nothing but what its `Waits` offer. Those of an async workflow
suspend; those of a sync one block, and are over when they are awaited, so that
`drive` gets such a script to its end in one go. Everything that decides (numbering,
replay, retries, recording) is in scripts and so written once.
"""

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any, Generic, Protocol, TypeVar

import attrs

from . import threads
from .attempt import Attempt
from .context import current_step
from .definition import StepDefinition
from .errors import StepTimeout

R = TypeVar("R")

LEASE_POLL = 0.02
"""How often, in seconds, a body that may not begin yet asks again for the lease."""


class Waits(Protocol):
    """What a script may await."""

    def durable(self, attempt: Attempt) -> Awaitable[None]:
        """Until all records of the workflow so far are durable."""
        ...

    def pause(self, attempt: Attempt, seconds: float) -> Awaitable[None]:
        """So many seconds."""
        ...

    def body(
        self, attempt: Attempt, definition: StepDefinition, run: Callable[[], Any]
    ) -> Awaitable[Any]:
        """Run one try of a step's body; what it returns."""
        ...


class Blocking:
    """In the thread of a sync workflow, or of one of its steps."""

    def durable(self, attempt: Attempt) -> "Over[None]":
        if attempt.newest is not None:
            attempt.newest.wait()
        return Over(None)

    def pause(self, attempt: Attempt, seconds: float) -> "Over[None]":
        attempt.pause(seconds)
        return Over(None)

    def body(
        self, attempt: Attempt, definition: StepDefinition, run: Callable[[], Any]
    ) -> "Over[Any]":
        if definition.is_async:
            work = _caught(_timed(definition, run))
            loop = attempt.host.loop
            return Over(asyncio.run_coroutine_threadsafe(work, loop).result().get())
        return Over(run() if definition.timeout is None else _watched(definition, run))


class Awaiting:
    """On the worker's event loop, for an async workflow."""

    def durable(self, attempt: Attempt) -> Awaitable[None]:
        newest = attempt.newest
        return Over(None) if newest is None else newest.arrival(attempt.host.loop)

    def pause(self, attempt: Attempt, seconds: float) -> Awaitable[None]:
        del attempt
        return asyncio.sleep(seconds)

    def body(
        self, attempt: Attempt, definition: StepDefinition, run: Callable[[], Any]
    ) -> Awaitable[Any]:
        if not definition.is_async:
            return _pooled(attempt, definition, run)
        awaitable: Awaitable[Any] = run() if definition.timeout is None else _timed(definition, run)
        return awaitable


BLOCKING, AWAITING = Blocking(), Awaiting()


class Over(Generic[R]):
    """A wait that is over; awaiting it suspends nothing."""

    __slots__ = ("_value",)

    def __init__(self, value: R) -> None:
        self._value = value

    def __await__(self) -> Generator[None, None, R]:
        return self._value
        yield  # what makes it a generator


def drive(script: Coroutine[Any, Any, R]) -> R:
    """Play a script whose waits block."""
    try:
        script.send(None)
    except StopIteration as end:
        result: R = end.value
        return result
    raise AssertionError("a script with blocking waits was suspended")


async def settle(attempt: Attempt, waits: Waits) -> None:
    """Wait until the next body may begin: records durable, lease held, nothing ended."""
    if not attempt.settled():
        await waits.durable(attempt)
    while not attempt.may_begin():
        await waits.pause(attempt, LEASE_POLL)


# ------------------------------------------------- bodies on the other side


async def _timed(definition: StepDefinition, run: Callable[[], Any]) -> Any:
    if definition.timeout is None:
        return await run()
    limit = asyncio.timeout(definition.timeout.total_seconds())
    try:
        async with limit:
            return await run()
    except TimeoutError as error:
        if limit.expired():
            raise _too_long(definition) from error
        raise


def _watched(definition: StepDefinition, run: Callable[[], Any]) -> Any:
    context = contextvars.copy_context()
    work = threads.call(lambda: context.run(run), name=f"step-{definition.name}")
    try:
        return work.result(definition.timeout.total_seconds() if definition.timeout else None)
    except TimeoutError as error:
        if work.done():
            raise
        raise _too_long(definition) from error


async def _pooled(attempt: Attempt, definition: StepDefinition, run: Callable[[], Any]) -> Any:
    context = contextvars.copy_context()
    body = run if definition.timeout is None else lambda: _watched(definition, run)
    work = attempt.host.pool.submit(lambda: _Outcome.of(lambda: context.run(body)))
    return (await asyncio.wrap_future(work)).get()


def _too_long(definition: StepDefinition) -> StepTimeout:
    step = current_step()
    return StepTimeout(
        f"try {step.attempt} of step {step.name} of {step.workflow_id} "
        f"took longer than {definition.timeout}"
    )


@attrs.frozen
class _Outcome:
    """What a body came to, on its way between a thread and the loop.

    As a value: futures refuse or reinterpret some exceptions (StopIteration,
    CancelledError).
    """

    value: Any = None
    error: BaseException | None = None

    @classmethod
    def of(cls, run: Callable[[], Any]) -> "_Outcome":
        try:
            return cls(run())
        except BaseException as error:  # noqa: BLE001 (it is raised on the other side)
            return cls(error=error)

    def get(self) -> Any:
        if self.error is not None:
            raise self.error
        return self.value


async def _caught(work: Coroutine[Any, Any, Any]) -> _Outcome:
    try:
        return _Outcome(await work)
    except BaseException as error:  # noqa: BLE001 (it is raised on the other side)
        return _Outcome(error=error)
