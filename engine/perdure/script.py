"""One colour of code for sync and async: scripts, which are coroutines, and their waits.

A script awaits nothing but what its `Waits` offer. Those of an async workflow
suspend; those of a sync one block, and are over when they are awaited, so that
`drive` gets such a script to its end in one go. Everything that decides (numbering,
replay, retries, recording) is in scripts and so written once.
"""

import asyncio
import contextvars
import threading
from collections.abc import Awaitable, Callable, Coroutine, Generator
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager
from typing import Any, Generic, Protocol, TypeVar

import attrs

from . import threads
from .attempt import Abandoned, Attempt
from .branch import Branch, Slot
from .context import BRANCH, current_step
from .definition import StepDefinition
from .errors import StepTimeout
from .model import Message
from .vigil import Vigil

R = TypeVar("R")

LEASE_POLL = 0.02
"""How often, in seconds, a body that may not begin yet asks again for the lease."""
LONGEST_TIMER = 86_400.0
"""Seconds after which a timer looks at the clock again; clocks and loops have limits."""


class Waits(Protocol):
    """What a script may await."""

    def durable(self, attempt: Attempt) -> Awaitable[None]:
        """Until all records of the workflow so far are durable."""
        ...

    def pause(self, attempt: Attempt, seconds: float) -> Awaitable[None]:
        """So many seconds."""
        ...

    def over(self, vigil: Vigil, seconds: float | None) -> Awaitable[None]:
        """Until a vigil is over, or for so many seconds."""
        ...

    def answer(self, future: "Future[R]") -> Awaitable[R]:
        """What somebody else's thread comes to."""
        ...

    def cancelled(self, slot: Slot) -> Awaitable[None]:
        """Let the pending request to cancel strike.

        Raises:
            CancelledError: always.
        """
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

    def over(self, vigil: Vigil, seconds: float | None) -> "Over[None]":
        vigil.wait(seconds)
        return Over(None)

    def answer(self, future: "Future[R]") -> "Over[R]":
        try:
            return Over(future.result())
        except CancelledError as error:
            raise Abandoned from error

    def cancelled(self, slot: Slot) -> "Over[None]":
        # A step that runs beside waits until the workflow's own code has been told.
        strike_at_home(slot.line)
        return self.pause(slot.attempt, LEASE_POLL)

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

    def over(self, vigil: Vigil, seconds: float | None) -> Awaitable[None]:
        return vigil.arrive(seconds)

    def answer(self, future: "Future[R]") -> Awaitable[R]:
        return asyncio.wrap_future(future)

    async def cancelled(self, slot: Slot) -> None:
        # The root is told when nothing else moves any more, and whatever waits unwinds.
        line = _line(slot)
        line.wait(+1)
        slot.attempt.rest.look()
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            line.wait(-1)

    def body(
        self, attempt: Attempt, definition: StepDefinition, run: Callable[[], Any]
    ) -> Awaitable[Any]:
        if not definition.is_async:
            return _pooled(attempt, definition, run)
        awaitable: Awaitable[Any] = run() if definition.timeout is None else _timed(definition, run)
        return awaitable


BLOCKING, AWAITING = Blocking(), Awaiting()


def strike_at_home(line: Branch) -> None:
    """Let a pending request to cancel strike, if this is the thread of the workflow's code.

    Raises:
        CancelledError: it has.
    """
    attempt = line.attempt
    if attempt.cancellation.pending and attempt.home == threading.get_ident():
        line.strike()
        raise asyncio.CancelledError


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


async def settle(slot: Slot, waits: Waits) -> None:
    """Wait until the next body may begin: records durable, lease held, nothing ended.

    Raises:
        CancelledError: the workflow is cancelled.
    """
    attempt = slot.attempt
    await waits.durable(attempt)
    while not attempt.may_begin():
        if attempt.cancellation.pending:
            await waits.cancelled(slot)
        else:
            await waits.pause(attempt, LEASE_POLL)


async def watch(slot: Slot, vigil: Vigil, waits: Waits) -> Any:
    """Wait durably at `slot`: what came, or None when it was time.

    In memory for a while; then the workflow leaves it, and another attempt comes here.

    Raises:
        Abandoned: it has left.
        CancelledError: the workflow is cancelled.
    """
    attempt = slot.attempt
    if not attempt.may_begin() and attempt.cancellation.pending:
        await waits.cancelled(slot)
    with _waiting(slot, vigil), _in_one_piece(attempt, vigil):
        while not vigil.over and not attempt.ended:
            left = _left(attempt, vigil)
            if left is None or left > 0:
                await waits.over(vigil, left)
            elif vigil.timer or vigil.looked:
                vigil.end()
            else:  # what came in time counts, however late somebody looks
                await waits.over(vigil, LEASE_POLL)
    if attempt.ended:
        raise Abandoned
    if vigil.found is None and attempt.cancellation.pending:
        await waits.cancelled(slot)
    return vigil.found


@contextmanager
def _in_one_piece(attempt: Attempt, vigil: Vigil) -> Generator[None, None, None]:
    """Give back what has come for a wait that is broken off."""
    try:
        yield
    except BaseException:
        if not vigil.end() and isinstance(vigil.found, Message):
            attempt.inbox.put_back(vigil.found)
        raise


def _left(attempt: Attempt, vigil: Vigil) -> float | None:
    if vigil.due is None:
        return None
    return min((vigil.due - attempt.host.now()).total_seconds(), LONGEST_TIMER)


@contextmanager
def _waiting(slot: Slot, vigil: Vigil) -> Generator[None, None, None]:
    """Count the line as waiting, and have somebody look for what it waits for."""
    attempt = slot.attempt
    attempt.rest.enter(vigil)
    _count(slot, +1)
    try:
        if not attempt.ended:
            attempt.host.watch(attempt, vigil)
        yield
    finally:
        attempt.rest.leave(vigil)
        _count(slot, -1)


def _count(slot: Slot, by: int) -> None:
    if slot.attempt.definition.is_async:
        _line(slot).wait(by)
        if by > 0:
            slot.attempt.rest.look()
    else:
        slot.attempt.rest.shift(-by)


def _line(slot: Slot) -> Branch:
    """The line that awaits, which need not be the one that has called."""
    return BRANCH.get(None) or slot.line


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
