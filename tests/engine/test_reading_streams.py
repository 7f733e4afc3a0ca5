"""Streams are read live, from any offset to the end, by any number of readers."""

import asyncio
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

import perdure
from perdure.readers import PAGE, Reader
from perdure.streams import Item, Reading
from perdure_compat.reference import MemoryBackend

from .scribes import COLOURS, GO, LOG, WORDS, astepwise, collected, stepwise, values, writer
from .support import (
    HOUR,
    WITHIN,
    Memory,
    engine_of,
    ran,
    result_of,
    serving,
    until,
)


@COLOURS
def test_a_reader_follows_until_the_stream_is_closed(memory: Memory, *, is_async: bool) -> None:
    """The workflow goes on, and nothing comes after it."""
    with serving(memory.url, stepwise) as engine:
        handle = engine.start(stepwise)
        for word in ("more", "close", "more"):
            handle.send(GO, word)
        assert values(collected(handle, LOG, is_async=is_async)) == [0, 1]
        assert not handle.status().final
        handle.send(GO, "end")
        result_of(handle)
        assert values(collected(handle, LOG, is_async=is_async)) == [0, 1]


def test_an_async_reader_follows_live(memory: Memory) -> None:
    async def follow(handle: perdure.Handle[str]) -> list[int]:
        reader = handle.aread(LOG)
        found = [(await anext(reader)).value]
        await handle.asend(GO, "more")
        found.append((await anext(reader)).value)
        await handle.asend(GO, "end")
        return found + [item.value async for item in reader]

    with serving(memory.url, astepwise) as engine:
        handle = engine.start(astepwise)
        reading = asyncio.wait_for(follow(handle), WITHIN.total_seconds())
        assert asyncio.run(reading) == [0, 1]


@COLOURS
def test_a_reader_goes_on_behind_an_offset(memory: Memory, *, is_async: bool) -> None:
    with serving(memory.url, writer) as engine:
        handle = engine.start(writer, 5)
        found = collected(handle, LOG)
        for at, item in enumerate(found):
            rest = collected(handle, LOG, is_async=is_async, after=item.offset)
            assert rest == found[at + 1 :]


@COLOURS
def test_a_long_stream_is_read_page_for_page(memory: Memory, *, is_async: bool) -> None:
    with serving(memory.url, writer) as engine:
        handle = engine.start(writer, 2 * PAGE + 1)
        assert values(collected(handle, LOG, is_async=is_async)) == list(range(2 * PAGE + 1))


def test_a_hundred_readers_of_a_stream_cost_one_read(
    memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For each poll, and one poll serves all."""
    reads: list[Sequence[Reading]] = []
    real = MemoryBackend.read

    def read(self: MemoryBackend, readings: Sequence[Reading], *, limit: int) -> Sequence[Item]:
        reads.append(readings)
        return real(self, readings, limit=limit)

    monkeypatch.setattr(MemoryBackend, "read", read)

    async def follow(handle: perdure.Handle[str]) -> list[list[int]]:
        readers = [handle.aread(LOG) for _ in range(100)]
        first = await asyncio.gather(*[anext(reader) for reader in readers])
        reads.clear()
        await handle.asend(GO, "more")
        second = await asyncio.gather(*[anext(reader) for reader in readers])
        return [values(items) for items in (first, second)]

    with serving(memory.url, stepwise) as engine:
        handle = engine.start(stepwise)
        following = asyncio.wait_for(follow(handle), WITHIN.total_seconds())
        assert asyncio.run(following) == [[0] * 100, [1] * 100]
    assert 0 < len(reads) < 50
    assert {len(readings) for readings in reads} <= {0, 1}


@COLOURS
def test_an_unknown_workflow_is_not_found(memory: Memory, *, is_async: bool) -> None:
    async def read(handle: perdure.Handle[Any]) -> None:
        await anext(handle.aread(LOG))

    with engine_of(memory.url) as engine:
        handle = engine.handle("nobody")
        with pytest.raises(perdure.WorkflowNotFound, match="nobody"):
            asyncio.run(read(handle)) if is_async else next(handle.read(LOG))


def test_workflow_code_reads_no_stream(memory: Memory) -> None:
    @perdure.workflow(name="streams.nosy")
    def nosy(id: str) -> str:
        next(perdure.Engine(memory.url).handle(id).read(LOG))
        return "read"

    @perdure.workflow(name="streams.anosy")
    async def anosy(id: str) -> str:
        await anext(perdure.Engine(memory.url).handle(id).aread(LOG))
        return "read"

    for call in (nosy.bind("nobody"), anosy.bind("nobody")):
        with pytest.raises(perdure.UsageError, match="step"):
            ran(memory.url, call)


def test_a_step_reads_what_its_workflow_wrote(memory: Memory) -> None:
    with serving(memory.url, writer) as engine:
        handle = engine.start(writer, 3)

        @perdure.step
        def look() -> list[int]:
            return [item.value for item in handle.read(LOG)]

        @perdure.workflow(name="streams.looking")
        def looking() -> list[int]:
            return look()

        assert ran(memory.url, looking.bind()) == [0, 1, 2]


@COLOURS
@pytest.mark.parametrize("end", ["success", "error", "cancelled", "never run"])
def test_who_reads_what_has_ended_comes_to_an_end(
    memory: Memory, end: str, *, is_async: bool
) -> None:
    @perdure.workflow(name="streams.ending")
    def ending() -> None:
        LOG.write(0)
        if end == "error":
            raise ValueError("broken")
        if end == "cancelled":
            perdure.sleep(HOUR)

    with engine_of(memory.url, ending) as engine:
        handle = engine.start(ending)
        if end == "never run":
            handle.cancel()
            assert collected(handle, LOG, is_async=is_async) == []
            return
        with engine.worker():
            assert next(handle.read(LOG)).value == 0
            if end == "cancelled":
                handle.cancel()
            until(lambda: handle.status().final)
        assert values(collected(handle, LOG, is_async=is_async)) == [0]


@COLOURS
def test_a_reader_that_stops_early_lets_go(memory: Memory, *, is_async: bool) -> None:
    """The thread that polls ends with the last of them, and comes back for the next."""

    def polling() -> bool:
        return any("readers" in thread.name for thread in threading.enumerate())

    async def first(handle: perdure.Handle[str]) -> int:
        reader = handle.aread(LOG)
        found = await anext(reader)
        await reader.aclose()  # type: ignore[attr-defined]
        return found.value

    with serving(memory.url, stepwise) as engine:
        handle = engine.start(stepwise)
        for _ in range(2):
            if is_async:
                assert asyncio.run(first(handle)) == 0
            else:
                reader: Any = handle.read(LOG)
                assert next(reader).value == 0
                assert polling()
                reader.close()
            until(lambda: not polling())


def test_a_reader_is_told_that_the_engine_was_closed(memory: Memory) -> None:
    found = list[object]()

    def read(items: Iterator[perdure.StreamItem[int]]) -> None:
        try:
            found.extend(item.value for item in items)
        except perdure.UsageError as error:
            found.append(error)

    with serving(memory.url, stepwise):
        with engine_of(memory.url) as other:
            handle = other.start(stepwise)
            thread = threading.Thread(target=read, args=(handle.read(LOG),), daemon=True)
            thread.start()
            until(lambda: found)
        thread.join(WITHIN.total_seconds())
    assert found[:-1] == [0]
    assert "closed" in str(found[-1])


def test_a_value_of_another_type_fails_when_it_is_looked_at(memory: Memory) -> None:
    as_words: perdure.Stream[str] = perdure.Stream("log", str)
    with serving(memory.url, writer) as engine:
        handle = engine.start(writer, 2)
        found = collected(handle, as_words)
        assert len(found) == 2
        for item in found:
            with pytest.raises(perdure.SerializationError):
                _ = item.value


def test_readers_of_one_stream_stand_where_they_are(memory: Memory) -> None:
    """Who is far behind holds nobody up."""
    with serving(memory.url, writer) as engine:
        handle = engine.start(writer, 2 * PAGE)
        last = collected(handle, LOG)[-1]
        behind = handle.read(LOG)
        assert next(behind).value == 0
        assert collected(handle, LOG, after=last.offset) == []
        assert len(list(behind)) == 2 * PAGE - 1


@COLOURS
@pytest.mark.parametrize("after", [2**70, 2**63, -2, -(2**70)])
def test_an_impossible_offset_is_nothing_to_other_readers(
    postgres_url: str, after: int, *, is_async: bool
) -> None:
    """It may come from anybody's browser."""

    async def read(handle: perdure.Handle[str]) -> None:
        await anext(handle.aread(WORDS, after=after))

    with serving(postgres_url, stepwise) as engine:
        handle = engine.start(stepwise)
        reader = handle.read(LOG)
        assert next(reader).value == 0
        with pytest.raises(perdure.UsageError, match="after"):
            asyncio.run(read(handle)) if is_async else next(handle.read(WORDS, after=after))
        handle.send(GO, "more")
        assert next(reader).value == 1
        handle.send(GO, "end")
        assert list(reader) == []


@pytest.mark.parametrize("id", ["a\0b", "\ud800"], ids=["NUL", "surrogate"])
def test_an_impossible_id_is_nothing_to_other_readers(postgres_url: str, id: str) -> None:
    with serving(postgres_url, stepwise) as engine:
        handle = engine.start(stepwise)
        reader = handle.read(LOG)
        assert next(reader).value == 0
        with pytest.raises(perdure.PerdureError):
            next(engine.handle(id).read(LOG))
        handle.send(GO, "more")
        assert next(reader).value == 1
        handle.send(GO, "end")
        assert list(reader) == []


# ----------------------------------------------------------------------- races


def test_an_async_reader_gets_what_comes_with_the_end() -> None:
    """Both arrive while it finds that nothing is there."""

    class Late(list[Item]):
        """Nothing at first; then everything comes at once."""

        def __len__(self) -> int:
            if reader.over or self.told:
                return super().__len__()
            self.told = True
            reader.give([_item(0), _item(1, closes=True)], ended=False)
            return 0

        told = False

        def popleft(self) -> Item:
            return self.pop(0)

    reader = Reader("w", "log", -1, lambda _: None)
    reader._items = Late()  # type: ignore[assignment]

    async def follow() -> list[int]:
        return [item.offset async for item in reader]

    in_time = asyncio.wait_for(follow(), WITHIN.total_seconds())
    assert asyncio.run(in_time) == [0]


def test_a_loop_that_closes_is_nothing_to_other_readers() -> None:
    """One that was open a moment ago, when somebody asked."""

    class Closing(asyncio.SelectorEventLoop):
        late = False

        def is_closed(self) -> bool:
            return not self.late and super().is_closed()

    reader, loop = Reader("w", "log", -1, lambda _: None), Closing()

    async def read() -> None:
        async for _ in reader:
            pass

    following = loop.create_task(read())
    loop.run_until_complete(asyncio.sleep(0))
    following.cancel()
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    loop.late = True
    try:
        assert reader.give([_item(0)], ended=False)
    finally:
        loop.late = False


def _item(offset: int, *, closes: bool = False) -> Item:
    return Item(
        workflow_id="w",
        stream="log",
        offset=offset,
        place="",
        attempt=1,
        value_json=None if closes else f"{offset}",
        closes=closes,
        epoch=1,
    )
