"""A message between its arrival and its record: nobody else gets it, and it is not lost."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import pytest

import perdure
from perdure.lookout import Lookout, Watched

from .support import HOUR, Door, Memory, engine_of, result_of, until

WORD: perdure.Topic[str] = perdure.Topic("word", str)


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """For how many waits the lookout has looked, each time."""
    seen: list[int] = []
    real = vars(Lookout)["_bring"]

    def bring(lookout: Lookout, watched: Watched) -> bool:
        found: bool = real(lookout, watched)
        seen.append(sum(map(len, watched.values())))
        return found

    monkeypatch.setattr(Lookout, "_bring", bring)
    return seen


@contextmanager
def opened_after(door: Door) -> Generator[None, None, None]:
    """The loop goes on after this, whatever happens in it."""
    try:
        yield
    finally:
        door.opened.set()


def blocking(door: Door) -> perdure.Workflow[[], Any]:
    """A workflow that keeps the loop from going on."""

    @perdure.workflow(name="inbox.rude")
    async def rude() -> None:
        door.pass_through()

    return rude


def test_a_message_is_given_to_one_branch_however_slow_the_loop(
    memory: Memory, looks: list[int]
) -> None:
    door = Door()
    rude = blocking(door)

    @perdure.workflow
    async def outer() -> list[str]:
        return list(await asyncio.gather(perdure.areceive(WORD), perdure.areceive(WORD)))

    with engine_of(memory.url, outer, rude, linger=HOUR) as engine, engine.worker():
        handle = engine.start(outer)
        until(lambda: 2 in looks)
        engine.start(rude)
        door.await_somebody()
        with opened_after(door):
            before = len(looks)
            handle.send(WORD, "one")
            until(lambda: len(looks) > before + 2)
        handle.send(WORD, "two")
        assert sorted(result_of(handle)) == ["one", "two"]


def test_a_message_given_to_a_wait_that_is_cancelled_is_there_for_the_next(
    memory: Memory, looks: list[int]
) -> None:
    door = Door()

    @perdure.step
    def await_look() -> None:
        until(lambda: looks)

    @perdure.workflow
    async def outer() -> str:
        task = asyncio.create_task(perdure.areceive(WORD))
        await await_look.acall()
        door.pass_through()  # blocks the loop, so that the task does not see what has come
        task.cancel()
        await asyncio.wait([task])
        return await perdure.areceive(WORD)

    with engine_of(memory.url, outer, linger=HOUR) as engine, engine.worker():
        handle = engine.start(outer)
        door.await_somebody()
        with opened_after(door):
            before = len(looks)
            handle.send(WORD, "one")
            until(lambda: len(looks) > before)
        assert result_of(handle) == "one"
