"""Waiting for workflows to end."""

import asyncio
import functools
import threading
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Future
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

import perdure
from perdure import outcomes, poll
from perdure.definition import WorkflowDefinition
from perdure.model import WorkflowRecord
from perdure.registry import Registry
from perdure_compat.reference import MemoryBackend

from .faulty import Faults, installed
from .support import WITHIN, Door, Memory, engine_of, serving, until


@pytest.fixture
def faulty(monkeypatch: pytest.MonkeyPatch) -> Faults:
    return installed(monkeypatch)


@perdure.workflow(name="outcomes.greet")
def greet(name: str) -> str:
    return f"hello {name}"


def in_thread(call: Callable[[], Any]) -> "Future[Any]":
    future: Future[Any] = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except BaseException as error:  # noqa: BLE001 (it is looked at)
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future


def test_a_result_that_takes_too_long_can_be_asked_for_again(sqlite_url: str) -> None:
    door = Door()

    @perdure.workflow
    def hold() -> str:
        door.pass_through()
        return "done"

    with serving(sqlite_url, hold) as engine:
        handle = engine.start(hold)
        with pytest.raises(perdure.WaitTimeout, match=r"0:00:00\.03") as caught:
            handle.result(timeout=timedelta(seconds=0.03))
        assert isinstance(caught.value, TimeoutError)
        with pytest.raises(perdure.WaitTimeout):
            asyncio.run(handle.aresult(timeout=timedelta(seconds=0.03)))
        with pytest.raises(perdure.WaitTimeout):
            handle.result(timeout=timedelta(0))
        door.opened.set()
        assert handle.result(timeout=WITHIN) == "done"
        assert handle.result(timeout=timedelta(seconds=5)) == "done"


def test_a_timeout_error_of_the_workflow_is_not_the_waiters(sqlite_url: str) -> None:
    @perdure.workflow
    def late() -> None:
        raise TimeoutError("its own")

    with serving(sqlite_url, late) as engine, pytest.raises(TimeoutError, match="its own") as error:
        engine.start(late).result(timeout=WITHIN)
    assert type(error.value) is TimeoutError


def test_who_waits_for_nothing_is_told(sqlite_url: str) -> None:
    with engine_of(sqlite_url) as engine:
        with pytest.raises(perdure.WorkflowNotFound, match="nobody"):
            engine.handle("nobody").result(timeout=WITHIN)
        with pytest.raises(perdure.WorkflowNotFound):
            asyncio.run(engine.handle("nobody").aresult(timeout=WITHIN))


def test_another_process_hears_of_the_end_as_well(sqlite_url: str) -> None:
    with engine_of(sqlite_url, greet) as client:
        handles = [client.start(greet, str(i)) for i in range(20)]
        results = [
            in_thread(functools.partial(handle.result, timeout=WITHIN)) for handle in handles
        ]
        with serving(sqlite_url, greet):
            assert [result.result(30) for result in results] == [f"hello {i}" for i in range(20)]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Helpless after a moment."""
    monkeypatch.setattr(outcomes, "HELPLESS_AFTER", 0.05)


def _helpless(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.getMessage() for r in caplog.records if "no live worker" in r.getMessage()]


@pytest.mark.usefixtures("impatient")
def test_who_waits_for_what_nobody_serves_is_told_once(
    sqlite_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    with engine_of(sqlite_url, greet) as engine:
        handle = engine.start(greet, "ada", id="g-1")
        result = in_thread(lambda: handle.result(timeout=WITHIN))
        until(lambda: _helpless(caplog))
        with serving(sqlite_url, greet):
            assert result.result(30) == "hello ada"

    (said,) = _helpless(caplog)
    assert said.startswith("g-1 has waited")
    assert "queue 'default' / workflow 'outcomes.greet'" in said
    assert "perdure worker tests.engine.test_outcomes" in said


@pytest.mark.usefixtures("impatient")
def test_the_advice_survives_two_workflows_of_one_name(
    sqlite_url: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    imported = Registry()
    space: dict[str, Any] = {}
    exec(compile("def greet(): ...", "/elsewhere/greet.py", "exec"), space)  # noqa: S102
    for fn in (greet.fn, space["greet"]):
        imported.add(WorkflowDefinition(fn=fn, name=greet.name))
    with engine_of(sqlite_url, greet) as engine:
        handle = engine.start(greet, "ada")
        monkeypatch.setattr("perdure.registry.IMPORTED", imported)
        with pytest.raises(perdure.WaitTimeout):
            handle.result(timeout=timedelta(seconds=0.5))
    assert len(_helpless(caplog)) == 1


@pytest.mark.usefixtures("impatient")
def test_who_waits_for_what_is_served_is_told_nothing(
    sqlite_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    door = Door()

    @perdure.workflow
    def hold() -> str:
        door.pass_through()
        return "done"

    with serving(sqlite_url, hold) as engine:
        handle = engine.start(hold)
        result = in_thread(lambda: handle.result(timeout=WITHIN))
        door.await_somebody()
        with pytest.raises(perdure.WaitTimeout):
            handle.result(timeout=timedelta(seconds=0.3))
        door.opened.set()
        assert result.result(30) == "done"
    assert _helpless(caplog) == []


def test_closing_the_engine_ends_the_waiting(sqlite_url: str) -> None:
    engine = engine_of(sqlite_url, greet)
    with engine:
        handle = engine.start(greet, "ada")
        result = in_thread(handle.result)
        with pytest.raises(perdure.WaitTimeout):
            handle.result(timeout=timedelta(seconds=0.05))
    with pytest.raises(perdure.PerdureError):
        result.result(5)


def test_a_closed_engine_opens_again_at_the_next_verb(sqlite_url: str) -> None:
    engine = engine_of(sqlite_url, greet)
    with engine:
        handle = engine.start(greet, "ada")
    assert handle.status() is perdure.Status.ENQUEUED
    engine.close()


def test_an_error_of_the_poll_reaches_those_who_wait_and_nobody_else(
    sqlite_url: str, faulty: Faults
) -> None:
    entered, go_on = threading.Event(), threading.Event()

    def broken(real: Any, ids: Collection[str], **options: Any) -> Sequence[WorkflowRecord]:
        if "slow" not in ids:
            return real(ids, **options)  # type: ignore[no-any-return]
        entered.set()
        assert go_on.wait(WITHIN.total_seconds())
        raise ZeroDivisionError("a bug")

    with engine_of(sqlite_url, greet) as engine:
        slow = engine.start(greet, "slow", id="slow")
        faulty.replace("load", broken)
        # One waiter gives up while the poll that is to fail is under way, another stays.
        stays = in_thread(lambda: slow.result(timeout=WITHIN))
        assert entered.wait(WITHIN.total_seconds())
        with pytest.raises(perdure.WaitTimeout):
            slow.result(timeout=timedelta(seconds=0.01))
        go_on.set()
        with pytest.raises(ZeroDivisionError):
            stays.result(30)
        faulty.clear()
        other = engine.start(greet, "ada")
        with serving(sqlite_url, greet):
            assert other.result(timeout=WITHIN) == "hello ada"


def test_a_waiter_that_gives_up_during_a_failing_poll_breaks_nothing(
    sqlite_url: str, faulty: Faults
) -> None:
    entered, go_on = threading.Event(), threading.Event()

    def broken(*_: Any, **__: Any) -> None:
        entered.set()
        assert go_on.wait(WITHIN.total_seconds())
        raise ZeroDivisionError("a bug")

    with engine_of(sqlite_url, greet) as engine:
        handle = engine.start(greet, "ada")
        faulty.replace("load", broken)
        with pytest.raises(perdure.WaitTimeout):
            handle.result(timeout=timedelta(seconds=0.1))
        assert entered.is_set()
        faulty.clear()
        go_on.set()
        with serving(sqlite_url, greet):
            assert handle.result(timeout=WITHIN) == "hello ada"


def test_a_look_that_finds_no_end_is_not_repeated_at_once(
    memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[float] = []
    real = MemoryBackend.load

    def load(self: MemoryBackend, *args: Any, **options: Any) -> Any:
        looks.append(time.monotonic())
        return real(self, *args, **options)

    with engine_of(memory.url, greet) as engine:
        handle = engine.start(greet, "ada")
        monkeypatch.setattr(MemoryBackend, "load", load)
        waiting = in_thread(lambda: handle.result(timeout=WITHIN))
        until(lambda: len(looks) >= 4)
        with engine.worker():
            assert waiting.result(WITHIN.total_seconds()) == "hello ada"
    assert all(after - before >= poll.SHORTEST / 2 for before, after in pairwise(looks[:4]))


def test_who_begins_to_wait_is_looked_for_alone_and_everybody_at_news(
    memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[set[str]] = []
    real = MemoryBackend.load

    def load(self: MemoryBackend, ids: Collection[str], **options: Any) -> Any:
        looks.append(set(ids))
        return real(self, ids, **options)

    for pause in ("SHORTEST", "LONGEST"):
        monkeypatch.setattr(poll, pause, WITHIN.total_seconds())
    with engine_of(memory.url, greet) as engine:
        handles = [engine.start(greet, name, id=name) for name in ("ada", "bob")]
        monkeypatch.setattr(MemoryBackend, "load", load)
        waiting: list[Future[Any]] = []
        for handle in handles:
            waiting.append(in_thread(functools.partial(handle.result, timeout=2 * WITHIN)))
            until(lambda: len(looks) == len(waiting))
        assert looks == [{"ada"}, {"bob"}]
        with engine.worker():
            assert [one.result(30) for one in waiting] == ["hello ada", "hello bob"]
    assert {"ada", "bob"} in looks
