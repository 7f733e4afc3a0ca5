"""What can be a step or a workflow, and what it is called."""

import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

import perdure

from .support import WITHIN, ran, serving


class Ledger:
    def __init__(self, currency: str) -> None:
        self.currency = currency
        self.anything = object()

    @perdure.step
    def rate(self, to: str, *, factor: int = 1) -> str:
        return f"{self.currency}/{to}" * factor

    @perdure.step(retries=perdure.Retry(2, delay=timedelta(0)))
    async def arate(self, to: str) -> str:
        return self.rate.fn(self, to)

    @staticmethod
    @perdure.step
    def table(day: str) -> str:
        return day

    @perdure.step
    @classmethod
    def make(cls, currency: str) -> str:
        return cls(currency).currency

    @classmethod
    @perdure.step
    def close(cls, day: str) -> str:
        return f"{cls.__name__} of {day}"

    @staticmethod
    @perdure.workflow
    def close_day(day: str) -> str:
        return Ledger.table(day)


EUR, USD = Ledger("EUR"), Ledger("USD")
RESULTS = ["EUR/USDEUR/USD", "USD/EUR", "monday", "GBP", "CHF", "SEK"]


def test_steps_may_be_methods_of_any_kind(sqlite_url: str) -> None:
    ledger: Any = Ledger  # no type checker binds a decorated class method

    @perdure.workflow
    async def outer() -> list[str]:
        return [
            await EUR.rate.acall("USD", factor=2),
            await USD.arate("EUR"),
            await Ledger.table.acall("monday"),
            await ledger.make.acall("GBP"),
            await ledger.make.options(name="remake").acall("CHF"),
            await ledger("EUR").make.acall("SEK"),
        ]

    with serving(sqlite_url, outer) as engine:
        handle = engine.start(outer)
        assert handle.result(timeout=WITHIN) == RESULTS
        names = [step.name for step in handle.steps()]
        assert names[:4] == ["Ledger.rate", "Ledger.arate", "Ledger.table", "Ledger.make"]
        assert names[4:] == ["remake", "Ledger.make"]


def test_a_class_method_of_a_step_may_be_called(sqlite_url: str) -> None:
    ledger: Any = Ledger

    @perdure.workflow
    def outer() -> str:
        said: str = ledger.close("monday")
        return said

    assert ran(sqlite_url, outer.bind()) == "Ledger of monday"


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="classmethod binds no descriptor any more")
def test_a_class_method_of_a_step_is_bound_in_every_way(sqlite_url: str) -> None:
    ledger: Any = Ledger

    @perdure.workflow
    async def outer() -> str:
        said: str = await ledger.close.acall("monday")
        return said

    assert ran(sqlite_url, outer.bind()) == "Ledger of monday"


def test_outside_a_workflow_methods_are_methods() -> None:
    assert EUR.rate("USD") == "EUR/USD"
    assert Ledger.rate.fn(USD, "EUR") == "USD/EUR"
    assert Ledger.rate.name == "Ledger.rate"


def test_a_workflow_may_be_a_static_method(sqlite_url: str) -> None:
    assert Ledger.close_day.name == "Ledger.close_day"
    assert ran(sqlite_url, Ledger.close_day.bind("monday")) == "monday"


def test_a_workflow_as_a_method_is_refused() -> None:
    @perdure.workflow
    def close(shop: object) -> object:
        return shop

    with pytest.raises((perdure.DefinitionError, RuntimeError)) as caught:
        type("Shop", (), {"close": close})
    error = caught.value.__cause__ or caught.value
    assert isinstance(error, perdure.DefinitionError)
    assert "static method" in str(error)


def _generator() -> Iterator[int]:
    yield 1


@pytest.mark.parametrize("decorate", [perdure.step, perdure.workflow])
@pytest.mark.parametrize("thing", [3, print, Ledger, _generator, EUR.arate])
def test_only_functions_can_be_decorated(decorate: Callable[[Any], Any], thing: Any) -> None:
    with pytest.raises(perdure.DefinitionError):
        decorate(thing)


@pytest.mark.parametrize("name", ["\0", "x" * 513, "\ud800"])
def test_a_name_that_cannot_be_stored_is_refused(name: str) -> None:
    for decorate in (perdure.step(name=name), perdure.workflow(name=name)):
        with pytest.raises(perdure.DefinitionError):
            decorate(lambda: None)


def test_a_name_is_the_qualified_one_or_the_given_one() -> None:
    assert Ledger.rate.name == "Ledger.rate"
    assert perdure.step(name="other")(lambda: None).name == "other"
    assert repr(Ledger.table) == "<step Ledger.table>"
    assert repr(Ledger.close_day) == "<workflow Ledger.close_day>"


def test_options_change_a_copy(sqlite_url: str) -> None:
    seen: list[int] = []

    @perdure.step
    def charge(cents: int) -> int:
        seen.append(cents)
        if len(seen) < 3:
            raise OSError(cents)
        return cents

    patient = charge.options(name="patient", retries=perdure.Retry(5, delay=timedelta(0)))

    @perdure.workflow
    def outer() -> int:
        return patient(7)

    with serving(sqlite_url, outer) as engine:
        handle = engine.start(outer)
        assert handle.result(timeout=WITHIN) == 7
        assert [(step.name, step.attempts) for step in handle.steps()] == [("patient", 3)]
    assert charge.name.endswith("charge")
    assert charge.definition.retries.attempts == 1
    with pytest.raises(perdure.UsageError):
        charge.options(name="")


def test_options_of_a_method_keep_self(sqlite_url: str) -> None:
    @perdure.workflow
    def outer() -> str:
        return EUR.rate.options(name="eur")("USD")

    assert ran(sqlite_url, outer.bind()) == "EUR/USD"


def test_a_decorated_function_looks_like_itself() -> None:
    @perdure.step
    def charge(cents: int) -> str:
        """Charge a card."""
        return str(cents)

    plain: Any = charge
    assert plain.__doc__ == "Charge a card."
    assert plain.__name__ == "charge"
    assert plain.__wrapped__ is charge.fn
