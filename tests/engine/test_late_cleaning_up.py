"""Code that is cancelled does not clean up for ever."""

from datetime import timedelta

import pytest

import perdure
from perdure import executor

from .support import WITHIN, Door, Memory, await_status, engine_of


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executor, "CLEANING_UP", 0.1)


def test_who_cleans_up_for_too_long_is_cancelled_all_the_same(memory: Memory) -> None:
    door = Door()

    @perdure.step
    def hang() -> None:
        door.pass_through()

    @perdure.workflow
    def outer() -> None:
        try:
            perdure.sleep(timedelta(hours=1))
        finally:
            hang()

    with engine_of(memory.url, outer) as engine, engine.worker():
        handle = engine.start(outer)
        await_status(handle, perdure.Status.WAITING)
        handle.cancel("enough")
        door.await_somebody()
        with pytest.raises(perdure.WorkflowCancelled, match="enough"):
            handle.result(timeout=WITHIN)
        door.opened.set()


def test_who_has_something_left_to_undo_is_set_aside_for_a_person(memory: Memory) -> None:
    door = Door()

    @perdure.step
    def undo() -> None:
        door.pass_through()

    @perdure.workflow
    def outer() -> None:
        perdure.compensate(undo)
        perdure.sleep(timedelta(hours=1))

    with engine_of(memory.url, outer) as engine, engine.worker():
        handle = engine.start(outer)
        await_status(handle, perdure.Status.WAITING)
        handle.cancel("enough")
        door.await_somebody()
        with pytest.raises(perdure.WorkflowParked, match="took too long"):
            handle.result(timeout=WITHIN)
        door.opened.set()
