"""Workflows that start workflows, wait for many or for the first, and talk to each other."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import assert_type

import perdure

PAGES = perdure.Topic("pages", list[str])
PROGRESS = perdure.Event("progress", float)


@perdure.step
def fetch(url: str) -> bytes:
    """Load a page."""
    return url.encode()


@perdure.workflow
def scan(url: str, depth: int = 1) -> int:
    """A sync child."""
    return len(fetch(url)) * depth


@perdure.workflow
async def summarise(text: str) -> str:
    """An async child."""
    await perdure.asleep(timedelta(seconds=1))
    return text[:10]


@perdure.workflow
def scan_all(urls: list[str]) -> int:
    """A sync parent."""
    assert_type(scan("a"), int)  # a child, awaited
    one = perdure.start_child(scan, "a", 2, id="scan-a", queue="scans", timeout=timedelta(hours=1))
    assert_type(one, perdure.Handle[int])
    other = perdure.start_child(summarise, "text", detach=True)  # of the other colour
    assert_type(other, perdure.Handle[str])
    assert_type(other.result(timeout=timedelta(minutes=1)), str)
    bound = perdure.start_child(scan.bind("a", depth=3).options(deadline=datetime.now(UTC)))
    assert_type(bound, perdure.Handle[int])
    many = perdure.start_children(scan.bind(url) for url in urls)
    assert_type(many, list[perdure.Handle[int]])
    assert_type(perdure.first(many, timeout=timedelta(hours=1)).result(), int)
    for value in perdure.results(many):
        assert_type(value, int)
    good = [
        v for v in perdure.results(many, return_exceptions=True) if not isinstance(v, Exception)
    ]
    assert_type(good, list[int])
    many[0].send(PAGES, urls)
    assert_type(many[0].event(PROGRESS, default=None), float | None)
    many[1].cancel("enough")
    return sum(good)


@perdure.workflow
async def summarise_all(texts: list[str]) -> list[str]:
    """An async parent."""
    assert_type(await summarise("a"), str)  # a child, awaited
    left, right = await asyncio.gather(summarise("a"), summarise("b"))
    assert_type(left, str)
    assert_type(right, str)
    one = await perdure.astart_child(summarise, "text", id="one", timeout=timedelta(hours=1))
    assert_type(one, perdure.Handle[str])
    assert_type(await (await perdure.astart_child(scan, "a")).aresult(), int)
    many = await perdure.astart_children([summarise.bind(text) for text in texts])
    assert_type(many, list[perdure.Handle[str]])
    assert_type(await perdure.afirst(many), perdure.Handle[str])
    found = [value async for value in perdure.aresults(many)]
    assert_type(found, list[str])
    async for value in perdure.aresults(many, return_exceptions=True):
        assert_type(value, str | Exception)
    await listen(one)
    return found


async def listen(one: perdure.Handle[str]) -> None:
    """Messages and events."""
    try:
        pages = await perdure.areceive(PAGES, timeout=timedelta(hours=1))
        assert_type(pages, list[str])
        assert_type(await perdure.areceive(PAGES, default=0), list[str] | int)
    except perdure.Cancelled:
        with perdure.shield():
            await one.acancel("the parent goes")
        raise
    except perdure.WaitTimeout:
        PROGRESS.set(1.0)
    await one.asend(PAGES, ["a"], key="a")
    assert_type(await one.aevent(PROGRESS, timeout=timedelta(seconds=1)), float)
    winner, text = await perdure.afirst(one.aresult(), summarise("a"))
    assert_type(winner, int)
    assert_type(text, str)


async def talk(engine: perdure.Engine) -> None:
    """The same verbs from outside."""
    handle = await engine.astart(summarise_all, ["a"], timeout=timedelta(days=1))
    await handle.asend(PAGES, ["a", "b"])
    assert_type(await handle.aevent(PROGRESS, default=None), float | None)
    await handle.acancel()
    async for record in engine.afind(parent=handle.id, status=perdure.Status.CANCELLED):
        assert_type(record.parent_id, str | None)
        assert_type(record.deadline, datetime | None)


def main() -> None:
    """From outside, blocking."""
    with perdure.Engine() as engine, engine.worker():
        handle = engine.start(scan_all, ["a"], id="all")
        handle.send(PAGES, ["a"])
        for record in engine.find(parent="all"):
            assert_type(record, perdure.WorkflowRecord)
        asyncio.run(talk(engine))


if __name__ == "__main__":
    main()
