"""What a call means, by the place where it stands."""

import asyncio
import contextvars
import functools
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import perdure

from .places import (
    MAIL,
    NEWS,
    SOON,
    ainner,
    aplain,
    call,
    in_async_step,
    in_async_workflow,
    in_step,
    in_workflow,
    inner,
    plain,
)
from .support import WITHIN, engine_of, ran, serving

# ----------------------------------------------------------------- outside


def test_outside_a_workflow_a_step_is_the_plain_function() -> None:
    assert plain("a") == "<a>"
    assert asyncio.run(aplain("a")) == "<a>"


def test_outside_a_workflow_acall_runs_a_step_of_either_colour() -> None:
    async def both() -> list[str]:
        return [await plain.acall("a"), await aplain.acall("b")]

    assert asyncio.run(both()) == ["<a>", "<b>"]


def test_outside_a_workflow_submit_has_no_meaning() -> None:
    with pytest.raises(perdure.NotInWorkflow, match="plain"):
        plain.submit("a")


def test_a_workflow_called_directly_is_the_plain_function() -> None:
    assert inner() == "<inner>"
    assert asyncio.run(ainner()) == "<inner>"


def test_a_workflow_called_directly_beside_an_open_engine_warns(sqlite_url: str) -> None:
    warned = pytest.warns(perdure.NothingRecorded, match=r"engine\.start\(inner, …\)")
    with engine_of(sqlite_url), warned as caught:
        assert inner() == "<inner>"

    assert caught[0].filename == __file__
    assert inner() == "<inner>"  # and not any more when it is closed


@pytest.mark.parametrize(
    "verb",
    [
        lambda: perdure.sleep(SOON),
        lambda: perdure.sleep_until(datetime.now(UTC)),
        lambda: perdure.asleep(SOON),
        lambda: perdure.asleep_until(datetime.now(UTC)),
        lambda: perdure.receive(MAIL),
        lambda: perdure.areceive(MAIL),
        lambda: NEWS.set("x"),
        lambda: perdure.start_child(inner),
        lambda: perdure.start_children([inner.bind()]),
        lambda: perdure.compensate(plain, "x"),
        lambda: perdure.shield().__enter__(),
        perdure.current_workflow,
        perdure.current_step,
    ],
)
def test_outside_a_workflow_its_verbs_have_no_meaning(verb: Callable[[], Any]) -> None:
    with pytest.raises(perdure.NotInWorkflow):
        verb()


def test_outside_a_workflow_time_and_chance_are_ordinary() -> None:
    assert abs(perdure.now() - datetime.now(UTC)) < timedelta(seconds=5)
    assert perdure.now().tzinfo is UTC
    assert perdure.uuid4() != perdure.uuid4()
    assert perdure.random().random() != perdure.random().random()


# ---------------------------------------------------------- sync workflows


def test_in_a_sync_workflow_a_sync_step_is_recorded(sqlite_url: str) -> None:
    with serving(sqlite_url, inner) as engine:
        handle = engine.start(inner)
        assert handle.result(timeout=WITHIN) == "<inner>"
        assert [(s.seq, s.name, s.output(str)) for s in handle.steps()] == [(1, "plain", "<inner>")]


def test_in_a_sync_workflow_an_async_step_is_submitted(sqlite_url: str) -> None:
    with pytest.raises(perdure.UsageError, match=r"aplain\.submit\(…\)\.result\(\)"):
        in_workflow(sqlite_url, lambda: aplain("a"))
    assert in_workflow(sqlite_url, lambda: aplain.submit("a").result()) == "<a>"


def test_in_a_sync_workflow_acall_is_refused(sqlite_url: str) -> None:
    with pytest.raises(perdure.UsageError, match=r"plain\(…\)"):
        in_workflow(sqlite_url, lambda: plain.acall("a"))


def test_in_a_sync_workflow_async_sleep_is_refused(sqlite_url: str) -> None:
    with pytest.raises(perdure.UsageError, match="sleep"):
        in_workflow(sqlite_url, lambda: perdure.asleep(SOON))


def test_in_a_sync_workflow_sleep_is_durable(sqlite_url: str) -> None:
    @perdure.workflow
    def dozing() -> None:
        perdure.sleep(SOON)
        perdure.sleep_until(perdure.now() - timedelta(days=1))

    with serving(sqlite_url, dozing) as engine:
        handle = engine.start(dozing)
        handle.result(timeout=WITHIN)
        assert [step.kind for step in handle.steps()] == ["sleep", "now", "sleep"]


# --------------------------------------------------------- async workflows


def test_in_an_async_workflow_a_sync_steps_call_is_refused_at_once(sqlite_url: str) -> None:
    with pytest.raises(perdure.BlockingCall, match=r"await plain\.acall\(…\)"):
        in_async_workflow(sqlite_url, lambda: call(lambda: plain("a")))


def test_in_an_async_workflow_steps_of_either_colour_are_recorded(sqlite_url: str) -> None:
    @perdure.workflow
    async def both() -> list[str]:
        return [await plain.acall("a"), await aplain("b"), await aplain.acall("c")]

    with serving(sqlite_url, both) as engine:
        handle = engine.start(both)
        assert handle.result(timeout=WITHIN) == ["<a>", "<b>", "<c>"]
        assert [(s.seq, s.name) for s in handle.steps()] == [
            (1, "plain"),
            (2, "aplain"),
            (3, "aplain"),
        ]


def test_in_an_async_workflow_submit_is_refused(sqlite_url: str) -> None:
    with pytest.raises(perdure.UsageError, match=r"asyncio\.create_task\(plain\.acall\(…\)\)"):
        in_async_workflow(sqlite_url, lambda: call(lambda: plain.submit("a")))


@pytest.mark.parametrize(
    ("verb", "twin"),
    [
        (lambda: perdure.sleep(SOON), "asleep"),
        (lambda: perdure.sleep_until(datetime.now(UTC)), "asleep_until"),
    ],
)
def test_in_an_async_workflow_a_blocking_sleep_names_its_twin(
    sqlite_url: str, verb: Callable[[], Any], twin: str
) -> None:
    with pytest.raises(perdure.BlockingCall, match=rf"await perdure\.{twin}\(…\)"):
        in_async_workflow(sqlite_url, lambda: call(verb))


def test_in_an_async_workflow_sleep_is_durable(sqlite_url: str) -> None:
    @perdure.workflow
    async def dozing() -> None:
        await perdure.asleep(SOON)
        await perdure.asleep_until(perdure.now() - timedelta(days=1))

    with serving(sqlite_url, dozing) as engine:
        handle = engine.start(dozing)
        handle.result(timeout=WITHIN)
        assert [step.kind for step in handle.steps()] == ["sleep", "now", "sleep"]


# ------------------------------------------------------------ inside steps


def test_in_a_step_other_steps_are_part_of_it(sqlite_url: str) -> None:
    @perdure.step
    def around() -> str:
        return plain("a")

    @perdure.step
    async def aaround() -> str:
        return await aplain("b") + await plain.acall("c")

    @perdure.workflow
    async def outer() -> str:
        return await around.acall() + await aaround()

    with serving(sqlite_url, outer) as engine:
        handle = engine.start(outer)
        assert handle.result(timeout=WITHIN) == "<a><b><c>"
        assert [step.name.rpartition(".")[2] for step in handle.steps()] == ["around", "aaround"]


def test_in_a_step_the_verbs_of_workflows_have_no_meaning(sqlite_url: str) -> None:
    for verb in (lambda: perdure.sleep(SOON), lambda: plain.submit("a")):
        with pytest.raises(perdure.NotInWorkflow):
            in_step(sqlite_url, verb)
    with pytest.raises(perdure.NotInWorkflow):
        in_async_step(sqlite_url, lambda: perdure.asleep(SOON))


def test_in_a_step_time_and_chance_are_ordinary(sqlite_url: str) -> None:
    def look() -> list[str]:
        return [str(perdure.uuid4()), str(perdure.random().random()), str(perdure.now())]

    once, twice = in_step(sqlite_url, look), in_step(sqlite_url, look)

    assert not set(once) & set(twice)


def test_in_a_step_the_workflow_is_known(sqlite_url: str) -> None:
    @perdure.step(name="look", timeout=timedelta(minutes=1))
    def look() -> list[Any]:
        step, workflow = perdure.current_step(), perdure.current_workflow()
        assert step.deadline is not None
        assert step.deadline > datetime.now(UTC)
        return [step.name, step.attempt, step.workflow_id == workflow.id, workflow.name]

    @perdure.workflow(name="looking")
    def looking() -> Any:
        return look()

    assert ran(sqlite_url, looking.bind()) == ["look", 1, True, "looking"]


def test_in_a_step_a_start_takes_its_id_from_the_step(sqlite_url: str) -> None:
    with engine_of(sqlite_url, inner) as engine:
        tries: list[list[str]] = []

        @perdure.step(retries=perdure.Retry(2, delay=timedelta(0)))
        def start() -> list[str]:
            started = [engine.start(inner).id, engine.start(inner).id]
            tries.append(started)
            if len(tries) == 1:
                raise OSError("once more")
            return started

        @perdure.workflow
        def outer() -> list[str]:
            return start()

        assert ran(sqlite_url, outer.bind().options(id="o")) == ["o#1/1", "o#1/2"]
        assert tries == [["o#1/1", "o#1/2"]] * 2


def test_in_a_step_a_result_may_be_waited_for(sqlite_url: str) -> None:
    with serving(sqlite_url, inner) as engine:

        def wait() -> str:
            return engine.start(inner).result(timeout=WITHIN)

        async def await_it() -> str:
            return await (await engine.astart(inner)).aresult(timeout=WITHIN)

        assert in_step(sqlite_url, wait) == "<inner>"
        assert in_async_step(sqlite_url, await_it) == "<inner>"


def test_in_an_async_step_a_blocking_verb_names_its_twin(sqlite_url: str) -> None:
    with engine_of(sqlite_url, inner) as engine:
        handle = engine.start(inner)
        for verb, twin in (
            (handle.result, r"handle\.aresult"),
            (handle.status, r"handle\.a(record|status)"),
            (lambda: engine.start(inner), r"engine\.astart"),
        ):
            with pytest.raises(perdure.BlockingCall, match=twin):
                in_async_step(sqlite_url, functools.partial(call, verb))


# ----------------------------------------------------- threads of the user's


def test_in_a_thread_without_the_context_a_step_is_plain(sqlite_url: str) -> None:
    def aside() -> list[Any]:
        seen: list[str] = []
        thread = threading.Thread(target=lambda: seen.append(plain("a")))
        thread.start()
        thread.join()
        return seen

    assert in_workflow(sqlite_url, aside) == ["<a>"]


def test_in_a_thread_with_the_context_of_a_sync_workflow_a_step_is_refused(sqlite_url: str) -> None:
    def aside() -> Any:
        context = contextvars.copy_context()
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(context.run, plain, "a").result()

    with pytest.raises(perdure.UsageError, match=r"step\.submit"):
        in_workflow(sqlite_url, aside)


@pytest.mark.parametrize(
    "call", [lambda: plain("a"), lambda: plain.acall("a"), perdure.now, perdure.uuid4]
)
def test_in_a_thread_with_the_context_of_an_async_workflow_a_step_is_refused(
    sqlite_url: str, call: Callable[[], Any]
) -> None:
    async def aside() -> Any:
        await asyncio.to_thread(call)

    with pytest.raises(perdure.UsageError):
        in_async_workflow(sqlite_url, aside)
