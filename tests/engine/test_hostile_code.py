"""Code that does what it should not: the worker lives on, the workflow ends, others do not notice."""

import asyncio
import gc
import logging
import time
from datetime import timedelta
from typing import Any

import pytest

import perdure
from perdure import loop

from .support import AT_ONCE, WITHIN, Door, engine_of, ran, serving, until


@perdure.workflow(name="hostile.greet")
async def greet(name: str) -> str:
    return f"hello {name}"


@perdure.workflow(name="hostile.sgreet")
def sgreet(name: str) -> str:
    return f"hello {name}"


def ends(url: str, workflow: perdure.Workflow[[], Any], match: str) -> None:
    """The workflow ends with an error; its worker goes on."""
    with serving(url, workflow, greet, sgreet, threads=2, grace=AT_ONCE) as engine:
        handle = engine.start(workflow)
        with pytest.raises((perdure.RemoteError, perdure.PerdureError), match=match) as caught:
            handle.result(timeout=WITHIN)
        assert not isinstance(caught.value, perdure.WaitTimeout)
        assert handle.status() is perdure.Status.ERROR
        for other in (greet, sgreet):
            assert engine.start(other, "ada").result(timeout=WITHIN) == "hello ada"


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), asyncio.CancelledError()])
def test_what_would_end_a_process_ends_the_workflow(sqlite_url: str, error: BaseException) -> None:
    @perdure.workflow
    def outer() -> None:
        raise error

    @perdure.workflow
    async def aouter() -> None:
        await asyncio.sleep(0)
        raise error

    for workflow in (outer, aouter):
        ends(sqlite_url, workflow, type(error).__name__)


@pytest.mark.parametrize("place", ["sync", "submit", "asubmit", "acall", "async", "timeout"])
@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt()], ids=["exit", "interrupt"])
def test_what_would_end_a_process_ends_the_step(
    sqlite_url: str, error: BaseException, place: str
) -> None:
    bodies: list[int] = []

    @perdure.step(retries=perdure.Retry(5, delay=timedelta(0)))
    def leave() -> None:
        bodies.append(1)
        raise error

    @perdure.step
    async def aleave() -> None:
        leave.fn()

    @perdure.workflow
    def outer() -> None:
        match place:
            case "sync":
                leave()
            case "timeout":
                leave.options(timeout=timedelta(minutes=1))()
            case "submit":
                leave.submit().result()
            case _:
                aleave.submit().result()

    @perdure.workflow
    async def aouter() -> None:
        await (leave.acall() if place == "acall" else aleave())

    ends(sqlite_url, aouter if place in {"acall", "async"} else outer, type(error).__name__)
    assert bodies == [1]


@pytest.mark.parametrize("gather", ["gather", "group", "task"])
def test_what_would_end_a_process_in_a_branch_ends_the_workflow(
    sqlite_url: str, gather: str
) -> None:
    async def leave() -> None:
        await asyncio.sleep(0)
        raise SystemExit(3)

    @perdure.workflow
    async def aouter() -> None:
        if gather == "gather":
            await asyncio.gather(leave())
        elif gather == "task":
            await asyncio.create_task(leave())
        else:
            async with asyncio.TaskGroup() as group:
                group.create_task(leave())

    ends(sqlite_url, aouter, "SystemExit|unhandled errors")


def test_a_step_that_raises_cancelled_error_ends_the_workflow(sqlite_url: str) -> None:
    @perdure.step
    def cancel() -> None:
        raise asyncio.CancelledError

    @perdure.step
    async def acancel() -> None:
        raise asyncio.CancelledError

    @perdure.workflow
    def outer() -> None:
        cancel()

    @perdure.workflow
    def submitting() -> None:
        acancel.submit().result()

    @perdure.workflow
    async def aouter() -> None:
        await cancel.acall()

    @perdure.workflow
    async def awaiting() -> None:
        await acancel()

    for workflow in (outer, submitting, aouter, awaiting):
        ends(sqlite_url, workflow, "CancelledError")


def test_a_workflow_that_cancels_itself_ends(sqlite_url: str) -> None:
    @perdure.workflow
    async def aouter() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(60)

    ends(sqlite_url, aouter, "CancelledError")


def test_a_task_that_is_left_behind_is_cancelled(sqlite_url: str) -> None:
    seen: list[str] = []

    async def stray() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            seen.append("unwound")

    @perdure.workflow
    async def aouter() -> str:
        kept.append(asyncio.create_task(stray()))
        await asyncio.sleep(0)
        return "done"

    kept: list[asyncio.Task[None]] = []
    with serving(sqlite_url, aouter) as engine:
        assert engine.start(aouter).result(timeout=WITHIN) == "done"
        until(lambda: seen == ["unwound"])


def test_a_step_of_a_task_that_is_left_behind_is_not_recorded(sqlite_url: str) -> None:
    door, seen = Door(), list[str]()

    @perdure.step(name="late")
    def late() -> None:
        door.pass_through()

    async def stray() -> None:
        try:
            await late.acall()
        finally:
            seen.append("unwound")

    kept: list[asyncio.Task[None]] = []

    @perdure.workflow
    async def aouter() -> str:
        kept.append(asyncio.create_task(stray()))
        await asyncio.sleep(0.01)
        return "done"

    with serving(sqlite_url, aouter) as engine:
        handle = engine.start(aouter)
        assert handle.result(timeout=WITHIN) == "done"
        door.opened.set()
        until(lambda: seen)
        assert handle.steps() == []


def test_code_that_refuses_to_unwind_keeps_no_worker(sqlite_url: str) -> None:
    tries: list[int] = []

    @perdure.workflow
    async def stubborn() -> None:
        while True:
            try:
                await perdure.asleep(timedelta(hours=1))
            except asyncio.CancelledError:
                tries.append(1)
                if len(tries) > 3:
                    raise

    with engine_of(sqlite_url, stubborn) as engine:
        with engine.worker():
            handle = engine.start(stubborn)
            until(lambda: len(tries) > 3)
        assert handle.status() is perdure.Status.WAITING


def test_code_that_swallows_everything_in_a_sync_workflow_is_a_ghost(sqlite_url: str) -> None:
    seen: list[str] = []

    @perdure.workflow
    def stubborn() -> str:
        for _ in range(3):
            try:
                perdure.sleep(timedelta(hours=1))
            except BaseException as error:  # noqa: BLE001 (that is what is tried)
                seen.append(type(error).__name__)
        return "the ghost's result"

    with engine_of(sqlite_url, stubborn) as engine:
        with engine.worker():
            handle = engine.start(stubborn)
            until(lambda: len(seen) == 3)
        assert handle.status() is perdure.Status.WAITING
        assert handle.steps() == []


def test_blocking_the_loop_is_told_and_named(
    sqlite_url: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "BLOCKED", 0.1)

    def told() -> list[str]:
        return [r.getMessage() for r in caplog.records if "blocked" in r.getMessage()]

    @perdure.workflow
    async def rude() -> None:
        block_the_loop()

    def block_the_loop() -> None:
        until(told)
        time.sleep(0.7)  # long enough for another heartbeat

    lease = {"lease": timedelta(seconds=1.5), "heartbeat": timedelta(seconds=0.3)}
    with engine_of(sqlite_url, rude, greet, **lease) as engine, engine.worker():
        engine.start(rude).result(timeout=WITHIN)
        assert engine.start(greet, "ada").result(timeout=WITHIN) == "hello ada"

    (said,) = told()
    assert "block_the_loop" in said
    assert "test_hostile_code.py" in said


def test_errors_nobody_can_make_sense_of_end_the_workflow(sqlite_url: str) -> None:
    class Unprintable(Exception):
        def __str__(self) -> str:
            raise ZeroDivisionError

        def __reduce__(self) -> Any:
            raise SystemExit

    @perdure.workflow
    def outer() -> None:
        raise Unprintable

    ends(sqlite_url, outer, "Unprintable")


def test_a_workflow_that_recurses_for_ever_ends(sqlite_url: str) -> None:
    @perdure.workflow
    def outer() -> int:
        def deeper(depth: int) -> int:
            return deeper(depth + 1) + 1

        return deeper(0)

    with pytest.raises(RecursionError):
        ran(sqlite_url, outer.bind())


def test_a_workflow_that_returns_a_coroutine_ends(sqlite_url: str) -> None:
    async def nothing() -> None: ...

    @perdure.workflow
    def outer() -> Any:
        return nothing()

    def run() -> None:
        ends(sqlite_url, outer, "coroutine")
        gc.collect()

    with pytest.warns(RuntimeWarning, match="never awaited"):
        run()


def test_asyncio_run_in_a_sync_workflow_is_no_way_around(sqlite_url: str) -> None:
    @perdure.step
    async def charge() -> str:
        return "charged"

    async def main() -> str:
        return await charge()

    @perdure.workflow
    def outer() -> str:
        return asyncio.run(main())

    with pytest.raises(perdure.UsageError, match="submit"):
        ran(sqlite_url, outer.bind())


def test_a_worker_with_many_failing_workflows_stays_quiet(
    sqlite_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)

    @perdure.workflow
    async def fails() -> None:
        raise ValueError("as workflows do")

    with serving(sqlite_url, fails) as engine:
        for handle in engine.start_many([fails.bind()] * 20):
            with pytest.raises(ValueError, match="as workflows do"):
                handle.result(timeout=WITHIN)
    assert caplog.records == []
