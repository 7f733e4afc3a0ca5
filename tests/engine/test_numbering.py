"""Steps get the same numbers in every run, whatever finishes first."""

import asyncio
import sys
from datetime import timedelta
from random import random

import pytest

import perdure

from .support import WITHIN, serving

RUNS = 30

Place = tuple[str, int, str]


@perdure.step
async def work(label: str) -> str:
    await asyncio.sleep(random() * 0.01)  # noqa: S311 (no secret)
    return label


@perdure.step
def toil(label: str) -> str:
    return label


async def line(label: str, length: int) -> str:
    await asyncio.sleep(random() * 0.01)  # noqa: S311 (no secret)
    return "".join([await work.options(name=f"{label}{i}")(label) for i in range(length)])


async def nested(label: str) -> None:
    await work.options(name=f"{label}0")(label)
    async with asyncio.TaskGroup() as group:
        for i in range(2):
            group.create_task(line(f"{label}.{i}.", 2))
    await toil.options(name=f"{label}1").acall(label)


@perdure.workflow
async def everything() -> None:
    await asyncio.gather(work.options(name="a")("a"), toil.options(name="b").acall("b"))
    await asyncio.gather(*(line(label, 2) for label in "cde"))
    async with asyncio.TaskGroup() as group:
        group.create_task(nested("f"))
        group.create_task(nested("g"))
    late = [asyncio.create_task(line(label, 1)) for label in "hi"]
    await work.options(name="j")("j")
    await asyncio.gather(*late)


@perdure.workflow
def submitting() -> list[str]:
    futures = [work.options(name=f"s{i}").submit(str(i)) for i in range(4)]
    between = toil.options(name="between")("!")
    futures += [toil.options(name=f"t{i}").submit(str(i)) for i in range(4)]
    return [between, *(future.result() for future in reversed(futures))]


def places(handle: perdure.Handle[object]) -> list[Place]:
    handle.result(timeout=WITHIN)
    return [(step.branch, step.seq, step.name) for step in handle.steps()]


def test_branches_of_plain_asyncio_are_numbered_alike_in_every_run(sqlite_url: str) -> None:
    with serving(sqlite_url, everything) as engine:
        runs = [places(handle) for handle in engine.start_many([everything.bind()] * RUNS)]

    first = runs[0]
    assert runs == [first] * RUNS
    assert len(first) == len(set(first)) == 23
    assert {("", 1, "a"), ("", 2, "b"), ("", 3, "j")} <= set(first)
    assert {("3", 1, "c0"), ("3", 2, "c1"), ("5", 2, "e1")} <= set(first)
    assert {("6", 1, "f0"), ("6.1", 1, "f.0.0"), ("6.2", 2, "f.1.1"), ("6", 2, "f1")} <= set(first)


def test_submitted_steps_are_numbered_at_the_call(sqlite_url: str) -> None:
    with serving(sqlite_url, submitting) as engine:
        runs = [places(handle) for handle in engine.start_many([submitting.bind()] * RUNS)]

    names = [*(f"s{i}" for i in range(4)), "between", *(f"t{i}" for i in range(4))]
    assert runs == [[("", i, name) for i, name in enumerate(names, 1)]] * RUNS


def test_a_step_called_and_awaited_later_keeps_its_number(sqlite_url: str) -> None:
    @perdure.workflow
    async def later() -> list[str]:
        first, second = work("1"), work("2")
        return [await second, await first]

    with serving(sqlite_url, later) as engine:
        handle = engine.start(later)
        assert handle.result(timeout=WITHIN) == ["2", "1"]
        assert [step.output(str) for step in handle.steps()] == ["1", "2"]


def test_tasks_inside_a_step_have_no_branch(sqlite_url: str) -> None:
    @perdure.step
    async def many() -> list[str]:
        return list(await asyncio.gather(work("a"), work("b")))

    @perdure.workflow
    async def outer() -> list[str]:
        return await many() + [await line("x", 1)]

    with serving(sqlite_url, outer) as engine:
        handle = engine.start(outer)
        assert handle.result(timeout=WITHIN) == ["a", "b", "x"]
        assert [(step.branch, step.seq) for step in handle.steps()] == [("", 1), ("", 2)]


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="wait_for makes no task any more")
def test_wait_for_around_a_step_is_warned_of(sqlite_url: str) -> None:
    @perdure.workflow
    async def hurried() -> str:
        return await asyncio.wait_for(work("a"), 10)

    with (
        serving(sqlite_url, hurried) as engine,
        pytest.warns(perdure.NonDeterministic, match=r"asyncio\.timeout"),
    ):
        engine.start(hurried).result(timeout=WITHIN)


def test_timeout_of_asyncio_around_a_step_is_not_warned_of(sqlite_url: str) -> None:
    @perdure.workflow
    async def hurried() -> str:
        async with asyncio.timeout(10):
            return await work("a")

    with serving(sqlite_url, hurried) as engine:
        handle = engine.start(hurried, delay=timedelta(0))
        assert handle.result(timeout=WITHIN) == "a"
