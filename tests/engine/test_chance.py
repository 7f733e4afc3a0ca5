"""Time and chance repeat themselves at replay and nowhere else."""

import asyncio
from typing import Any

import pytest

import perdure

from .support import AT_ONCE, WITHIN, Door, engine_of


def draw() -> list[Any]:
    source = perdure.random()
    return [str(perdure.uuid4()), str(perdure.now()), source.random(), source.randrange(10**9)]


async def adraw() -> list[Any]:
    await asyncio.sleep(0)
    return draw()


@pytest.mark.parametrize("colour", ["sync", "async"])
def test_time_and_chance_are_the_same_at_replay(sqlite_url: str, colour: str) -> None:
    door = Door()
    runs: list[list[Any]] = []

    @perdure.step
    def hold() -> None:
        door.pass_through()

    @perdure.workflow
    def outer() -> list[Any]:
        runs.append([*draw(), *draw()])
        hold()
        return runs[-1]

    @perdure.workflow
    async def aouter() -> list[Any]:
        drawn = await asyncio.gather(adraw(), adraw())
        runs.append([*draw(), *drawn[0], *drawn[1]])
        await hold.acall()
        return runs[-1]

    with engine_of(sqlite_url, outer, aouter) as engine:
        with engine.worker(grace=AT_ONCE):
            handle = engine.start(outer.bind() if colour == "sync" else aouter.bind())
            door.await_somebody()
        door.opened.set()
        with engine.worker():
            result = handle.result(timeout=WITHIN)

        first, again = runs
        assert first == again == result
        assert len(set(map(str, first))) == len(first)
        assert "uuid4" not in {step.kind for step in handle.steps()}

        with engine.worker():
            other = engine.start(outer.bind() if colour == "sync" else aouter.bind()).result(
                timeout=WITHIN
            )
        assert not set(map(str, first)) & set(map(str, other))


def test_a_drawn_uuid_is_a_proper_one(sqlite_url: str) -> None:
    @perdure.workflow
    def outer() -> list[int | str | None]:
        drawn = perdure.uuid4()
        return [drawn.version, drawn.variant]

    with engine_of(sqlite_url, outer) as engine, engine.worker():
        assert engine.start(outer).result(timeout=WITHIN) == [4, "specified in RFC 4122"]
