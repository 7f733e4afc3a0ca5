"""Dependencies of steps: made once at first use, closed when the worker drains."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

import perdure

from .support import ran, serving


def test_a_resource_is_made_once_and_closed_at_drain(sqlite_url: str) -> None:
    life: list[str] = []

    @perdure.resource
    def client() -> Iterator[list[str]]:
        life.append("opened")
        yield life
        life.append("closed")

    @perdure.step
    def use() -> str:
        client().append("used")
        return client()[0]

    @perdure.workflow
    def outer() -> list[str]:
        return [future.result() for future in [use.submit() for _ in range(5)]]

    with serving(sqlite_url, outer) as engine:
        assert engine.start(outer).result() == ["opened"] * 5
        assert life == ["opened", *["used"] * 5]
    assert life[-1] == "closed"
    assert ran(sqlite_url, outer.bind())  # the next worker makes it anew
    assert life.count("opened") == life.count("closed") == 2


def test_an_async_resource_lives_on_the_workers_loop(sqlite_url: str) -> None:
    loops: list[asyncio.AbstractEventLoop] = []

    @perdure.resource
    async def client() -> AsyncIterator[int]:
        loops.append(asyncio.get_running_loop())
        yield len(loops)
        loops.append(asyncio.get_running_loop())

    @perdure.step
    async def use() -> int:
        assert asyncio.get_running_loop() is loops[0] if loops else True
        return await client()

    @perdure.workflow
    async def outer() -> list[int]:
        return list(await asyncio.gather(*(use() for _ in range(5))))

    assert ran(sqlite_url, outer.bind()) == [1] * 5
    assert len(loops) == 2
    assert loops[0] is loops[1]


def test_an_override_takes_the_place_of_the_value(sqlite_url: str) -> None:
    @perdure.resource
    def client() -> Iterator[str]:
        yield "real"

    @perdure.resource
    async def aclient() -> AsyncIterator[str]:
        yield "real"

    @perdure.step
    async def use() -> str:
        return f"{client()} {await aclient()}"

    @perdure.workflow
    async def outer() -> str:
        return await use()

    with serving(sqlite_url, outer) as engine:
        with client.override("fake"), aclient.override("double"):
            assert engine.start(outer).result() == "fake double"
            with client.override("inner"):
                assert engine.start(outer).result() == "inner double"
            assert engine.start(outer).result() == "fake double"
        assert engine.start(outer).result() == "real real"


def test_a_resource_that_cannot_be_made_fails_the_step_and_is_tried_anew(sqlite_url: str) -> None:
    tries: list[int] = []

    @perdure.resource
    def client() -> Iterator[int]:
        tries.append(1)
        if len(tries) == 1:
            raise OSError("not yet")
        yield len(tries)

    @perdure.step
    def use() -> int:
        return client()

    @perdure.workflow
    def outer() -> int:
        try:
            return use()
        except OSError:
            return use()

    assert ran(sqlite_url, outer.bind()) == 2


def test_a_resource_may_use_another(sqlite_url: str) -> None:
    closed: list[str] = []

    @perdure.resource
    def settings() -> Iterator[str]:
        yield "url"
        closed.append("settings")

    @perdure.resource
    def client() -> Iterator[str]:
        yield f"client of {settings()}"
        closed.append("client")

    @perdure.step
    def use() -> str:
        return client()

    @perdure.workflow
    def outer() -> str:
        return use()

    assert ran(sqlite_url, outer.bind()) == "client of url"
    assert sorted(closed) == ["client", "settings"]


def test_a_resource_that_fails_to_close_does_not_keep_the_others_open(
    sqlite_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    closed: list[int] = []

    def make(number: int, *, fails: bool) -> perdure.Resource[int]:
        @perdure.resource
        def made() -> Iterator[int]:
            yield number
            closed.append(number)
            if fails:
                raise OSError(number)

        return made

    @perdure.resource
    async def failing() -> AsyncIterator[int]:
        yield 0
        raise OSError("async")

    made = [make(number, fails=number % 2 == 0) for number in range(8)]

    @perdure.step
    async def use() -> int:
        return sum(resource() for resource in made) + await failing()

    @perdure.workflow
    async def outer() -> int:
        return await use()

    assert ran(sqlite_url, outer.bind()) == sum(range(8))
    assert sorted(closed) == list(range(8))
    assert "failed to close" in caplog.text


def test_only_generators_are_resources() -> None:
    def client() -> int:
        return 1

    resource: Any = perdure.resource
    with pytest.raises(perdure.DefinitionError, match="yield"):
        resource(client)


def test_threads_that_ask_at_once_get_one_value() -> None:
    made: list[int] = []
    barrier = threading.Barrier(8)

    @perdure.resource
    def client() -> Iterator[int]:
        made.append(1)
        yield len(made)

    def ask() -> None:
        barrier.wait()
        client()

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [1]
    client.close()
