"""Steps as methods, generic steps, values of every kind of annotation."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import TypedDict, TypeVar, assert_type

import perdure

T = TypeVar("T")


class Rate(TypedDict):
    """A record of the dictionary kind."""

    currency: str
    value: float


class Ledger:
    """Steps as methods: self is not recorded, so it may hold anything."""

    def __init__(self, currency: str) -> None:
        self.currency = currency

    @perdure.step
    def rate(self, to: str) -> float:
        """A sync method."""
        return float(len(self.currency + to))

    @perdure.step(retries=perdure.Retry(attempts=3))
    async def notify(self, account: str, *, urgent: bool = False) -> bool:
        """An async method."""
        return urgent or bool(account)

    @staticmethod
    @perdure.step
    def table(day: str) -> list[Rate]:
        """A static method."""
        return [{"currency": day, "value": 1.0}]

    @staticmethod
    @perdure.workflow
    def close_day(day: str) -> None:
        """Workflows may be static, and nothing else in a class."""
        assert_type(EUR.rate(day), float)
        assert_type(Ledger.table(day), list[Rate])
        assert_type(EUR.rate.submit("USD").result(), float)
        assert_type(EUR.notify.submit("ada", urgent=True).result(), bool)


EUR = Ledger("EUR")


@perdure.step
def longest(items: Sequence[str]) -> str:
    """Take a wide type."""
    return max(items, key=len)


@perdure.step
def maybe(number: int | None = None) -> int | None:
    """Take and give a union."""
    return number


@perdure.resource
def connection() -> Generator[dict[str, int], None, None]:
    """A resource of another spelling."""
    yield {}


@perdure.workflow
async def year(days: list[str]) -> float:
    """Methods in an async workflow."""
    assert_type(await EUR.notify("ada", urgent=True), bool)
    assert_type(await EUR.rate.acall("USD"), float)
    assert_type(await longest.acall(days), str)
    assert_type(await maybe.acall(), int | None)
    return 1.0


def plain(engine: perdure.Engine) -> None:
    """Outside a workflow, steps are functions."""
    assert_type(EUR.rate("USD"), float)
    assert_type(longest(("a", "bc")), str)
    assert_type(connection(), dict[str, int])
    assert_type(engine.start(Ledger.close_day, "monday"), perdure.Handle[None])
    assert_type(engine.start(year, ["monday"]), perdure.Handle[float])
    assert_type(engine.start(year.bind(days=["monday"])).result(), float)
