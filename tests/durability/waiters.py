"""Workflows that wait: for children, for messages, for a time."""

import asyncio
import threading
from datetime import datetime, timedelta
from typing import Any

import perdure

TICKET = perdure.Topic("ticket", int)
LATE = -1
THREADS = 8
"""Of the worker whose threads are counted."""


@perdure.step(name="double")
async def double(number: int) -> int:
    return 2 * number


@perdure.workflow(name="durability.child")
async def child(number: int) -> int:
    return await double(number)


@perdure.workflow(name="durability.parent")
async def parent(count: int) -> int:
    """The sum of what many children return."""
    handles = await perdure.astart_children([child.bind(i) for i in range(count)])
    total = 0
    async for result in perdure.aresults(handles):
        total += result
    return total


@perdure.workflow(name="durability.until")
async def sleeper(until: datetime) -> int:
    await perdure.asleep_until(until)
    return 1


@perdure.workflow(name="durability.sync_until")
def sync_sleeper(until: datetime) -> int:
    perdure.sleep_until(until)
    return 1


_together = threading.Barrier(THREADS)


@perdure.workflow(name="durability.meeting")
def meeting() -> int:
    """Holds a thread until all that there may be are held."""
    return int(_together.wait(timeout=60) >= 0)


@perdure.workflow(name="durability.receiver")
async def receiver(seconds: float) -> int:
    """A message against a timeout."""
    limit = timedelta(seconds=seconds)
    return await perdure.areceive(TICKET, timeout=limit, default=LATE)


@perdure.workflow(name="durability.sync_receiver")
def sync_receiver(seconds: float) -> int:
    return perdure.receive(TICKET, timeout=timedelta(seconds=seconds), default=LATE)


@perdure.workflow(name="durability.napper")
async def napper(seconds: float) -> int:
    await perdure.asleep(timedelta(seconds=seconds))
    return 1


@perdure.workflow(name="durability.watcher")
async def watcher(its: float, own: float) -> int:
    """A child that ends while its parent goes to rest."""
    handle = await perdure.astart_child(napper, its)
    await perdure.asleep(timedelta(seconds=own))
    return await handle.aresult()


@perdure.workflow(name="durability.crossing")
async def crossing(its: float, own: float) -> list[int]:
    """A child, a message and a time at once."""
    handle = await perdure.astart_child(napper, its)
    limit = timedelta(seconds=own)
    number, got = await asyncio.gather(
        handle.aresult(), perdure.areceive(TICKET, timeout=limit, default=LATE)
    )
    return [number, got]


WAITERS: list[perdure.Workflow[..., Any]] = [
    child,
    parent,
    sleeper,
    sync_sleeper,
    meeting,
    receiver,
    sync_receiver,
    napper,
    watcher,
    crossing,
]
