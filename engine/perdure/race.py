"""Races: what comes first is recorded, so that it comes first at every replay."""

import asyncio
import inspect
from collections.abc import Awaitable, Iterable, Sequence
from datetime import timedelta
from typing import Any, TypeVar, overload

from . import children
from .branch import Branch
from .codec import Codec, codec_of
from .context import waiting_branch
from .errors import UsageError
from .execution import note
from .handle import Handle
from .history import outcome

R = TypeVar("R")
T = TypeVar("T")
U = TypeVar("U")
V = TypeVar("V")

KIND = "race"
_WINNER: Codec[int] = codec_of(int)


@overload
async def afirst(
    handles: Iterable[Handle[R]], /, *, timeout: timedelta | None = None
) -> Handle[R]: ...
@overload
async def afirst(one: Awaitable[T], two: Awaitable[U], /) -> tuple[int, T | U]: ...
@overload
async def afirst(
    one: Awaitable[T], two: Awaitable[U], three: Awaitable[V], /
) -> tuple[int, T | U | V]: ...
@overload
async def afirst(*awaitables: Awaitable[T]) -> tuple[int, T]: ...
async def afirst(*given: Any, timeout: timedelta | None = None) -> Any:
    """The workflow that ends first, or which of several awaitables is done first, and its value.

    Awaitables are steps, waits, children, or async functions that consist of them; each
    gets a branch of its own. The others are cancelled. If the first one fails, so
    does this. To bound a race by time, let an `asleep` take part.

    Raises:
        WaitTimeout: no workflow has ended in time.
        UsageError: there is nothing to wait for, or a timeout for awaitables.
        NotInWorkflow: there is no workflow here.
    """
    if len(given) == 1 and not inspect.isawaitable(given[0]):
        return await children.afirst(given[0], timeout=timeout)
    if not given or timeout is not None:
        raise UsageError("perdure.afirst takes handles, or awaitables without a timeout")
    return await _race(waiting_branch("perdure.afirst", is_async=True), given)


async def _race(line: Branch, awaitables: Sequence[Awaitable[Any]]) -> tuple[int, Any]:
    slot = line.draw()
    record = slot.recorded(name=KIND, kind=KIND)
    started = slot.attempt.now()
    # All of them, at a replay too, so that branches have the same names.
    tasks = [asyncio.ensure_future(awaitable) for awaitable in awaitables]
    winner = None if record is None else int(outcome(record, _WINNER))
    try:
        if winner is None:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            winner = next(i for i, task in enumerate(tasks) if task.done())
            note(slot, KIND, _WINNER.dump(winner), started)
        await _dismiss(line, [task for i, task in enumerate(tasks) if i != winner])
        return winner, await tasks[winner]
    finally:
        for task in tasks:
            task.cancel()


async def _dismiss(line: Branch, losers: Sequence["asyncio.Future[Any]"]) -> None:
    line.hold(+1)
    try:
        for loser in losers:
            loser.cancel()
        await asyncio.gather(*losers, return_exceptions=True)
    finally:
        line.hold(-1)
