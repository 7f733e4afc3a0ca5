"""A request to cancel strikes once, in all branches, and the code cleans up."""

import asyncio
import threading
from datetime import timedelta
from typing import Any

import pytest

import perdure

from .cancelled import (
    COLOURS,
    GO,
    LINGERS,
    QUICK,
    STAGE,
    Trail,
    await_cancelled,
    await_request,
    clean,
    started,
    waiter,
)
from .support import (
    HOUR,
    NO_LINGER,
    WITHIN,
    Door,
    Memory,
    await_waiting,
    engine_of,
    result_of,
    until,
)


@COLOURS
@LINGERS
def test_what_catches_exceptions_does_not_catch_a_cancellation(
    memory: Memory, *, is_async: bool, linger: timedelta
) -> None:
    trail = Trail()

    @perdure.workflow
    def outer() -> str:
        while True:
            try:
                STAGE.set("on")
                return perdure.receive(GO)
            except Exception:  # noqa: BLE001 (that is what is tried)
                trail.mark("swallowed")

    @perdure.workflow
    async def aouter() -> str:
        while True:
            try:
                STAGE.set("on")
                return await perdure.areceive(GO)
            except Exception:  # noqa: BLE001 (that is what is tried)
                trail.mark("swallowed")

    workflow: Any = aouter if is_async else outer
    with engine_of(memory.url, workflow, linger=linger) as engine, engine.worker():
        handle = started(engine, workflow)
        handle.event(STAGE, timeout=WITHIN)
        handle.cancel("enough")
        await_cancelled(handle)
    assert trail.seen == []


@perdure.workflow(name="cancellation.tidy")
def tidy() -> None:
    try:
        STAGE.set("on")
        perdure.receive(GO)
    except perdure.Cancelled:
        clean("except")
        raise
    finally:
        clean("finally")


@perdure.workflow(name="cancellation.atidy")
async def atidy() -> None:
    try:
        STAGE.set("on")
        await perdure.areceive(GO)
    except perdure.Cancelled:
        await clean.acall("except")
        raise
    finally:
        await clean.acall("finally")


@pytest.mark.parametrize("workflow", [tidy, atidy], ids=["sync", "async"])
@LINGERS
def test_steps_that_clean_up_run_and_are_recorded(
    memory: Memory, workflow: Any, linger: timedelta
) -> None:
    with engine_of(memory.url, workflow, linger=linger) as engine, engine.worker():
        handle = started(engine, workflow)
        handle.event(STAGE, timeout=WITHIN)
        handle.cancel("enough")
        await_cancelled(handle)
        outputs = [s.output(str) for s in handle.steps() if s.kind == "step"]
        assert outputs == ["except", "finally"]


@COLOURS
def test_who_cleans_up_may_wait(memory: Memory, *, is_async: bool) -> None:
    @perdure.workflow
    def outer() -> None:
        try:
            perdure.receive(GO)
        finally:
            perdure.sleep(timedelta(milliseconds=20))
            clean(perdure.receive(GO))

    @perdure.workflow
    async def aouter() -> None:
        try:
            await perdure.areceive(GO)
        finally:
            await perdure.asleep(timedelta(milliseconds=20))
            await clean.acall(await perdure.areceive(GO))

    workflow: Any = aouter if is_async else outer
    with engine_of(memory.url, workflow, linger=NO_LINGER) as engine, engine.worker():
        handle = started(engine, workflow)
        await_waiting(handle)
        handle.cancel("enough")
        until(lambda: "sleep" in [step.kind for step in handle.steps()])
        await_waiting(handle)
        handle.send(GO, "cleaned")
        await_cancelled(handle)
        assert handle.steps()[-1].output(str) == "cleaned"


@COLOURS
def test_who_swallows_the_cancellation_ends_as_it_likes(memory: Memory, *, is_async: bool) -> None:
    @perdure.workflow
    def outer() -> str:
        try:
            return perdure.receive(GO)
        except perdure.Cancelled:
            return clean("half")

    @perdure.workflow
    async def aouter() -> str:
        try:
            return await perdure.areceive(GO)
        except perdure.Cancelled:
            return await clean.acall("half")

    workflow: Any = aouter if is_async else outer
    with engine_of(memory.url, workflow, linger=NO_LINGER) as engine, engine.worker():
        handle = started(engine, workflow)
        await_waiting(handle)
        handle.cancel("enough")
        assert result_of(handle) == "half"
        assert handle.record().cancel_reason == "enough"


@COLOURS
def test_an_error_while_cleaning_up_is_the_end(memory: Memory, *, is_async: bool) -> None:
    @perdure.workflow
    def outer() -> None:
        try:
            perdure.receive(GO)
        except perdure.Cancelled:
            raise ZeroDivisionError("while cleaning up") from None

    @perdure.workflow
    async def aouter() -> None:
        try:
            await perdure.areceive(GO)
        except perdure.Cancelled:
            raise ZeroDivisionError("while cleaning up") from None

    workflow: Any = aouter if is_async else outer
    with engine_of(memory.url, workflow, linger=NO_LINGER) as engine, engine.worker():
        handle = started(engine, workflow)
        await_waiting(handle)
        handle.cancel("enough")
        with pytest.raises(ZeroDivisionError, match="while cleaning up"):
            result_of(handle)


def test_the_workflow_may_look_why_it_is_cancelled_in_its_record(memory: Memory) -> None:
    with engine_of(memory.url, waiter, linger=NO_LINGER) as engine, engine.worker():
        handle = engine.start(waiter)
        await_waiting(handle)
        handle.cancel("enough")
        await_cancelled(handle)
        (struck,) = [step for step in handle.steps() if step.kind == "cancelled"]
        assert struck.output(str) == "enough"


# ------------------------------------------------------------------- branches


@pytest.mark.parametrize("linger", [NO_LINGER, HOUR], ids=["outside", "inside"])
def test_branches_in_a_group_are_all_cancelled_and_clean_up_each(
    memory: Memory, linger: timedelta
) -> None:
    async def branch(label: str) -> None:
        try:
            await perdure.areceive(GO)
        finally:
            await clean.acall(label)

    @perdure.workflow
    async def outer() -> None:
        STAGE.set("on")
        async with asyncio.TaskGroup() as group:
            for label in "abc":
                group.create_task(branch(label))

    with engine_of(memory.url, outer, linger=linger) as engine, engine.worker():
        handle = engine.start(outer)
        if linger is NO_LINGER:
            await_waiting(handle)
        else:
            handle.event(STAGE, timeout=WITHIN)
            until(lambda: handle.record().epoch)
        handle.cancel("enough")
        await_cancelled(handle)
        outputs = {s.branch: s.output(str) for s in handle.steps() if s.kind == "step"}
        assert outputs == {"1": "a", "2": "b", "3": "c"}


def test_a_step_in_one_branch_does_not_keep_a_cancellation_from_the_others(memory: Memory) -> None:
    trail, reached = Trail(), threading.Event()

    @perdure.step
    async def hold() -> None:
        reached.set()
        try:
            await asyncio.sleep(3600)
        finally:
            trail.mark("step")

    async def branch() -> None:
        try:
            await perdure.areceive(GO)
        finally:
            trail.mark("branch")

    @perdure.workflow
    async def outer() -> None:
        await asyncio.gather(branch(), hold())

    with engine_of(memory.url, outer, linger=NO_LINGER) as engine, engine.worker():
        handle = engine.start(outer)
        assert reached.wait(WITHIN.total_seconds())
        handle.cancel("enough")
        await_cancelled(handle)
    assert sorted(trail.seen) == ["branch", "step"]


# --------------------------------------------------------------------- shield


@COLOURS
def test_what_is_shielded_is_finished_first(memory: Memory, *, is_async: bool) -> None:
    door = Door()

    @perdure.step(name="hold")
    def hold() -> None:
        door.pass_through()
        await_request()

    @perdure.workflow
    def outer() -> None:
        with perdure.shield():
            hold()
            clean("shielded")
        clean("not any more")

    @perdure.workflow
    async def aouter() -> None:
        with perdure.shield():
            await hold.acall()
            await clean.acall("shielded")
        await clean.acall("not any more")

    workflow: Any = aouter if is_async else outer
    with engine_of(memory.url, workflow, **QUICK) as engine, engine.worker():
        handle = started(engine, workflow)
        door.await_somebody()
        handle.cancel("enough")
        door.opened.set()
        await_cancelled(handle)
        outputs = [step.output_json for step in handle.steps() if step.kind == "step"]
        assert outputs == ["null", '"shielded"']


@COLOURS
def test_a_wait_that_is_shielded_is_finished_first(memory: Memory, *, is_async: bool) -> None:
    @perdure.workflow
    def outer() -> None:
        with perdure.shield():
            clean(perdure.receive(GO))
        perdure.sleep(HOUR)

    @perdure.workflow
    async def aouter() -> None:
        with perdure.shield():
            await clean.acall(await perdure.areceive(GO))
        await perdure.asleep(HOUR)

    workflow: Any = aouter if is_async else outer
    with engine_of(memory.url, workflow, linger=NO_LINGER) as engine, engine.worker():
        handle = started(engine, workflow)
        await_waiting(handle)
        handle.cancel("enough")
        until(lambda: handle.record().epoch == 2)
        await_waiting(handle)
        handle.send(GO, "shielded")
        await_cancelled(handle)
        assert [step.kind for step in handle.steps()] == ["receive", "step", "cancelled"]
