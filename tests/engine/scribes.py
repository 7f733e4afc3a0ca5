"""Streams, workflows that write them, and whoever reads them to the end."""

import asyncio
import threading
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest

import perdure

from .support import WITHIN

COLOURS = pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
LOG: perdure.Stream[int] = perdure.Stream("log", int)
WORDS: perdure.Stream[str] = perdure.Stream("words", str)
GO: perdure.Topic[str] = perdure.Topic("go", str)


@perdure.workflow(name="streams.writer")
def writer(count: int) -> None:
    for number in range(count):
        LOG.write(number)


@perdure.workflow(name="streams.stepwise")
def stepwise() -> str:
    """Writes a number for each word that it is told; ends with `end`, closes with `close`."""
    number = 0
    LOG.write(number)
    while (word := perdure.receive(GO)) != "end":
        number += 1
        LOG.close() if word == "close" else LOG.write(number)
    return "done"


@perdure.workflow(name="streams.astepwise")
async def astepwise() -> str:
    number = 0
    LOG.write(number)
    while (word := await perdure.areceive(GO)) != "end":
        number += 1
        LOG.close() if word == "close" else LOG.write(number)
    return "done"


def values(items: Sequence[perdure.StreamItem[Any]]) -> list[Any]:
    return [item.value for item in items]


def rising(numbers: Sequence[int]) -> bool:
    return all(one < other for one, other in pairwise(numbers))


def collected(
    handle: perdure.Handle[Any],
    stream: perdure.Stream[Any],
    *,
    is_async: bool = False,
    after: int = -1,
) -> list[perdure.StreamItem[Any]]:
    """All items of a stream until its end, which has to come."""

    async def read() -> list[perdure.StreamItem[Any]]:
        return [item async for item in handle.aread(stream, after=after)]

    async def in_time() -> list[perdure.StreamItem[Any]]:
        return await asyncio.wait_for(read(), WITHIN.total_seconds())

    if is_async:
        return asyncio.run(in_time())
    found = list[perdure.StreamItem[Any]]()
    reader = threading.Thread(
        target=lambda: found.extend(handle.read(stream, after=after)), daemon=True
    )
    reader.start()
    reader.join(WITHIN.total_seconds())
    assert not reader.is_alive(), f"the end of {stream.name} never came"
    return found
