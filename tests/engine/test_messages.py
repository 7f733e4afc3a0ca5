"""Messages: each is received once, in order, as what its topic says, in time or not."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

import perdure

from .readers import (
    APPROVAL,
    LINGERS,
    MAYBE,
    NUMBER,
    READERS,
    SOON,
    WORD,
    Decision,
    reader,
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
    ran,
    result_of,
    serving,
    until,
)

# -------------------------------------------------------------------- order


@READERS
@LINGERS
def test_messages_are_received_in_the_order_in_which_they_were_sent(
    memory: Memory, workflow: Any, linger: timedelta
) -> None:
    words = [str(i) for i in range(20)]
    with engine_of(memory.url, workflow, linger=linger) as engine, engine.worker():
        handle = started(engine, workflow, len(words))
        for word in words:
            handle.send(WORD, word)
        assert result_of(handle) == words


@READERS
def test_messages_wait_for_a_workflow_that_has_not_begun(memory: Memory, workflow: Any) -> None:
    with engine_of(memory.url, workflow) as engine:
        handle = started(engine, workflow, 3)
        for word in "abc":
            handle.send(WORD, word)
        with engine.worker():
            assert result_of(handle) == ["a", "b", "c"]


def test_more_messages_than_one_look_brings_come_in_order(memory: Memory) -> None:
    words = [str(i) for i in range(250)]
    with engine_of(memory.url, reader) as engine:
        handle = engine.start(reader, len(words))
        for word in words:
            handle.send(WORD, word)
        with engine.worker():
            assert result_of(handle) == words


def test_a_topic_takes_nothing_from_another(memory: Memory) -> None:
    @perdure.workflow
    def outer() -> list[Any]:
        number = perdure.receive(NUMBER)
        return [number, perdure.receive(WORD), perdure.receive(WORD)]

    with engine_of(memory.url, outer) as engine:
        handle = engine.start(outer)
        handle.send(WORD, "a")
        handle.send(WORD, "b")
        with engine.worker():
            await_running(handle)
            handle.send(NUMBER, 1)
            assert result_of(handle) == [1, "a", "b"]


def await_running(handle: perdure.Handle[Any]) -> None:
    """Wait until a worker has taken it."""
    until(lambda: handle.record().epoch)


@LINGERS
def test_branches_that_wait_for_one_topic_share_its_messages(
    memory: Memory, linger: timedelta
) -> None:
    async def branch() -> list[str]:
        return [await perdure.areceive(WORD), await perdure.areceive(WORD)]

    @perdure.workflow
    async def outer() -> list[list[str]]:
        return list(await asyncio.gather(branch(), branch()))

    with engine_of(memory.url, outer, linger=linger) as engine, engine.worker():
        handle = engine.start(outer)
        for word in "abcd":
            handle.send(WORD, word)
        first, second = result_of(handle)
        assert sorted(first + second) == ["a", "b", "c", "d"]
        assert first == sorted(first)
        assert second == sorted(second)


@READERS
def test_a_message_that_was_received_is_received_again_at_a_replay(
    memory: Memory, workflow: Any
) -> None:
    with engine_of(memory.url, workflow, linger=HOUR) as engine:
        with engine.worker():
            handle = started(engine, workflow, 3)
            handle.send(WORD, "a")
            until(lambda: len(handle.steps()) == 1)
        handle.send(WORD, "b")
        with engine.worker():
            until(lambda: len(handle.steps()) == 2)
        handle.send(WORD, "c")
        with engine.worker():
            assert result_of(handle) == ["a", "b", "c"]
        assert handle.record().epoch == 3


# --------------------------------------------------------------------- types


def test_none_is_a_message(memory: Memory) -> None:
    @perdure.workflow
    def outer() -> list[int | None]:
        return [perdure.receive(MAYBE, timeout=HOUR, default=-1) for _ in range(2)]

    with serving(memory.url, outer) as engine:
        handle = engine.start(outer)
        handle.send(MAYBE, None)
        handle.send(MAYBE, 7)
        assert result_of(handle) == [None, 7]


def test_a_message_arrives_as_what_its_topic_says(memory: Memory) -> None:
    @perdure.workflow
    def outer() -> str:
        decision = perdure.receive(APPROVAL)
        return f"{type(decision).__name__} by {decision.by}"

    with serving(memory.url, outer) as engine:
        handle = engine.start(outer)
        handle.send(APPROVAL, Decision("approve", by="grace"))
        assert result_of(handle) == "Decision by grace"


def test_a_message_of_another_type_is_refused_where_it_is_received(memory: Memory) -> None:
    text: perdure.Topic[str] = perdure.Topic("number", str)  # the same topic, another type

    @perdure.workflow
    def outer() -> list[Any]:
        try:
            perdure.receive(NUMBER)
        except perdure.SerializationError as error:
            return [type(error).__name__, perdure.receive(NUMBER)]
        return []

    with engine_of(memory.url, outer, linger=NO_LINGER) as engine, engine.worker():
        handle = engine.start(outer)
        handle.send(text, "no number")
        until(lambda: len(handle.steps()) == 1)
        await_waiting(handle)
        handle.send(NUMBER, 2)
        assert result_of(handle) == ["SerializationError", 2]


def test_a_message_that_cannot_become_json_is_not_sent(memory: Memory) -> None:
    anything: perdure.Topic[Any] = perdure.Topic("anything", Any)
    with engine_of(memory.url, reader) as engine:
        handle = engine.start(reader, 1)
        with pytest.raises(perdure.SerializationError):
            handle.send(anything, object())
    assert not memory.store.messages[handle.id]


def test_a_topics_name_must_be_one_that_can_be_stored() -> None:
    for name in ("", "x" * 5000, "nul\0"):
        with pytest.raises(perdure.PerdureError):
            perdure.Topic(name, str)


# ------------------------------------------------------------------- timeout


@pytest.mark.parametrize("colour", ["sync", "async"])
@LINGERS
def test_a_timeout_gives_the_default_or_raises(
    memory: Memory, colour: str, linger: timedelta
) -> None:
    @perdure.workflow
    def outer() -> list[str]:
        seen = [perdure.receive(WORD, timeout=SOON, default="nothing")]
        try:
            perdure.receive(WORD, timeout=SOON)
        except perdure.WaitTimeout as error:
            seen.append(str(error))
        return seen

    @perdure.workflow
    async def aouter() -> list[str]:
        seen = [await perdure.areceive(WORD, timeout=SOON, default="nothing")]
        try:
            await perdure.areceive(WORD, timeout=SOON)
        except perdure.WaitTimeout as error:
            seen.append(str(error))
        return seen

    workflow: Any = outer if colour == "sync" else aouter
    with engine_of(memory.url, workflow, linger=linger) as engine, engine.worker():
        first, second = result_of(started(engine, workflow))
    assert first == "nothing"
    assert second == "a message on topic 'word' did not come within 0:00:00.030000"


def test_none_may_be_the_default(memory: Memory) -> None:
    @perdure.workflow
    def outer() -> bool:
        return perdure.receive(WORD, timeout=timedelta(0), default=None) is None

    assert ran(memory.url, outer.bind())


def test_a_timeout_stays_one_at_a_replay_though_the_message_has_come(memory: Memory) -> None:
    door = Door()

    @perdure.step
    def hold() -> None:
        door.pass_through()

    @perdure.workflow
    def outer() -> list[str]:
        early = perdure.receive(WORD, timeout=timedelta(0), default="nothing")
        hold()
        return [early, perdure.receive(WORD)]

    with engine_of(memory.url, outer) as engine:
        with engine.worker(grace=AT_ONCE):
            handle = engine.start(outer)
            door.await_somebody()
            handle.send(WORD, "late")
        door.opened.set()
        with engine.worker():
            assert result_of(handle) == ["nothing", "late"]


def test_a_timeout_counts_from_when_the_workflow_came_there_first(memory: Memory) -> None:
    @perdure.workflow
    def outer() -> str:
        return perdure.receive(WORD, timeout=HOUR, default="nothing")

    with engine_of(memory.url, outer, linger=NO_LINGER) as engine:
        with engine.worker():
            handle = engine.start(outer)
            await_waiting(handle)
        memory.forward(HOUR)
        with engine.worker():
            assert result_of(handle) == "nothing"


def test_what_came_in_time_counts_however_late_somebody_looks(memory: Memory) -> None:
    @perdure.workflow
    def outer() -> str:
        return perdure.receive(WORD, timeout=HOUR, default="nothing")

    with engine_of(memory.url, outer, linger=NO_LINGER) as engine:
        with engine.worker():
            handle = engine.start(outer)
            await_waiting(handle)
        handle.send(WORD, "in time")
        memory.forward(2 * HOUR)
        with engine.worker():
            assert result_of(handle) == "in time"


def test_a_message_that_came_before_the_workflow_has_no_timeout(memory: Memory) -> None:
    @perdure.workflow
    def outer() -> str:
        return perdure.receive(WORD, timeout=timedelta(0), default="nothing")

    with engine_of(memory.url, outer) as engine:
        handle = engine.start(outer)
        handle.send(WORD, "early")
        with engine.worker():
            assert result_of(handle) == "early"
