"""Mistakes at calls: every line marked `# error` must be reported, and no other."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

import perdure


def use(*_: object) -> None:
    """So that nothing is unused."""


@perdure.step
def charge(order: str, cents: int) -> str:
    return f"{order} {cents}"


@perdure.step
async def think(prompt: str) -> str:
    return prompt


@perdure.workflow
def checkout(order: str, cents: int = 0, *, review: bool = True) -> str:
    return charge(order, cents) + str(review)


@perdure.workflow
async def agent(prompt: str) -> int:
    return len(await think(prompt))


@perdure.resource
def client() -> Iterator[bytes]:
    yield b""


@perdure.resource
async def aclient() -> AsyncIterator[bytes]:
    yield b""


class Ledger:
    @perdure.step
    def rate(self, to: str) -> float:
        return float(len(to))


def steps() -> None:
    charge("a", "b")  # error: a string for cents
    charge("a")  # error: cents is missing
    charge("a", 1, 2)  # error: one too many
    charge("a", cent=1)  # error: no such parameter
    number: int = charge("a", 1)  # error: it returns a string
    charge.submit("a", "b")  # error: a string for cents
    text: str = charge.submit("a", 1)  # error: a future, not a result
    code: int = charge.submit("a", 1).result()  # error: it returns a string
    charge.options(retry=perdure.Retry())("a", 1)  # error: the option is called retries
    charge.options(timeout=5)("a", 1)  # error: durations are timedeltas
    use(number, text, code)


async def async_steps() -> None:
    await charge("a", 1)  # error: a sync step's direct call is no awaitable
    await charge.acall("a", "b")  # error: a string for cents
    number: int = await charge.acall("a", 1)  # error: it returns a string
    text: str = think("a")  # error: a coroutine, not a string
    size: int = await think("a")  # error: it returns a string
    await think(1)  # error: a number for the prompt
    use(number, text, size)


def methods() -> None:
    ledger = Ledger()
    ledger.rate(1)  # error: a number for the currency
    ledger.rate("a", "b")  # error: one too many
    text: str = ledger.rate("a")  # error: it returns a float
    ledger.rate.submit(1)  # error: a number for the currency
    use(text)


def starts(engine: perdure.Engine) -> None:
    engine.start(checkout, 1)  # error: a number for the order
    engine.start(checkout)  # error: the order is missing
    engine.start(checkout, "a", 1, 2)  # error: one too many
    engine.start(checkout, "a", review=False)  # error: the workflow's keywords go through bind
    engine.start(checkout, "a", id=1)  # error: ids are strings
    engine.start(checkout, "a", delay=5)  # error: durations are timedeltas
    engine.start(checkout, "a", attributes={"a": object()})  # error: attributes are plain
    engine.start(checkout.bind("a"), id="a")  # error: options of a call go through options
    number: int = engine.start(checkout, "a").result()  # error: it returns a string
    text: str = engine.start(agent, "a").result()  # error: it returns a number
    engine.start_many([checkout])  # error: it takes calls
    other: perdure.Handle[int] = engine.handle("a", checkout)  # error: its result is a string
    engine.handle(1)  # error: ids are strings
    engine.find(status=1)  # error: neither a status nor some
    engine.find(limit="1")  # error: a string for the limit
    engine.worker(grace=5)  # error: durations are timedeltas
    use(number, text, other)


async def async_starts(engine: perdure.Engine) -> None:
    await engine.astart(agent, 1)  # error: a number for the prompt
    text: str = await (await engine.astart(agent, "a")).aresult()  # error: it returns a number
    handle: perdure.Handle[int] = engine.astart(agent, "a")  # error: not awaited
    use(text, handle)


def binds() -> None:
    checkout.bind("a", reviewed=False)  # error: no such parameter
    checkout.bind(1)  # error: a number for the order
    checkout.bind()  # error: the order is missing
    checkout.bind("a").options(key="a")  # error: no such option
    call: perdure.Call[int] = checkout.bind("a")  # error: its result is a string
    use(call)


def records(record: perdure.StepRecord, handle: perdure.Handle[str]) -> None:
    text: str = record.output(int)  # error: it gives a number
    record.output()  # error: the type is missing
    number: int = handle.result()  # error: it gives a string
    handle.result(timeout=5)  # error: durations are timedeltas
    use(text, number)


def resources() -> None:
    text: str = client()  # error: it yields bytes
    client("a")  # error: it takes nothing
    with client.override("a"):  # error: it yields bytes
        pass
    value: bytes = aclient()  # error: a coroutine, not bytes
    use(text, value)


def verbs() -> None:
    perdure.sleep(5)  # error: durations are timedeltas
    perdure.sleep_until(timedelta(1))  # error: a time, not a duration
    perdure.Retry(delay=1)  # error: durations are timedeltas
    perdure.Retry(on="ValueError")  # error: classes, not names
    perdure.Engine(lease=10)  # error: durations are timedeltas
    perdure.Engine(workflows=[charge])  # error: a step is no workflow
