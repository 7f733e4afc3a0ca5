"""Children by the thousand: started in batches, waited for page by page, or for the first."""

from datetime import timedelta
from typing import Any

import pytest

import perdure
from perdure import children

from .family import COLOURS, GO, KNOWN, LINGERS, Declined, adouble, double, fail, run, wait
from .support import (
    NO_LINGER,
    WITHIN,
    Memory,
    engine_of,
    result_of,
    serving,
    until,
)


@COLOURS
def test_a_thousand_children_are_started_in_batches_and_come_back_in_order(
    memory: Memory, *, is_async: bool
) -> None:
    @perdure.workflow
    def outer() -> list[int]:
        return list(perdure.results(perdure.start_children([double.bind(i) for i in range(1000)])))

    @perdure.workflow
    async def aouter() -> list[int]:
        handles = await perdure.astart_children([adouble.bind(i) for i in range(1000)])
        return [value async for value in perdure.aresults(handles)]

    workflow: Any = aouter if is_async else outer
    with serving(memory.url, workflow, *KNOWN) as engine:
        parent: perdure.Handle[Any] = engine.start(workflow)
        assert parent.result(timeout=3 * WITHIN) == [2 * i for i in range(1000)]
        assert [step.kind for step in parent.steps()] == ["child"] + ["results"] * 5


@COLOURS
def test_results_are_read_page_by_page(
    memory: Memory, monkeypatch: pytest.MonkeyPatch, *, is_async: bool
) -> None:
    monkeypatch.setattr(children, "PAGE", 3)

    @perdure.workflow
    def outer() -> list[int]:
        handles = perdure.start_children([double.bind(i) for i in range(6)])
        slow: Any = perdure.start_child(wait)
        later = perdure.results([*handles, slow])
        return [next(later) for _ in range(6)]  # who has not ended is on a later page

    @perdure.workflow
    async def aouter() -> list[int]:
        handles = await perdure.astart_children([double.bind(i) for i in range(6)])
        slow: Any = await perdure.astart_child(wait)
        later = perdure.aresults([*handles, slow])
        return [await anext(later) for _ in range(6)]

    assert run(memory, aouter if is_async else outer) == [2 * i for i in range(6)]


@COLOURS
def test_results_raise_the_first_error_or_give_all_that_were_raised(
    memory: Memory, *, is_async: bool
) -> None:
    calls = [double.bind(1), fail.bind("a"), fail.bind("b"), double.bind(2)]

    @perdure.workflow
    def outer() -> list[str]:
        handles = perdure.start_children(calls)
        seen = [repr(one) for one in perdure.results(handles, return_exceptions=True)]
        try:
            seen += [str(one) for one in perdure.results(handles)]
        except Declined as error:
            seen.append(f"raised {error}")
        return seen

    @perdure.workflow
    async def aouter() -> list[str]:
        handles = await perdure.astart_children(calls)
        seen = [repr(one) async for one in perdure.aresults(handles, return_exceptions=True)]
        try:
            seen += [str(one) async for one in perdure.aresults(handles)]
        except Declined as error:
            seen.append(f"raised {error}")
        return seen

    assert run(memory, aouter if is_async else outer) == [
        "2",
        "Declined('a')",
        "Declined('b')",
        "4",
        "raised a",
    ]


def test_the_results_of_nobody_are_none(memory: Memory) -> None:
    @perdure.workflow
    def outer() -> list[int]:
        return list(perdure.results(perdure.start_children([double.bind(1)][:0])))

    assert run(memory, outer) == []


@COLOURS
@LINGERS
def test_the_first_that_ends_is_the_first_also_at_a_replay(
    memory: Memory, *, is_async: bool, linger: timedelta
) -> None:
    @perdure.workflow
    def outer() -> list[str]:
        handles = perdure.start_children([wait.bind()] * 3)
        winner = perdure.first(handles)
        return [winner.id, winner.result(), perdure.receive(GO)]

    @perdure.workflow
    async def aouter() -> list[str]:
        handles = await perdure.astart_children([wait.bind()] * 3)
        winner = await perdure.afirst(handles)
        return [winner.id, await winner.aresult(), await perdure.areceive(GO)]

    workflow: Any = aouter if is_async else outer
    with engine_of(memory.url, workflow, *KNOWN, linger=linger) as engine, engine.worker():
        parent: perdure.Handle[Any] = engine.start(workflow, id="w")
        until(parent.steps)
        engine.handle("w/1.1").send(GO, "second")
        until(lambda: len(parent.steps()) == 3)
        for other in ("w/1", "w/1.2"):
            engine.handle(other).send(GO, "too late")
        parent.send(GO, "on")
        assert result_of(parent) == ["w/1.1", "second", "on"]


@COLOURS
def test_the_first_is_waited_for_in_time(memory: Memory, *, is_async: bool) -> None:
    soon = timedelta(milliseconds=30)

    @perdure.workflow
    def outer() -> str:
        perdure.first([perdure.start_child(wait)], timeout=soon)
        return "not raised"

    @perdure.workflow
    async def aouter() -> str:
        await perdure.afirst([await perdure.astart_child(wait)], timeout=soon)
        return "not raised"

    with pytest.raises(perdure.WaitTimeout, match="first end of 1 workflows"):
        run(memory, aouter if is_async else outer, linger=NO_LINGER)


def test_there_is_no_first_of_nobody(memory: Memory) -> None:
    @perdure.workflow
    def outer() -> None:
        perdure.first([])

    with pytest.raises(perdure.UsageError, match="no first"):
        run(memory, outer)


@pytest.mark.parametrize("args", [("x",), (), (1, 2)], ids=["type", "missing", "more"])
def test_arguments_that_do_not_fit_are_refused_where_the_child_is_started(
    memory: Memory, args: tuple[Any, ...]
) -> None:
    child: Any = double

    @perdure.workflow
    def outer() -> None:
        perdure.start_child(child, *args)

    with pytest.raises((perdure.InvalidArguments, perdure.SerializationError)):
        run(memory, outer)


def test_a_child_defined_in_a_function_is_served_by_a_worker_that_serves_all(
    memory: Memory,
) -> None:
    @perdure.workflow
    def inner() -> str:
        return "inner"

    @perdure.workflow
    def outer() -> str:
        return perdure.start_child(inner).result(timeout=timedelta(seconds=3))

    with perdure.Engine(memory.url, migrate=True) as engine, engine.worker():
        assert result_of(engine.start(outer)) == "inner"
