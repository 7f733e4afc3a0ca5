"""Whatever workflows write at once, a database that takes sixteen pieces at once takes it."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pytest

import perdure

from .support import WITHIN, result_of, serving

T = TypeVar("T")

PIECE = 500_000
MANY = range(40)
"""So many pieces are more than a CockroachDB, and its double, read at once."""
TEXT: perdure.Topic[str] = perdure.Topic("large.text", str)
PAGES: perdure.Stream[str] = perdure.Stream("large.pages", str)


def text(number: int, pieces: int = 1) -> str:
    """A large one, whose beginning tells which."""
    return f"{number:06}" + "x" * (pieces * PIECE - 6)


@perdure.step(name="large.make")
async def make(number: int, pieces: int) -> str:
    return text(number, pieces)


@perdure.workflow(name="large.author")
async def author(number: int, pieces: int = 1) -> str:
    made = await make.acall(number, pieces)
    return made[:6]


@perdure.workflow(name="large.many")
async def many() -> list[str]:
    made = await asyncio.gather(*[make.acall(number, 1) for number in MANY])
    return [one[:6] for one in made]


@perdure.workflow(name="large.reader")
async def reader(given: str) -> str:
    return given


@perdure.workflow(name="large.family")
async def family() -> list[str]:
    children = await perdure.astart_children([reader.bind(text(number)) for number in MANY])
    return [(await child.aresult())[:6] for child in children]


@perdure.workflow(name="large.printer")
async def printer() -> None:
    for number in MANY:
        PAGES.write(text(number))


@perdure.workflow(name="large.box")
async def box() -> list[str]:
    return [(await perdure.areceive(TEXT, timeout=WITHIN))[:6] for _ in MANY]


@perdure.workflow(name="large.sender")
async def sender() -> list[str]:
    receiver = await perdure.astart_child(box)
    await asyncio.gather(*[receiver.asend(TEXT, text(number)) for number in MANY])
    return await receiver.aresult()


ALL = (author, many, reader, family, printer, box, sender)
BEGINNINGS = [text(number)[:6] for number in MANY]


def beginnings(handles: Sequence[perdure.Handle[str]]) -> list[str]:
    return [result_of(handle)[:6] for handle in handles]


def at_once(call: Callable[[int], T]) -> list[T]:
    with ThreadPoolExecutor(len(MANY)) as pool:
        return list(pool.map(call, MANY))


def test_steps_of_many_workflows_and_of_one(cockroach_url: str) -> None:
    with serving(cockroach_url, *ALL) as engine:
        handles = engine.start_many(author.bind(number) for number in MANY)
        assert beginnings(handles) == BEGINNINGS
        assert result_of(engine.start(many)) == BEGINNINGS


def test_starts_and_results(cockroach_url: str) -> None:
    with serving(cockroach_url, *ALL) as engine:
        handles = engine.start_many(reader.bind(text(number)) for number in MANY)
        assert beginnings(handles) == BEGINNINGS
        handles = at_once(lambda number: engine.start(reader, text(number)))
        assert beginnings(handles) == BEGINNINGS


def test_children(cockroach_url: str) -> None:
    with serving(cockroach_url, *ALL) as engine:
        assert result_of(engine.start(family)) == BEGINNINGS


def test_messages(cockroach_url: str) -> None:
    with serving(cockroach_url, *ALL) as engine:
        assert sorted(result_of(engine.start(sender))) == BEGINNINGS
        receiver = engine.start(box)
        at_once(lambda number: receiver.send(TEXT, text(number)))
        assert sorted(result_of(receiver)) == BEGINNINGS


def test_streams(cockroach_url: str) -> None:
    with serving(cockroach_url, *ALL) as engine:
        handle = engine.start(printer)
        assert [item.value[:6] for item in handle.read(PAGES)] == BEGINNINGS


def test_who_alone_writes_more_than_that_fails_alone(cockroach_url: str) -> None:
    with serving(cockroach_url, *ALL) as engine:
        others = engine.start_many(author.bind(number) for number in MANY)
        with pytest.raises(perdure.BackendRefused, match="so much at once"):
            result_of(engine.start(author, 0, len(MANY)))
        with pytest.raises(perdure.BackendRefused, match="so much at once"):
            engine.start(reader, text(0, len(MANY)))
        assert beginnings(others) == BEGINNINGS
