"""`afirst`: which of several things came first is recorded."""

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

import perdure

from .support import WITHIN, Memory, await_waiting, serving

NOW = timedelta(0)
HOUR = timedelta(hours=1)
WORD = perdure.Topic("word", str)
DECIDED = perdure.Event("decided", bool)


class Flaky(Exception):
    """What one of the racers fails with."""


@perdure.step
async def say(word: str) -> str:
    return word


async def two_steps(word: str) -> str:
    return await say(await say(word))


@perdure.workflow
async def steps_and_waits() -> list[tuple[int, Any]]:
    return [
        await perdure.afirst(perdure.asleep(HOUR), say("a step")),
        await perdure.afirst(two_steps("two"), perdure.asleep(HOUR)),
        await perdure.afirst(perdure.areceive(WORD), perdure.asleep(NOW)),
    ]


def test_the_first_of_steps_waits_and_functions_wins(memory: Memory) -> None:
    with serving(memory.url, steps_and_waits) as engine:
        handle = engine.start(steps_and_waits)
        won = handle.result(timeout=WITHIN)
        assert [tuple(each) for each in won] == [(1, "a step"), (0, "two"), (1, None)]
        assert [step.name for step in handle.steps() if step.kind == "race"] == ["race"] * 3


def test_the_winner_is_the_same_at_every_replay(memory: Memory) -> None:
    bodies = Counter[str]()

    @perdure.step
    async def work(name: str, seconds: float) -> str:
        bodies[name] += 1
        await asyncio.sleep(seconds)
        return name

    @perdure.workflow
    async def racing() -> list[object]:
        first = await perdure.afirst(work("slow", 30), work("quick", 0))
        said: str = await perdure.areceive(WORD)
        return [*first, said, await work("after", 0)]

    with serving(memory.url, racing) as engine:
        handle = engine.start(racing)
        await_waiting(handle)
        handle.send(WORD, "go on")
        assert handle.result(timeout=WITHIN) == [1, "quick", "go on", "after"]
    assert bodies == {"slow": 1, "quick": 1, "after": 1}


def test_a_race_of_waits_leaves_memory_and_goes_on_with_the_first(memory: Memory) -> None:
    @perdure.workflow
    async def either() -> list[object]:
        return list(await perdure.afirst(perdure.areceive(WORD), perdure.asleep(HOUR)))

    with serving(memory.url, either) as engine:
        handle = engine.start(either)
        await_waiting(handle)
        handle.send(WORD, "in time")
        assert handle.result(timeout=WITHIN) == [0, "in time"]


def test_a_wait_that_lost_takes_no_message(memory: Memory) -> None:
    @perdure.workflow
    async def later() -> list[object]:
        first: list[object] = list(await perdure.afirst(perdure.areceive(WORD), say("quick")))
        DECIDED.set(True)
        last: str = await perdure.areceive(WORD)
        return [*first, last]

    with serving(memory.url, later) as engine:
        handle = engine.start(later)
        assert handle.event(DECIDED, timeout=WITHIN)
        handle.send(WORD, "late")
        assert handle.result(timeout=WITHIN) == [1, "quick", "late"]


def test_the_error_of_the_first_is_that_of_the_race(memory: Memory) -> None:
    @perdure.step
    async def fail() -> None:
        raise Flaky

    @perdure.workflow
    async def failing() -> None:
        await perdure.afirst(fail(), perdure.asleep(HOUR))

    with serving(memory.url, failing) as engine, pytest.raises(Flaky):
        engine.start(failing).result(timeout=WITHIN)


def test_a_race_of_nobody_is_refused(memory: Memory) -> None:
    @perdure.workflow
    async def nobody() -> None:
        await perdure.afirst()

    with serving(memory.url, nobody) as engine, pytest.raises(perdure.UsageError, match="afirst"):
        engine.start(nobody).result(timeout=WITHIN)
