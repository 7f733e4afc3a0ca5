"""One colour of code for sync and async: a script says what to wait for, a driver waits.

A script is a generator. It yields what it needs (`Settle`, `Pause`, `Body`), is sent
the answer or thrown the error, and returns its result. `drive` plays it in a sync
workflow, by blocking; `adrive` in an async one, by awaiting. Everything that decides
(numbering, replay, retries, recording) is in scripts and so written once.
"""

import asyncio
import contextvars
from collections.abc import Callable, Coroutine, Generator
from datetime import timedelta
from typing import Any, TypeAlias, TypeVar

import attrs

from . import threads
from .attempt import Attempt
from .context import STEP, CurrentStep
from .errors import StepTimeout

R = TypeVar("R")

LEASE_POLL = 0.02
"""How often, in seconds, a body that may not begin yet asks again for the lease."""


@attrs.frozen
class Settle:
    """Wait until all records of the workflow so far are durable."""


@attrs.frozen
class Pause:
    """Wait so many seconds."""

    seconds: float


@attrs.frozen
class Body:
    """Run one try of a step's body and answer what it returns."""

    run: Callable[[], Any]
    is_async: bool
    timeout: timedelta | None
    step: CurrentStep


_SETTLE = Settle()
Effect: TypeAlias = Settle | Pause | Body
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
                answer = _perform(attempt, effect)
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
                answer = await _aperform(attempt, effect)
            except BaseException as error:  # noqa: BLE001 (the script decides)
                effect = script.throw(error)
            else:
                effect = script.send(answer)
    except StopIteration as end:
        result: R = end.value
        return result


def _perform(attempt: Attempt, effect: Effect) -> Any:
    match effect:
        case Body(is_async=True):
            work = _caught(_abody(attempt, effect))
            return asyncio.run_coroutine_threadsafe(work, attempt.host.loop).result().get()
        case Body(timeout=None):
            return _body(attempt, effect)
        case Body():
            return _timed_body(attempt, effect)
        case Pause():
            attempt.pause(effect.seconds)
        case Settle():
            if attempt.newest is not None:
                attempt.newest.wait()
    return None


async def _aperform(attempt: Attempt, effect: Effect) -> Any:
    match effect:
        case Body(is_async=True):
            return await _abody(attempt, effect)
        case Body():
            return await _pooled_body(attempt, effect)
        case Pause():
            await asyncio.sleep(effect.seconds)
        case Settle():
            if attempt.newest is not None:
                await attempt.newest.awaited()
    return None


def _body(attempt: Attempt, body: Body) -> Any:
    with _Running(attempt, body.step):
        return body.run()


async def _abody(attempt: Attempt, body: Body) -> Any:
    with _Running(attempt, body.step):
        if body.timeout is None:
            return await body.run()
        limit = asyncio.timeout(body.timeout.total_seconds())
        try:
            async with limit:
                return await body.run()
        except TimeoutError as error:
            if limit.expired():
                raise _too_long(body) from error
            raise


def _timed_body(attempt: Attempt, body: Body) -> Any:
    context = contextvars.copy_context()
    work = threads.call(lambda: context.run(_body, attempt, body), name=f"step-{body.step.name}")
    try:
        return work.result(body.timeout.total_seconds() if body.timeout else None)
    except TimeoutError as error:
        if work.done():
            raise
        raise _too_long(body) from error


async def _pooled_body(attempt: Attempt, body: Body) -> Any:
    context = contextvars.copy_context()
    run = _timed_body if body.timeout else _body
    work = attempt.host.pool.submit(lambda: _Outcome.of(lambda: context.run(run, attempt, body)))
    return (await asyncio.wrap_future(work)).get()


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
        self._attempt.count_bodies(+1)

    def __exit__(self, *_: object) -> None:
        self._attempt.count_bodies(-1)
        STEP.reset(self._token)


def _too_long(body: Body) -> StepTimeout:
    return StepTimeout(
        f"try {body.step.attempt} of step {body.step.name} of {body.step.workflow_id} "
        f"took longer than {body.timeout}"
    )
