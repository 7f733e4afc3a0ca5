"""Streams: written once by a workflow's own code, and shown with each try by its steps."""

import threading
from collections.abc import Callable
from datetime import timedelta
from itertools import islice
from typing import Any

import attrs
import pytest

import perdure
from perdure.attempt import Attempt
from perdure.backend import Recovery
from perdure.journal import Journal
from perdure.streams import Item
from perdure_compat.reference import MemoryBackend

from .scribes import COLOURS, GO, LOG, WORDS, astepwise, collected, rising, stepwise, values
from .support import (
    NO_LINGER,
    WITHIN,
    Door,
    Memory,
    await_steps,
    await_waiting,
    engine_of,
    result_of,
    serving,
)

NOW = timedelta(0)
QUICK: dict[str, Any] = {"lease": timedelta(seconds=1.5), "heartbeat": timedelta(seconds=0.05)}
DATABASES = pytest.mark.parametrize("database", ["memory", "sqlite_url", "postgres_url"])


# ------------------------------------------------------------------ each kind


@DATABASES
@COLOURS
def test_what_is_written_is_read_while_it_is_written(
    request: pytest.FixtureRequest, database: str, *, is_async: bool
) -> None:
    """By the workflow and by a step that is not over, in one order."""
    given = request.getfixturevalue(database)
    url = given.url if isinstance(given, Memory) else given
    door = Door()

    @perdure.step
    def tell() -> None:
        LOG.write(1)
        LOG.write(2)
        door.pass_through()
        LOG.write(3)

    @perdure.workflow(name="streams.teller")
    def teller() -> None:
        LOG.write(0)
        tell()
        LOG.write(4)

    with serving(url, teller) as engine:
        handle = engine.start(teller)
        reader = handle.read(LOG)
        assert values(list(islice(reader, 3))) == [0, 1, 2]
        assert handle.status() is perdure.Status.RUNNING
        door.opened.set()
        assert values(list(reader)) == [3, 4]
        found = collected(handle, LOG, is_async=is_async)
    assert values(found) == [0, 1, 2, 3, 4]
    assert rising([item.offset for item in found])
    assert [bool(item.step) for item in found] == [False, True, True, True, False]


# --------------------------------------------------------------------- writing


@pytest.mark.parametrize("workflow", [stepwise, astepwise], ids=["sync", "async"])
def test_a_replay_writes_nothing_again(memory: Memory, workflow: perdure.Workflow[[], Any]) -> None:
    """And offsets grow from epoch to epoch."""
    with engine_of(memory.url, workflow, linger=NO_LINGER) as engine, engine.worker():
        handle = engine.start(workflow)
        for steps, word in enumerate(("more", "more", "end"), 1):
            await_steps(handle, 2 * steps - 1)
            await_waiting(handle)
            handle.send(GO, word)
        assert result_of(handle) == "done"
        found = collected(handle, LOG)
    assert values(found) == [0, 1, 2]
    assert rising([item.offset for item in found])
    assert [(item.step, item.attempt) for item in found] == [("", 1)] * 3


@attrs.define
class Death:
    """All workers die before or after one of the commits, and others take over."""

    number: int
    after: bool
    calls: int = 0

    def strike(self, backend: MemoryBackend) -> None:
        for worker in [key for key, one in backend.store.workers.items() if one.alive]:
            backend.leave(worker)
        recovery = Recovery(max_strikes=1000, backoff=NOW)
        backend.reap([], margin=NOW, recovery=recovery, limit=1000)

    def around(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def commit(backend: MemoryBackend, *args: Any) -> Any:
            self.calls += 1
            if (self.calls, self.after) == (self.number, False):
                self.strike(backend)
            answer = real(backend, *args)
            if (self.calls, self.after) == (self.number, True):
                self.strike(backend)
            return answer

        return commit


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("number", range(1, 5))
def test_a_crash_writes_nothing_again_and_loses_nothing(
    memory: Memory, monkeypatch: pytest.MonkeyPatch, number: int, *, after: bool
) -> None:
    """What the code writes; a step that is tried again shows its try again, with a new attempt."""
    death = Death(number, after)
    monkeypatch.setattr(MemoryBackend, "commit", death.around(MemoryBackend.commit))

    @perdure.step
    def tell() -> None:
        LOG.write(1)

    @perdure.workflow(name="streams.mortal")
    def mortal() -> None:
        for value in (0, 2, 3):
            LOG.write(value)
            perdure.sleep(timedelta(milliseconds=1))
            if value == 2:
                tell()

    with engine_of(memory.url, mortal, linger=NO_LINGER, **QUICK) as engine, engine.worker():
        handle = engine.start(mortal)
        found = collected(handle, LOG)
        result_of(handle)
    assert [item.value for item in found if not item.step] == [0, 2, 3]
    tries = [item for item in found if item.step]
    assert {(item.step, item.value) for item in tries} == {("5", 1)}
    assert rising([item.attempt for item in tries])
    assert rising([item.offset for item in found])
    assert death.calls >= number


def test_each_try_of_a_step_shows_its_items_with_a_grown_attempt(memory: Memory) -> None:
    @perdure.step(retries=perdure.Retry(3, delay=NOW))
    def tell() -> None:
        for number in range(2):
            LOG.write(number)
        if perdure.current_step().attempt < 3:
            raise ConnectionError("once more")

    @perdure.workflow(name="streams.retried")
    def retried() -> None:
        tell()

    with serving(memory.url, retried) as engine:
        found = collected(engine.start(retried), LOG)
    assert values(found) == [0, 1] * 3
    assert {item.step for item in found} == {"1"}
    assert [item.attempt for item in found[::2]] == [item.attempt for item in found[1::2]]
    assert rising([item.attempt for item in found[::2]])


@pytest.mark.parametrize("earlier", [0, 2**16 - 2, 2**20])
def test_the_attempt_grows_over_a_new_worker_too(memory: Memory, earlier: int) -> None:
    """Though it counts from one again, however often the last one has tried `earlier`."""
    door = Door()

    @perdure.step(retries=perdure.Retry(2, delay=NOW))
    def tell() -> None:
        step = perdure.current_step()
        number = step.attempt
        if not door.reached.is_set():
            step.attempt += earlier
        LOG.write(number)
        if number == 1:
            raise ConnectionError("once more")
        door.pass_through()

    @perdure.workflow(name="streams.handed")
    def handed() -> None:
        tell()

    with engine_of(memory.url, handed, **QUICK) as engine, engine.worker() as worker:
        reader = engine.start(handed).read(LOG)
        first = list(islice(reader, 2))
        memory.bury(worker)
        second = next(reader)
        door.opened.set()
        found = [*first, second, *reader]
    assert values(found) == [1, 2, 1, 2]
    assert rising([item.attempt for item in found])
    assert rising([item.offset for item in found])
    assert {item.step for item in found} == {"1"}


def test_steps_beside_each_other_are_told_apart(memory: Memory) -> None:
    @perdure.step
    def tell(number: int) -> None:
        LOG.write(number)

    @perdure.workflow(name="streams.fan")
    def fan() -> None:
        for future in [tell.submit(number) for number in range(8)]:
            future.result()

    with serving(memory.url, fan) as engine:
        found = collected(engine.start(fan), LOG)
    assert sorted(values(found)) == list(range(8))
    assert len({item.step for item in found}) == 8


def test_two_streams_of_a_workflow_are_two(memory: Memory) -> None:
    @perdure.workflow(name="streams.both")
    def both() -> None:
        for number in range(3):
            LOG.write(number)
            WORDS.write(f"{number}")
        LOG.close()
        WORDS.write("more")

    with serving(memory.url, both) as engine:
        handle = engine.start(both)
        assert values(collected(handle, LOG)) == [0, 1, 2]
        assert values(collected(handle, WORDS)) == ["0", "1", "2", "more"]


def test_only_workflows_and_their_steps_write() -> None:
    with pytest.raises(perdure.NotInWorkflow):
        LOG.write(1)
    with pytest.raises(perdure.NotInWorkflow):
        LOG.close()


def test_what_cannot_become_json_is_not_written(memory: Memory) -> None:
    odd: perdure.Stream[Any] = perdure.Stream("odd", Any)

    @perdure.workflow(name="streams.odd")
    def wrong() -> str:
        with pytest.raises(perdure.SerializationError):
            odd.write(object())
        odd.write(1)
        return "done"

    with serving(memory.url, wrong) as engine:
        handle = engine.start(wrong)
        assert result_of(handle) == "done"
        assert values(collected(handle, odd)) == [1]


# ----------------------------------------------------------------------- races


def test_steps_beside_each_other_write_in_the_order_of_offsets(
    memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of them is slow on its way to the journal; a live reader gets its item all the same."""
    reached, seen, real = threading.Event(), threading.Event(), Journal.record

    def record(journal: Journal, attempt: Attempt, what: Any) -> None:
        if isinstance(what, Item) and what.value_json == "0":
            reached.set()
            seen.wait(0.5)
        real(journal, attempt, what)

    monkeypatch.setattr(Journal, "record", record)

    @perdure.step
    def slow() -> None:
        LOG.write(0)

    @perdure.step
    def quick() -> None:
        assert reached.wait(WITHIN.total_seconds())
        LOG.write(1)

    @perdure.workflow(name="streams.race")
    def race() -> None:
        for future in [slow.submit(), quick.submit()]:
            future.result()

    with serving(memory.url, race, threads=4) as engine:
        reader = engine.start(race).read(LOG)
        first = next(reader)
        seen.set()
        assert values([first, *reader]) == [0, 1]
