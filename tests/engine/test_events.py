"""Events: the latest value counts, for whoever asks, also after the end."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

import perdure

from .support import (
    AT_ONCE,
    HOUR,
    NO_LINGER,
    WITHIN,
    Door,
    Memory,
    await_value,
    await_waiting,
    engine_of,
    ran,
    result_of,
    serving,
    until,
)

STAGE: perdure.Event[str] = perdure.Event("stage", str)
OTHER: perdure.Event[int] = perdure.Event("other", int)
GO: perdure.Topic[str] = perdure.Topic("go", str)
SOON = timedelta(milliseconds=30)


@perdure.workflow(name="events.publisher")
def publisher(count: int) -> str:
    for i in range(count):
        STAGE.set(f"stage {i}")
    return "done"


@perdure.workflow(name="events.stepwise")
def stepwise() -> str:
    """Publishes what it is told; ends with `end`."""
    while (word := perdure.receive(GO)) != "end":
        STAGE.set(word)
    return "done"


def watching(target: perdure.Handle[Any], *, is_async: bool, **options: Any) -> Any:
    """A workflow that waits for the event of another one."""

    @perdure.workflow(name="events.watching")
    def watch() -> Any:
        return target.event(STAGE, **options)

    @perdure.workflow(name="events.watching")
    async def awatch() -> Any:
        return await target.aevent(STAGE, **options)

    return awatch if is_async else watch


COLOURS = pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
LINGERS = pytest.mark.parametrize("linger", [NO_LINGER, HOUR], ids=["outside", "inside"])


# --------------------------------------------------------------- from outside


def test_the_latest_value_counts_also_after_the_end(memory: Memory) -> None:
    with serving(memory.url, publisher) as engine:
        handle = engine.start(publisher, 3)
        result_of(handle)
        assert handle.event(STAGE, timeout=WITHIN) == "stage 2"


def test_a_value_is_there_while_the_workflow_goes_on(memory: Memory) -> None:
    with serving(memory.url, stepwise) as engine:
        handle = engine.start(stepwise)
        for word in ("a", "b"):
            handle.send(GO, word)
            await_value(handle, STAGE, word)
        handle.send(GO, "end")
        assert result_of(handle) == "done"


def test_who_asks_first_waits_for_the_first_value(memory: Memory) -> None:
    with engine_of(memory.url, publisher) as engine:
        handle = engine.start(publisher, 1)
        with pytest.raises(perdure.WaitTimeout, match=r"event 'stage' of .* within 0:00:00\.03"):
            handle.event(STAGE, timeout=SOON)
        with engine.worker():
            assert handle.event(STAGE, timeout=WITHIN) == "stage 0"


def test_a_default_is_given_when_nothing_comes_in_time(memory: Memory) -> None:
    with engine_of(memory.url, publisher) as engine:
        handle = engine.start(publisher, 0)
        assert handle.event(STAGE, timeout=SOON, default="?") == "?"
        assert handle.event(STAGE, timeout=SOON, default=None) is None


def test_who_ends_without_publishing_keeps_nobody_waiting(memory: Memory) -> None:
    with serving(memory.url, publisher) as engine:
        handle = engine.start(publisher, 0)
        assert handle.event(STAGE, default="none") == "none"
        with pytest.raises(perdure.WorkflowFinished, match="success, without event 'stage'"):
            handle.event(STAGE)


def test_an_unknown_workflow_publishes_nothing(memory: Memory) -> None:
    with engine_of(memory.url, publisher) as engine, pytest.raises(perdure.WorkflowNotFound):
        engine.handle("nobody").event(STAGE, default="none")


def test_a_value_of_another_type_is_refused(memory: Memory) -> None:
    text: perdure.Event[int] = perdure.Event("stage", int)
    with serving(memory.url, publisher) as engine:
        handle = engine.start(publisher, 1)
        result_of(handle)
        with pytest.raises(perdure.SerializationError):
            handle.event(text, timeout=WITHIN)


def test_async_code_sees_the_same(memory: Memory) -> None:
    async def main(handle: perdure.Handle[str]) -> list[str]:
        return [
            await handle.aevent(STAGE, timeout=WITHIN),
            await handle.aevent(perdure.Event("never", str), timeout=SOON, default="none"),
        ]

    with serving(memory.url, stepwise) as engine:
        handle = engine.start(stepwise)
        handle.send(GO, "on")
        assert asyncio.run(main(handle)) == ["on", "none"]


# ------------------------------------------------------------- publishing it


def test_a_value_that_cannot_become_json_is_refused_where_it_is_set(memory: Memory) -> None:
    anything: perdure.Event[Any] = perdure.Event("anything", Any)

    @perdure.workflow
    def outer() -> None:
        anything.set(object())

    with pytest.raises(perdure.SerializationError):
        ran(memory.url, outer.bind())


def test_a_value_is_not_published_in_a_step(memory: Memory) -> None:
    @perdure.step
    def publish() -> None:
        STAGE.set("x")

    @perdure.workflow
    def outer() -> None:
        publish()

    with pytest.raises(perdure.NotInWorkflow, match=r"stage\.set"):
        ran(memory.url, outer.bind())


@COLOURS
def test_what_is_published_is_not_published_again_at_a_replay(
    memory: Memory, *, is_async: bool
) -> None:
    door = Door()

    @perdure.step
    def hold() -> None:
        door.pass_through()

    @perdure.workflow
    def outer() -> None:
        STAGE.set("first")
        STAGE.set("second")
        hold()

    @perdure.workflow
    async def aouter() -> None:
        STAGE.set("first")
        STAGE.set("second")
        await hold.acall()

    workflow: Any = aouter if is_async else outer
    with engine_of(memory.url, workflow) as engine:
        with engine.worker(grace=AT_ONCE):
            handle = engine.start(workflow)
            door.await_somebody()
        before = handle.steps()
        assert [step.output_json for step in before] == ['"first"', '"second"']
        door.opened.set()
        with engine.worker():
            result_of(handle)
        assert handle.steps()[:2] == before
        assert handle.event(STAGE, timeout=WITHIN) == "second"


def test_a_value_is_durable_before_the_next_step_begins(memory: Memory) -> None:
    seen: list[str] = []

    @perdure.step
    def look() -> None:
        seen.append(engine.handle("w").event(STAGE, timeout=WITHIN))

    @perdure.workflow
    def outer() -> None:
        STAGE.set("set")
        look()

    with serving(memory.url, outer) as engine:
        result_of(engine.start(outer, id="w"))
    assert seen == ["set"]


def test_branches_that_publish_are_told_apart_by_time(memory: Memory) -> None:
    @perdure.step
    async def work(text: str) -> str:
        return text

    async def branch(label: str) -> None:
        for i in range(3):
            STAGE.set(await work(f"{label}{i}"))

    @perdure.workflow
    async def outer() -> None:
        await asyncio.gather(branch("a"), branch("b"))
        STAGE.set("last")

    with serving(memory.url, outer) as engine:
        handle = engine.start(outer)
        result_of(handle)
        assert handle.event(STAGE, timeout=WITHIN) == "last"


# ------------------------------------------------------ from other workflows


@COLOURS
@LINGERS
def test_a_workflow_waits_for_the_event_of_another(
    memory: Memory, *, is_async: bool, linger: timedelta
) -> None:
    with serving(memory.url, stepwise) as engine:
        target = engine.start(stepwise)
        watch = watching(target, is_async=is_async)
        with engine_of(memory.url, watch, linger=linger) as second, second.worker():
            handle = second.start(watch)
            if linger is NO_LINGER:
                await_waiting(handle)
            target.send(GO, "on")
            assert result_of(handle) == "on"


@COLOURS
def test_what_a_workflow_saw_it_sees_again_at_a_replay(memory: Memory, *, is_async: bool) -> None:
    with engine_of(memory.url, stepwise, linger=NO_LINGER) as engine, engine.worker():
        target = engine.start(stepwise)

        @perdure.workflow(name="twice")
        def outer() -> list[str]:
            return [target.event(STAGE), perdure.receive(GO), target.event(STAGE)]

        @perdure.workflow(name="twice")
        async def aouter() -> list[str]:
            return [
                await target.aevent(STAGE),
                await perdure.areceive(GO),
                await target.aevent(STAGE),
            ]

        workflow: Any = aouter if is_async else outer
        with engine_of(memory.url, workflow, linger=NO_LINGER) as second, second.worker():
            handle: perdure.Handle[Any] = second.start(workflow)
            target.send(GO, "first")
            until(handle.steps)
            target.send(GO, "second")
            await_value(target, STAGE, "second")
            handle.send(GO, "on")
            assert result_of(handle) == ["first", "on", "second"]


@COLOURS
def test_a_workflow_that_waits_in_vain_gets_the_default(memory: Memory, *, is_async: bool) -> None:
    with serving(memory.url, stepwise) as engine:
        target = engine.start(stepwise)
        watch = watching(target, is_async=is_async, timeout=SOON, default="none")
        assert ran(memory.url, watch.bind()) == "none"
        assert target.status() is not perdure.Status.SUCCESS


@COLOURS
def test_a_workflow_is_told_when_the_other_ends_without_publishing(
    memory: Memory, *, is_async: bool
) -> None:
    with engine_of(memory.url, stepwise, linger=NO_LINGER) as engine, engine.worker():
        target = engine.start(stepwise)
        watch = watching(target, is_async=is_async)
        with engine_of(memory.url, watch, linger=NO_LINGER) as second, second.worker():
            handle: perdure.Handle[Any] = second.start(watch)
            await_waiting(handle)
            target.send(GO, "end")
            with pytest.raises(perdure.WorkflowFinished, match="success, without event 'stage'"):
                result_of(handle)


@COLOURS
def test_what_the_other_published_at_its_very_end_is_seen(
    memory: Memory, *, is_async: bool
) -> None:
    @perdure.workflow
    def late() -> None:
        perdure.receive(GO)
        STAGE.set("at last")

    with engine_of(memory.url, late, linger=NO_LINGER) as engine, engine.worker():
        target = engine.start(late)
        watch = watching(target, is_async=is_async)
        with engine_of(memory.url, watch) as second, second.worker():
            handles: list[perdure.Handle[Any]] = second.start_many([watch.bind()] * 10)
            until(lambda: all(handle.record().epoch for handle in handles))
            target.send(GO, "on")
            assert [result_of(handle) for handle in handles] == ["at last"] * 10


@COLOURS
def test_the_event_of_an_unknown_workflow_is_an_error_in_a_workflow(
    memory: Memory, *, is_async: bool
) -> None:
    with engine_of(memory.url) as engine:
        watch = watching(engine.handle("nobody"), is_async=is_async, default="none")
        with pytest.raises(perdure.WorkflowNotFound, match="nobody"):
            ran(memory.url, watch.bind())


def test_a_workflow_may_wait_for_another_event_than_the_one_that_comes(memory: Memory) -> None:
    @perdure.workflow
    def noisy() -> None:
        for i in range(5):
            STAGE.set(str(i))
            perdure.receive(GO)
        OTHER.set(42)

    with engine_of(memory.url, noisy, linger=NO_LINGER) as engine, engine.worker():
        target = engine.start(noisy)

        @perdure.workflow
        def outer() -> int:
            return target.event(OTHER)

        with engine_of(memory.url, outer, linger=NO_LINGER) as second, second.worker():
            handle = second.start(outer)
            await_waiting(handle)
            for i in range(5):
                await_value(target, STAGE, str(i))
                target.send(GO, "on")
            assert result_of(handle) == 42


def test_events_are_waited_for_on_postgresql(postgres_url: str) -> None:
    with engine_of(postgres_url, stepwise, linger=NO_LINGER) as engine, engine.worker():
        target = engine.start(stepwise)
        watch = watching(target, is_async=False)
        with engine_of(postgres_url, watch, linger=NO_LINGER) as second, second.worker():
            handle: perdure.Handle[Any] = second.start(watch)
            await_waiting(handle)
            target.send(GO, "on")
            assert result_of(handle) == "on"
        target.send(GO, "end")
        assert result_of(target) == "done"
        assert target.event(STAGE, timeout=WITHIN) == "on"
