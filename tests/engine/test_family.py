"""What comes of a child reaches its parent, and the other way round."""

import asyncio
from datetime import timedelta
from typing import Any

import attrs
import pytest

import perdure

from .family import COLOURS, GO, KNOWN, LINGERS, Declined, adouble, double, fail, run, wait
from .support import (
    NO_LINGER,
    Memory,
    await_status,
    await_waiting,
    engine_of,
    result_of,
    until,
)


@COLOURS
@LINGERS
def test_a_workflow_called_in_a_workflow_is_a_child_that_is_waited_for(
    memory: Memory, *, is_async: bool, linger: timedelta
) -> None:
    @perdure.workflow
    def outer() -> list[int]:
        return [double(1), double(2)]

    @perdure.workflow
    async def aouter() -> list[int]:
        return list(await asyncio.gather(adouble(1), adouble(2)))

    assert run(memory, aouter if is_async else outer, linger=linger) == [2, 4]


@COLOURS
def test_an_error_of_a_child_reaches_its_parent_as_what_it_was(
    memory: Memory, *, is_async: bool
) -> None:
    @perdure.workflow
    def outer() -> str:
        try:
            fail("no")
        except Declined as error:
            return f"{perdure.receive(GO)}: {error}"
        return "not raised"

    @perdure.workflow
    async def aouter() -> str:
        try:
            await (await perdure.astart_child(fail, "no")).aresult()
        except Declined as error:
            word: str = await perdure.areceive(GO)
            return f"{word}: {error}"
        return "not raised"

    workflow: Any = aouter if is_async else outer
    with engine_of(memory.url, workflow, *KNOWN, linger=NO_LINGER) as engine, engine.worker():
        parent: perdure.Handle[Any] = engine.start(workflow)
        until(lambda: len(parent.steps()) == 2)
        await_waiting(parent)
        parent.send(GO, "on")
        assert result_of(parent) == "on: no"


@COLOURS
def test_the_cancellation_of_a_child_reaches_its_parent_as_an_error(
    memory: Memory, *, is_async: bool
) -> None:
    @perdure.workflow
    def outer() -> str:
        try:
            return perdure.start_child(wait).result()
        except perdure.WorkflowCancelled as error:
            return f"{error.id}: {error.reason}"

    @perdure.workflow
    async def aouter() -> str:
        try:
            return await (await perdure.astart_child(wait)).aresult()
        except perdure.WorkflowCancelled as error:
            return f"{error.id}: {error.reason}"

    workflow: Any = aouter if is_async else outer
    with engine_of(memory.url, workflow, *KNOWN, linger=NO_LINGER) as engine, engine.worker():
        parent: perdure.Handle[Any] = engine.start(workflow, id="w")
        await_waiting(parent)
        engine.handle("w/1").cancel("enough")
        assert result_of(parent) == "w/1: enough"


@COLOURS
def test_the_result_of_a_child_is_waited_for_in_time(memory: Memory, *, is_async: bool) -> None:
    soon = timedelta(milliseconds=30)

    @perdure.workflow
    def outer() -> str:
        child = perdure.start_child(wait)
        try:
            return child.result(timeout=soon)
        except perdure.WaitTimeout:
            child.send(GO, "late")
            return child.result()

    @perdure.workflow
    async def aouter() -> str:
        child = await perdure.astart_child(wait)
        try:
            return await child.aresult(timeout=soon)
        except perdure.WaitTimeout:
            await child.asend(GO, "late")
            return await child.aresult()

    assert run(memory, aouter if is_async else outer, linger=NO_LINGER) == "late"


@COLOURS
def test_the_result_of_any_workflow_can_be_waited_for(memory: Memory, *, is_async: bool) -> None:
    with engine_of(memory.url, *KNOWN, linger=NO_LINGER) as engine, engine.worker():
        stranger = engine.start(wait)

        @perdure.workflow
        def outer() -> str:
            return stranger.result()

        @perdure.workflow
        async def aouter() -> str:
            return await stranger.aresult()

        workflow: Any = aouter if is_async else outer
        with engine_of(memory.url, workflow, linger=NO_LINGER) as second, second.worker():
            handle: perdure.Handle[Any] = second.start(workflow)
            await_waiting(handle)
            stranger.send(GO, "on")
            assert result_of(handle) == "on"


@COLOURS
def test_the_result_of_an_unknown_workflow_is_an_error(memory: Memory, *, is_async: bool) -> None:
    with engine_of(memory.url) as engine:
        nobody = engine.handle("nobody")

        @perdure.workflow
        def outer() -> Any:
            return nobody.result()

        @perdure.workflow
        async def aouter() -> Any:
            return await nobody.aresult()

        with pytest.raises(perdure.WorkflowNotFound, match="nobody"):
            run(memory, aouter if is_async else outer)


def test_children_may_have_children(memory: Memory) -> None:
    @perdure.workflow(name="depth")
    def depth(left: int) -> str:
        return "." if left == 0 else f"{left}{depth(left - 1)}"

    with (
        engine_of(memory.url, depth, linger=NO_LINGER) as engine,
        engine.worker(concurrency=1, threads=1),
    ):
        assert result_of(engine.start(depth, 5, id="w")) == "54321."
        assert engine.handle("w/1/1/1/1/1").record().parent_id == "w/1/1/1/1"


def test_a_parent_waits_for_a_child_that_is_parked(memory: Memory) -> None:
    @perdure.workflow
    def outer() -> str:
        return perdure.start_child(wait).result()

    with engine_of(memory.url, outer, *KNOWN, linger=NO_LINGER) as engine:
        with engine.worker():
            parent = engine.start(outer, id="w")
            child = engine.handle("w/1")
            await_waiting(parent)
            await_waiting(child)
        parked = attrs.evolve(memory.store.workflows["w/1"], status=perdure.Status.PARKED)
        memory.store.workflows["w/1"] = parked
        with engine.worker():
            await_waiting(parent)
            child.resume()
            child.send(GO, "on")
            assert result_of(parent) == "on"


def test_children_go_on_when_their_parent_fails(memory: Memory) -> None:
    @perdure.workflow
    def outer() -> None:
        perdure.start_child(wait)
        raise Declined("no")

    with engine_of(memory.url, outer, *KNOWN, linger=NO_LINGER) as engine, engine.worker():
        parent = engine.start(outer, id="w")
        with pytest.raises(Declined):
            result_of(parent)
        child = engine.handle("w/1", wait)
        child.send(GO, "on")
        assert result_of(child) == "on"


def test_children_of_a_parked_parent_are_cancelled_with_it(memory: Memory) -> None:
    @perdure.workflow
    def outer() -> str:
        return perdure.start_child(wait).result()

    with engine_of(memory.url, outer, *KNOWN, linger=NO_LINGER) as engine, engine.worker():
        parent = engine.start(outer, id="w")
        await_waiting(parent)
        parked = attrs.evolve(memory.store.workflows["w"], status=perdure.Status.PARKED)
        memory.store.workflows["w"] = parked
        parent.cancel("enough")
        await_status(engine.handle("w/1"), perdure.Status.CANCELLED)
