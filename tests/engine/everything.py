"""A workflow of either colour that uses everything that waits, and what must come of it."""

from collections import Counter
from datetime import timedelta
from typing import Any

import perdure

from .support import result_of

WORD: perdure.Topic[str] = perdure.Topic("word", str)
NEVER: perdure.Topic[str] = perdure.Topic("never", str)
READY: perdure.Event[str] = perdure.Event("ready", str)
HEARD: perdure.Event[list[str]] = perdure.Event("heard", list[str])
BODIES: Counter[str] = Counter()
DESK = perdure.Engine("memory://nobody-connects-to-it")
MS = timedelta(milliseconds=1)
PARTNER = "the partner"
WORDS = ["one", "two", "three", "four"]


@perdure.step(name="everything.toil")
def toil(name: str) -> str:
    BODIES[name] += 1
    return name


@perdure.workflow(name="everything.double")
def double(number: int) -> int:
    return 2 * number


@perdure.workflow(name="everything.adouble")
async def adouble(number: int) -> int:
    return 2 * number


@perdure.workflow(name="everything.partner")
def partner() -> None:
    """Tells that it is there, hears some words, and waits to be cancelled."""
    READY.set("ready")
    HEARD.set([perdure.receive(WORD) for _ in WORDS])
    perdure.receive(NEVER)


@perdure.workflow(name="everything.everything")
def everything() -> list[Any]:
    seen: list[Any] = [toil("first")]
    other = DESK.handle(PARTNER, partner)
    seen.append(other.event(READY))
    for word in WORDS:
        other.send(WORD, word)
    seen += [other.event(HEARD), double(21)]
    seen.append(list(perdure.results(perdure.start_children([double.bind(i) for i in (1, 2, 3)]))))
    perdure.sleep(MS)
    other.cancel("enough")
    try:
        other.result()
    except perdure.WorkflowCancelled as error:
        seen.append(error.reason)
    return [*seen, toil("last")]


@perdure.workflow(name="everything.aeverything")
async def aeverything() -> list[Any]:
    seen: list[Any] = [await toil.acall("first")]
    other = DESK.handle(PARTNER, partner)
    seen.append(await other.aevent(READY))
    for word in WORDS:
        await other.asend(WORD, word)
    seen += [await other.aevent(HEARD), await adouble(21)]
    many = await perdure.astart_children([adouble.bind(i) for i in (1, 2, 3)])
    seen.append([value async for value in perdure.aresults(many)])
    await perdure.asleep(MS)
    await other.acancel("enough")
    try:
        await other.aresult()
    except perdure.WorkflowCancelled as error:
        seen.append(error.reason)
    return [*seen, await toil.acall("last")]


WORKFLOWS: list[perdure.Workflow[..., Any]] = [double, adouble, partner, everything, aeverything]
KINDS = [
    *("step", "await", *["send"] * 4, "await", "child", "result", "child", "results"),
    *("sleep", "cancel", "result", "step"),
]


def start(engine: perdure.Engine, *, is_async: bool) -> perdure.Handle[list[Any]]:
    """Start it, and its partner."""
    BODIES.clear()
    engine.start(partner, id=PARTNER)
    workflow: Any = aeverything if is_async else everything
    return engine.start(workflow, id="all")


def all_well(engine: perdure.Engine, handle: perdure.Handle[list[Any]]) -> None:
    """It has done what it should, once."""
    assert result_of(handle) == ["first", "ready", WORDS, 42, [2, 4, 6], "enough", "last"]
    assert [step.kind for step in handle.steps()] == KINDS
    other = engine.handle(PARTNER)
    assert [step.kind for step in other.steps()] == [
        *("event", *["receive"] * 4, "event", "cancelled")
    ]
    assert other.event(HEARD) == WORDS
    assert {one.id for one in engine.find()} == {
        *("all", PARTNER, "all/8", "all/10", "all/10.1", "all/10.2")
    }
