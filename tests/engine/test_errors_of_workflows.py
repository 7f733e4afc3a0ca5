"""What a workflow or a step raises reaches the caller, and is on the first run what it is on replay."""

import asyncio
import sys
import types
from collections.abc import Callable
from typing import Any

import attrs
import pytest

import perdure

from .support import AT_ONCE, WITHIN, Door, engine_of, ran


class CardDeclined(Exception):
    def __init__(self, code: int, card: str) -> None:
        super().__init__(code, card)
        self.code, self.card = code, card


@attrs.frozen
class Receipt:
    id: str
    parts: tuple[int, ...]


def failing(error: BaseException) -> perdure.Workflow[[], None]:
    @perdure.workflow
    def outer() -> None:
        raise error

    return outer


def test_a_workflows_own_error_reaches_the_caller_as_what_it_was(sqlite_url: str) -> None:
    with pytest.raises(CardDeclined) as caught:
        ran(sqlite_url, failing(CardDeclined(51, "ada")).bind())

    assert (caught.value.code, caught.value.card) == (51, "ada")
    assert any("In workflow" in note for note in caught.value.__notes__)


def test_an_error_that_cannot_be_imported_is_remote(sqlite_url: str) -> None:
    class Local(Exception):
        pass

    with pytest.raises(perdure.RemoteError) as caught:
        ran(sqlite_url, failing(Local("here only")).bind())

    assert caught.value.type.endswith("Local")
    assert caught.value.message == "here only"
    assert "Traceback" in caught.value.traceback


def test_an_error_whose_module_is_gone_is_remote(sqlite_url: str) -> None:
    module = types.ModuleType("perdure_tests_shop")

    class OutOfStock(Exception):
        pass

    OutOfStock.__module__, OutOfStock.__qualname__ = module.__name__, "OutOfStock"
    vars(module)["OutOfStock"] = OutOfStock
    sys.modules[module.__name__] = module
    try:
        with engine_of(sqlite_url, workflow := failing(OutOfStock("book"))) as engine:
            with engine.worker():
                handle = engine.start(workflow)
                with pytest.raises(OutOfStock, match="book"):
                    handle.result(timeout=WITHIN)
            del sys.modules[module.__name__]
            with pytest.raises(perdure.RemoteError, match=r"perdure_tests_shop\.OutOfStock: book"):
                handle.result(timeout=WITHIN)
    finally:
        sys.modules.pop(module.__name__, None)


def test_a_group_of_errors_reaches_the_caller(sqlite_url: str) -> None:
    @perdure.step
    async def fail(number: int) -> None:
        raise ValueError(number)

    @perdure.workflow
    async def outer() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(fail(1))
            group.create_task(fail(2))

    with pytest.raises(ExceptionGroup, match="TaskGroup") as caught:
        ran(sqlite_url, outer.bind())
    assert {type(error) for error in caught.value.exceptions} == {ValueError}


def both_runs(url: str, call: Callable[[], Any], show: Callable[[Any], str]) -> tuple[str, str]:
    """What the workflow's code sees of a step at the first run and at the replay."""
    door = Door()
    seen: list[str] = []

    @perdure.step
    def hold() -> None:
        door.pass_through()

    @perdure.workflow
    def outer() -> None:
        try:
            seen.append(show(call()))
        except Exception as error:  # noqa: BLE001 (that is what is looked at)
            seen.append(show(error))
        hold()

    with engine_of(url, outer) as engine:
        with engine.worker(grace=AT_ONCE):
            handle = engine.start(outer)
            door.await_somebody()
        door.opened.set()
        with engine.worker():
            handle.result(timeout=WITHIN)
    first, again = seen
    return first, again


def test_values_have_the_same_form_at_the_first_run_and_at_replay(sqlite_url: str) -> None:
    @perdure.step
    def typed() -> Receipt:
        return Receipt("r", (1, 2))

    @perdure.step
    def pairs() -> tuple[int, set[str]]:
        return (1, {"a"})

    @perdure.step
    def untyped() -> Any:
        return {"a": (2, 3)}

    assert both_runs(sqlite_url, typed, repr) == ("Receipt(id='r', parts=(1, 2))",) * 2
    assert both_runs(sqlite_url, pairs, repr) == ("(1, {'a'})",) * 2
    first, again = both_runs(sqlite_url, untyped, repr)
    assert first == again


@pytest.mark.parametrize(
    "error",
    [
        CardDeclined(51, "ada"),
        ValueError("plain", 3),
        OSError(2, "no such file", "shop.toml"),
        KeyError(("a", 1)),
        StopIteration(3),
        perdure.StepTimeout("late"),
        type("Local", (Exception,), {})("here only"),
        ExceptionGroup("two", [ValueError(1), OSError(2)]),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_have_the_same_form_at_the_first_run_and_at_replay(
    sqlite_url: str, error: Exception
) -> None:
    @perdure.step
    def fail() -> None:
        raise error

    def show(seen: BaseException) -> str:
        attributes: dict[str, Any] = vars(seen)
        state = {key: value for key, value in attributes.items() if key != "traceback"}
        return f"{type(seen).__qualname__} {seen} {seen.args[:2]!r} {state}"

    first, again = both_runs(sqlite_url, fail, show)

    assert first == again


def test_the_original_error_is_the_cause_at_the_first_run(sqlite_url: str) -> None:
    original = CardDeclined(51, "ada")

    @perdure.step
    def fail() -> None:
        raise original

    @perdure.workflow
    def outer() -> bool:
        try:
            fail()
        except CardDeclined as error:
            return error is not original and error.__cause__ is original
        return False

    assert ran(sqlite_url, outer.bind())


@pytest.mark.parametrize("place", ["sync", "submit", "acall", "async"])
def test_stop_iteration_in_a_step_is_an_error_not_a_hang(sqlite_url: str, place: str) -> None:
    @perdure.step
    def first() -> int:
        nothing: list[int] = []
        return next(iter(nothing))

    @perdure.step
    async def afirst() -> int:
        return first.fn()

    @perdure.workflow
    def outer() -> int:
        return first() if place == "sync" else first.submit().result()

    @perdure.workflow
    async def aouter() -> int:
        return await (first.acall() if place == "acall" else afirst())

    with pytest.raises(RuntimeError, match="StopIteration"):
        ran(sqlite_url, (aouter if place in {"acall", "async"} else outer).bind())
