"""Code that catches what unwinds it is told so."""

import contextlib
from datetime import timedelta

import pytest

import perdure

from .support import Memory, await_status, serving, until

HOUR = timedelta(hours=1)


@pytest.mark.parametrize("colour", ["sync", "async"])
def test_who_catches_the_unwinding_of_a_suspension_is_warned(memory: Memory, colour: str) -> None:
    ghosts: list[str] = []

    @perdure.workflow
    def stubborn() -> str:
        with contextlib.suppress(BaseException):
            perdure.sleep(HOUR)
        ghosts.append("sync")
        return "a ghost's"

    @perdure.workflow
    async def astubborn() -> str:
        with contextlib.suppress(BaseException):
            await perdure.asleep(HOUR)
        ghosts.append("async")
        return "a ghost's"

    workflow = stubborn if colour == "sync" else astubborn

    def play() -> None:
        with serving(memory.url, stubborn, astubborn) as engine:
            handle = engine.start(workflow)
            until(lambda: ghosts == [colour])
            await_status(handle, perdure.Status.WAITING)

    with pytest.warns(perdure.Swallowed, match=f"{workflow.name} went on after it had left"):
        play()


def test_who_cleans_up_and_raises_it_again_is_not(
    memory: Memory, recwarn: pytest.WarningsRecorder
) -> None:
    done: list[str] = []

    @perdure.workflow
    def tidy() -> None:
        try:
            perdure.sleep(HOUR)
        finally:
            done.append("cleaned up")

    with serving(memory.url, tidy) as engine:
        handle = engine.start(tidy)
        until(lambda: done)
        await_status(handle, perdure.Status.WAITING)
    assert [one for one in recwarn if issubclass(one.category, perdure.Swallowed)] == []
