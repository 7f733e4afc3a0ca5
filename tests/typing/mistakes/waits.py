"""Mistakes in waiting and telling: every line marked `# error` must be reported, and no other."""

from __future__ import annotations

from datetime import timedelta

import perdure

NUMBER = perdure.Topic("number", int)
STAGE = perdure.Event("stage", str)


def use(*_: object) -> None:
    """So that nothing is unused."""


@perdure.workflow
def scan(url: str, depth: int = 1) -> int:
    return len(url) * depth


@perdure.workflow
async def summarise(text: str) -> str:
    return text


@perdure.step
def refund(payment: str, cents: int) -> None:
    use(payment, cents)


def messages(handle: perdure.Handle[int]) -> None:
    text: str = perdure.receive(NUMBER)  # error: it gives a number
    number: int = perdure.receive(NUMBER, default=None)  # error: it may be None
    perdure.receive(NUMBER, timeout=5)  # error: durations are timedeltas
    perdure.receive("number")  # error: a topic, not its name
    perdure.receive(STAGE)  # error: an event is no topic
    handle.send(NUMBER, "1")  # error: the topic carries numbers
    handle.send("number", 1)  # error: a topic, not its name
    handle.send(NUMBER, 1, key=1)  # error: keys are strings
    handle.send(NUMBER)  # error: the message is missing
    perdure.Topic("number")  # error: the type is missing
    perdure.Topic(int, "number")  # error: the name comes first
    use(text, number)


async def async_messages(handle: perdure.Handle[int]) -> None:
    text: str = await perdure.areceive(NUMBER)  # error: it gives a number
    number: int = perdure.areceive(NUMBER)  # error: not awaited
    await handle.asend(NUMBER, "1")  # error: the topic carries numbers
    await handle.asend(STAGE, "1")  # error: an event is no topic
    use(text, number)


def events(handle: perdure.Handle[int]) -> None:
    STAGE.set(1)  # error: it has strings
    STAGE.set()  # error: the value is missing
    number: int = handle.event(STAGE)  # error: it gives a string
    text: str = handle.event(STAGE, default=None)  # error: it may be None
    handle.event(NUMBER)  # error: a topic is no event
    handle.event(STAGE, timeout=5)  # error: durations are timedeltas
    use(number, text)


def children() -> None:
    perdure.start_child(scan, 1)  # error: a number for the address
    perdure.start_child(scan)  # error: the address is missing
    perdure.start_child(scan, "a", depth=2)  # error: the workflow's keywords go through bind
    perdure.start_child(scan, "a", delay=timedelta(1))  # error: no such option
    perdure.start_child(scan, "a", timeout=5)  # error: durations are timedeltas
    perdure.start_child(refund, "a", 1, "b")  # error: neither its arguments nor a workflow
    perdure.start_children([scan])  # error: it takes calls
    text: str = perdure.start_child(scan, "a").result()  # error: it returns a number
    other: int = perdure.start_child(summarise, "a").result()  # error: it returns a string
    number: str = scan("a")  # error: it returns a number
    use(text, other, number)


async def async_children() -> None:
    handle: perdure.Handle[str] = perdure.astart_child(summarise, "a")  # error: not awaited
    number: int = await summarise("a")  # error: it returns a string
    await perdure.astart_children([summarise.bind(1)])  # error: a number for the text
    many = await perdure.astart_children([summarise.bind("a")])
    async for value in perdure.aresults(many):
        wrong: int = value  # error: they are strings
        use(wrong)
    use(handle, number)


def many(handles: list[perdure.Handle[int]]) -> None:
    for text in perdure.results(handles):
        wrong: str = text  # error: they are numbers
        use(wrong)
    for value in perdure.results(handles, return_exceptions=True):
        number: int = value  # error: it may be an exception
        use(number)
    winner: perdure.Handle[str] = perdure.first(handles)  # error: its result is a number
    perdure.first(handles, timeout=1)  # error: durations are timedeltas
    perdure.first(handles[0])  # error: it takes several
    use(winner)


def undoing(engine: perdure.Engine, handle: perdure.Handle[int]) -> None:
    perdure.compensate(refund, "a")  # error: cents are missing
    perdure.compensate(refund, "a", "b")  # error: a string for cents
    perdure.compensate(refund("a", 1))  # error: what it returns is no function
    handle.cancel(1)  # error: a number for the reason
    engine.start(scan, "a", timeout=5)  # error: durations are timedeltas
    engine.start(scan, "a", deadline=timedelta(1))  # error: a time, not a duration
    engine.find(parent=handle)  # error: its id, not the handle
    perdure.Engine(linger=1)  # error: durations are timedeltas
