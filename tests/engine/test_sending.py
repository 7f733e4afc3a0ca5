"""Sending: once for each key, from outside, from steps and from workflows."""

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

import perdure

from .readers import (
    WORD,
    areader,
    reader,
    started,
)
from .support import (
    AT_ONCE,
    NO_LINGER,
    WITHIN,
    Door,
    Memory,
    engine_of,
    ran,
    result_of,
    serving,
)

# ----------------------------------------------------------- from the outside


def test_a_second_message_with_a_key_changes_nothing(memory: Memory) -> None:
    with engine_of(memory.url, reader) as engine:
        handle = engine.start(reader, 2)
        for word, key in (("a", "k"), ("b", "k"), ("c", "l"), ("a", "k")):
            handle.send(WORD, word, key=key)
        with engine.worker():
            assert result_of(handle) == ["a", "c"]
        handle.send(WORD, "again", key="k")  # nor after the end


def test_a_key_counts_for_each_workflow(memory: Memory) -> None:
    with serving(memory.url, reader) as engine:
        handles = engine.start_many([reader.bind(1)] * 2)
        for handle in handles:
            handle.send(WORD, "a", key="k")
        assert [result_of(handle) for handle in handles] == [["a"], ["a"]]


def test_without_a_key_each_message_is_one(memory: Memory) -> None:
    with serving(memory.url, reader) as engine:
        handle = engine.start(reader, 2)
        handle.send(WORD, "a")
        handle.send(WORD, "a")
        assert result_of(handle) == ["a", "a"]


def test_nobody_receives_what_is_sent_to_an_unknown_workflow(memory: Memory) -> None:
    with engine_of(memory.url, reader) as engine, pytest.raises(perdure.WorkflowNotFound):
        engine.handle("nobody").send(WORD, "a")


def test_a_workflow_that_has_ended_takes_no_messages(memory: Memory) -> None:
    with serving(memory.url, reader) as engine:
        handle = engine.start(reader, 0)
        result_of(handle)
        with pytest.raises(perdure.WorkflowFinished, match="success"):
            handle.send(WORD, "a")


def test_a_key_that_cannot_be_stored_is_refused(memory: Memory) -> None:
    with engine_of(memory.url, reader) as engine:
        handle = engine.start(reader, 1)
        for key in ("", "nul\0", "x" * 5000):
            with pytest.raises(perdure.PerdureError):
                handle.send(WORD, "a", key=key)


def test_async_code_sends_the_same(memory: Memory) -> None:
    async def main(handle: perdure.Handle[list[str]]) -> list[str]:
        await handle.asend(WORD, "a", key="k")
        await handle.asend(WORD, "b", key="k")
        await handle.asend(WORD, "c")
        return await handle.aresult(timeout=WITHIN)

    with serving(memory.url, reader) as engine:
        assert asyncio.run(main(engine.start(reader, 2))) == ["a", "c"]


# --------------------------------------------------------- from steps, workflows


def test_a_step_that_is_tried_again_sends_once(memory: Memory) -> None:
    with serving(memory.url, reader, areader) as engine:
        target = engine.start(reader, 3)
        tries: list[int] = []

        @perdure.step(retries=perdure.Retry(3, delay=timedelta(0)))
        def tell() -> None:
            target.send(WORD, "a")
            target.send(WORD, "b")
            tries.append(1)
            if len(tries) < 3:
                raise OSError

        @perdure.workflow
        def outer() -> None:
            tell()

        ran(memory.url, outer.bind())
        target.send(WORD, "last")
        assert result_of(target) == ["a", "b", "last"]


def interrupted(memory: Memory, send: Callable[[], Any], *, is_async: bool) -> None:
    """Run a workflow that sends, and that is interrupted and replayed after it."""
    door, bodies = Door(), Counter[str]()

    @perdure.step
    def hold() -> None:
        bodies["hold"] += 1
        if bodies["hold"] == 1:
            door.pass_through()

    @perdure.workflow
    def outer() -> None:
        send()
        hold()

    @perdure.workflow
    async def aouter() -> None:
        await send()
        await hold.acall()

    workflow: Any = aouter if is_async else outer
    with engine_of(memory.url, workflow) as engine:
        with engine.worker(grace=AT_ONCE):
            handle = engine.start(workflow)
            door.await_somebody()
        door.opened.set()
        with engine.worker():
            result_of(handle)
    assert bodies["hold"] == 2


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_a_workflow_that_is_replayed_sends_once(memory: Memory, *, is_async: bool) -> None:
    with serving(memory.url, reader) as engine:
        target = engine.start(reader, 2)

        async def send() -> None:
            await target.asend(WORD, "a")

        interrupted(memory, send if is_async else lambda: target.send(WORD, "a"), is_async=is_async)
        target.send(WORD, "last")
        assert result_of(target) == ["a", "last"]


def test_a_workflow_may_name_its_message(memory: Memory) -> None:
    with serving(memory.url, reader) as engine:
        target = engine.start(reader, 2)

        @perdure.workflow
        def outer() -> None:
            target.send(WORD, "a", key="k")
            target.send(WORD, "b", key="k")

        ran(memory.url, outer.bind())
        target.send(WORD, "last")
        assert result_of(target) == ["a", "last"]


def test_workflows_talk_to_each_other(memory: Memory) -> None:
    ball: perdure.Topic[int] = perdure.Topic("ball", int)

    @perdure.workflow(name="player")
    async def player(other: str, serve: bool) -> int:  # noqa: FBT001 (a workflow's argument)
        number = 0
        if serve:
            await desk.handle(other).asend(ball, 1)
        while number < 19:
            number = await perdure.areceive(ball)
            if number < 20:
                await desk.handle(other).asend(ball, number + 1)
        return number

    with engine_of(memory.url, player, linger=NO_LINGER) as desk, desk.worker():
        first = desk.start(player, "b", True, id="a")  # noqa: FBT003
        second = desk.start(player, "a", False, id="b")  # noqa: FBT003
        assert (result_of(first), result_of(second)) == (20, 19)


def test_messages_of_one_sender_keep_their_order(memory: Memory) -> None:
    with serving(memory.url, reader) as engine:
        target = engine.start(reader, 50)

        @perdure.workflow
        async def outer() -> None:
            for i in range(50):
                await target.asend(WORD, str(i))

        ran(memory.url, outer.bind())
        assert result_of(target) == [str(i) for i in range(50)]


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_what_cannot_be_delivered_is_an_error_in_the_workflow_and_the_same_at_a_replay(
    memory: Memory, *, is_async: bool
) -> None:
    with serving(memory.url, reader) as engine:
        finished = engine.start(reader, 0, id="finished")
        result_of(finished)
        nobody = engine.handle("nobody")
        seen: list[str] = []

        def send() -> None:
            for handle in (nobody, finished):
                try:
                    handle.send(WORD, "a")
                except (perdure.WorkflowNotFound, perdure.WorkflowFinished) as error:
                    seen.append(str(error))

        async def asend() -> None:
            for handle in (nobody, finished):
                try:
                    await handle.asend(WORD, "a")
                except (perdure.WorkflowNotFound, perdure.WorkflowFinished) as error:
                    seen.append(str(error))

        interrupted(memory, asend if is_async else send, is_async=is_async)
    assert seen == ["no workflow has the id 'nobody'", "finished has ended (success)"] * 2


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_messages_are_received_on_postgresql(postgres_url: str, *, is_async: bool) -> None:
    workflow: Any = areader if is_async else reader
    with engine_of(postgres_url, workflow, linger=NO_LINGER) as engine, engine.worker():
        handle = started(engine, workflow, 5)
        for word in "abcde":
            handle.send(WORD, word)
        assert result_of(handle) == ["a", "b", "c", "d", "e"]
