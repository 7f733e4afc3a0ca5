"""After a crash while it cleans up, a workflow goes on with that and with nothing else."""

from collections import Counter
from typing import Any

import perdure

from .cancelled import (
    COLOURS,
    GO,
    QUICK,
    await_cancelled,
    await_request,
    clean,
    started,
)
from .support import (
    AT_ONCE,
    HOUR,
    NO_LINGER,
    Door,
    Memory,
    await_waiting,
    engine_of,
    until,
)


class Undoing:
    """Steps that clean up; at the first body of one of them a worker dies."""

    def __init__(self, fatal: str) -> None:
        self.door = door = Door()
        self.bodies = bodies = Counter[str]()

        @perdure.step(name="undo")
        def undo(what: str) -> str:
            bodies[what] += 1
            if what == fatal and bodies[what] == 1:
                door.pass_through()
            return what

        self.undo = undo


def undone_after_a_wait(undoing: Undoing, *, is_async: bool) -> Any:
    """A workflow that is cancelled in a wait."""

    @perdure.workflow(name="outer")
    def outer() -> None:
        try:
            clean("before")
            perdure.receive(GO)
            clean("after")
        finally:
            for what in ("first", "second", "third"):
                undoing.undo(what)

    @perdure.workflow(name="outer")
    async def aouter() -> None:
        try:
            await clean.acall("before")
            await perdure.areceive(GO)
            await clean.acall("after")
        finally:
            for what in ("first", "second", "third"):
                await undoing.undo.acall(what)

    return aouter if is_async else outer


def undone_after_a_step(first: Door, undoing: Undoing, *, is_async: bool) -> Any:
    """A workflow that is cancelled while a step runs that is not interrupted."""

    @perdure.step(name="hold")
    def hold() -> None:
        first.pass_through()
        await_request()

    @perdure.workflow(name="outer")
    def outer() -> None:
        try:
            hold()
            clean("after")
        finally:
            undoing.undo("first")

    @perdure.workflow(name="outer")
    async def aouter() -> None:
        try:
            with perdure.shield():
                await hold.acall()
            await clean.acall("after")
        finally:
            await undoing.undo.acall("first")

    return aouter if is_async else outer


def undone_in_two_parts(undoing: Undoing, *, is_async: bool) -> Any:
    """A workflow that takes its time to clean up."""

    @perdure.workflow(name="outer")
    def outer() -> None:
        try:
            perdure.receive(GO)
        finally:
            undoing.undo("first")
            perdure.sleep(HOUR)
            undoing.undo("second")

    @perdure.workflow(name="outer")
    async def aouter() -> None:
        try:
            await perdure.areceive(GO)
        finally:
            await undoing.undo.acall("first")
            await perdure.asleep(HOUR)
            await undoing.undo.acall("second")

    return aouter if is_async else outer


@COLOURS
def test_after_a_crash_while_cleaning_up_it_strikes_at_the_same_place(
    memory: Memory, *, is_async: bool
) -> None:
    undoing = Undoing(fatal="second")
    workflow = undone_after_a_wait(undoing, is_async=is_async)
    with engine_of(memory.url, workflow, linger=NO_LINGER) as engine:
        with engine.worker(grace=AT_ONCE):
            handle = started(engine, workflow)
            await_waiting(handle)
            handle.cancel("enough")
            undoing.door.await_somebody()
        before = handle.steps()
        handle.send(GO, "too late")
        undoing.door.opened.set()
        with engine.worker():
            await_cancelled(handle)
        assert handle.steps()[: len(before)] == before
        kinds = [step.kind for step in handle.steps()]
    assert kinds == ["step", "cancelled", "step", "step", "step"]
    assert undoing.bodies == {"first": 1, "second": 2, "third": 1}


@COLOURS
def test_between_two_steps_it_strikes_at_the_same_place_again(
    memory: Memory, *, is_async: bool
) -> None:
    first, undoing = Door(), Undoing(fatal="first")
    workflow = undone_after_a_step(first, undoing, is_async=is_async)
    with engine_of(memory.url, workflow, **QUICK) as engine:
        with engine.worker(grace=AT_ONCE):
            handle = started(engine, workflow)
            first.await_somebody()
            handle.cancel("enough")
            first.opened.set()
            undoing.door.await_somebody()
        before = [(step.seq, step.kind) for step in handle.steps()]
        assert before == [(1, "step"), (3, "cancelled")]  # 2 is the step that did not begin
        undoing.door.opened.set()
        with engine.worker():
            await_cancelled(handle)
        after = [(step.seq, step.kind) for step in handle.steps()]
    assert after == [*before, (4, "step")]
    assert undoing.bodies == {"first": 2}


@COLOURS
def test_a_cleaning_up_that_waits_outside_memory_goes_on_where_it_was(
    memory: Memory, *, is_async: bool
) -> None:
    undoing = Undoing(fatal="none")
    workflow = undone_in_two_parts(undoing, is_async=is_async)
    with engine_of(memory.url, workflow, linger=NO_LINGER) as engine:
        with engine.worker():
            handle = started(engine, workflow)
            await_waiting(handle)
            handle.cancel("enough")
            until(lambda: len(handle.steps()) == 2)
            await_waiting(handle)
        memory.forward(HOUR)
        with engine.worker():
            await_cancelled(handle)
    assert undoing.bodies == {"first": 1, "second": 1}
