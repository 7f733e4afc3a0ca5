"""One colour of code for sync and async: a script says what to wait for, a driver waits.

A script is a generator. It yields what it needs (`Settle`, `Pause`, `Body`), is sent
the answer or thrown the error, and returns its result. `drive` plays it in a sync
workflow, by blocking; `adrive` in an async one, by awaiting. Everything that decides
(numbering, replay, retries, recording) is in scripts and so written once.
"""

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Coroutine, Generator
from datetime import timedelta
from typing import Any, Protocol, TypeAlias, TypeVar

import attrs

from . import threads
from .attempt import Attempt
from .context import STEP, CurrentStep
from .errors import StepTimeout

R = TypeVar("R")

LEASE_POLL = 0.02
"""How often, in seconds, a body that may not begin yet asks again for the lease."""


class Effect(Protocol):
    """What a script asks for."""

    def perform(self, attempt: Attempt) -> Any:
        """Its answer, for who may block."""

    def awaited(self, attempt: Attempt) -> Awaitable[Any]:
        """Its answer, on the worker's event loop."""
        ...


class Settle:
    """Wait until all records of the workflow so far are durable."""

    def perform(self, attempt: Attempt) -> None:
        if attempt.newest is not None:
            attempt.newest.wait()

    def awaited(self, attempt: Attempt) -> Awaitable[None]:
        return _at_once() if attempt.newest is None else attempt.newest.arrival(attempt.host.loop)


@attrs.frozen
class Pause:
    """Wait so many seconds."""

    seconds: float

    def perform(self, attempt: Attempt) -> None:
        attempt.pause(self.seconds)

    def awaited(self, attempt: Attempt) -> Awaitable[None]:
        del attempt
        return asyncio.sleep(self.seconds)


@attrs.define(eq=False)
class Body:
    """Run one try of a step's body and answer what it returns."""

    run: Callable[[], Any]
    is_async: bool
    timeout: timedelta | None
    step: CurrentStep

    def perform(self, attempt: Attempt) -> Any:
        if self.is_async:
            work = _caught(self._awaited(attempt))
            return asyncio.run_coroutine_threadsafe(work, attempt.host.loop).result().get()
        return self._here(attempt) if self.timeout is None else self._timed(attempt)

    def awaited(self, attempt: Attempt) -> Awaitable[Any]:
        return self._awaited(attempt) if self.is_async else self._pooled(attempt)

    def _here(self, attempt: Attempt) -> Any:
        with _Running(attempt, self.step):
            return self.run()

    def _timed(self, attempt: Attempt) -> Any:
        context = contextvars.copy_context()
        work = threads.call(lambda: context.run(self._here, attempt), name=f"step-{self.step.name}")
        try:
            return work.result(self.timeout.total_seconds() if self.timeout else None)
        except TimeoutError as error:
            if work.done():
                raise
            raise self._too_long() from error

    async def _awaited(self, attempt: Attempt) -> Any:
        with _Running(attempt, self.step):
            if self.timeout is None:
                return await self.run()
            limit = asyncio.timeout(self.timeout.total_seconds())
            try:
                async with limit:
                    return await self.run()
            except TimeoutError as error:
                if limit.expired():
                    raise self._too_long() from error
                raise

    async def _pooled(self, attempt: Attempt) -> Any:
        context = contextvars.copy_context()
        run = self._timed if self.timeout else self._here
        work = attempt.host.pool.submit(lambda: _Outcome.of(lambda: context.run(run, attempt)))
        return (await asyncio.wrap_future(work)).get()

    def _too_long(self) -> StepTimeout:
        return StepTimeout(
            f"try {self.step.attempt} of step {self.step.name} of {self.step.workflow_id} "
            f"took longer than {self.timeout}"
        )


_SETTLE = Settle()
Script: TypeAlias = Generator[Effect, Any, R]


def settle(attempt: Attempt) -> Script[None]:
    """Wait until the next body may begin: records durable, lease held, nothing ended."""
    if not attempt.settled():
        yield _SETTLE
    while not attempt.may_begin():
        yield Pause(LEASE_POLL)


def drive(attempt: Attempt, script: Script[R]) -> R:
    """Play a script in the thread of a sync workflow or of one of its steps."""
    try:
        effect = next(script)
        while True:
            try:
                answer = effect.perform(attempt)
            except BaseException as error:  # noqa: BLE001 (the script decides)
                effect = script.throw(error)
            else:
                effect = script.send(answer)
    except StopIteration as end:
        result: R = end.value
        return result


async def adrive(attempt: Attempt, script: Script[R]) -> R:
    """Play a script on the event loop."""
    try:
        effect = next(script)
        while True:
            try:
                answer = await effect.awaited(attempt)
            except BaseException as error:  # noqa: BLE001 (the script decides)
                effect = script.throw(error)
            else:
                effect = script.send(answer)
    except StopIteration as end:
        result: R = end.value
        return result


async def _at_once() -> None:
    """There is nothing to wait for."""


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


class _Running:
    """A body runs: it is the current step, and counted. A class, because each step enters it."""

    __slots__ = ("_attempt", "_step", "_token")

    def __init__(self, attempt: Attempt, step: CurrentStep) -> None:
        self._attempt, self._step = attempt, step

    def __enter__(self) -> None:
        self._token = STEP.set(self._step)
        self._attempt.bodies.add(self._step)

    def __exit__(self, *_: object) -> None:
        self._attempt.bodies.discard(self._step)
        STEP.reset(self._token)
