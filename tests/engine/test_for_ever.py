"""However long or far a duration or a time is, it means what it says, and holds nobody up."""

import asyncio
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import perdure

from .support import NO_LINGER, await_waiting, engine_of, result_of

EVER = timedelta.max
ALWAYS = timedelta.min
FIRST, LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
GO: perdure.Topic[str] = perdure.Topic("ever.go", str)
READY: perdure.Event[str] = perdure.Event("ever.ready", str)


@perdure.step(timeout=EVER)
def shout(name: str) -> str:
    return name.upper()


@perdure.step(timeout=EVER)
async def ashout(name: str) -> str:
    return name.upper()


@perdure.workflow(name="ever.greet")
def greet(name: str) -> str:
    return f"hello {name}"


@perdure.workflow(name="ever.loud")
def loud(name: str) -> str:
    return f"hello {shout(name)}"


@perdure.workflow(name="ever.aloud")
async def aloud(name: str) -> str:
    return f"hello {await ashout.acall(name)}"


@perdure.workflow(name="ever.waiter")
def waiter() -> str:
    READY.set("ready")
    return perdure.receive(GO, timeout=EVER)


@perdure.workflow(name="ever.parent")
def parent() -> str:
    child = perdure.start_child(greet, "ada", timeout=EVER)
    first = perdure.first([child], timeout=EVER)
    return first.result(timeout=EVER)


@perdure.workflow(name="ever.sleeper")
def sleeper(length: timedelta) -> str:
    perdure.sleep(length)
    return "rested"


@perdure.workflow(name="ever.asleeper")
async def asleeper(until: datetime) -> str:
    await perdure.asleep_until(until)
    return "rested"


EVERY = (greet, loud, aloud, waiter, parent, sleeper, asleeper)


@contextmanager
def working(url: str) -> Generator[perdure.Engine, None, None]:
    """An engine with a worker, both as patient as can be, which goes on working afterwards."""
    with engine_of(url, *EVERY, linger=NO_LINGER) as engine, engine.worker(grace=EVER):
        yield engine
        assert result_of(engine.start(greet, "others", delay=timedelta(seconds=0.1)))


@pytest.mark.parametrize("workflow", [loud, aloud], ids=str)
def test_a_step_may_take_for_ever(database_url: str, workflow: perdure.Workflow[..., str]) -> None:
    with working(database_url) as engine:
        assert result_of(engine.start(workflow, "ada")) == "hello ADA"


def test_results_events_and_messages_are_waited_for_for_ever(database_url: str) -> None:
    with working(database_url) as engine:
        handle = engine.start(waiter)
        assert handle.event(READY, timeout=EVER) == "ready"
        assert asyncio.run(handle.aevent(READY, timeout=EVER)) == "ready"
        await_waiting(handle)
        handle.send(GO, "go")
        assert handle.result(timeout=EVER) == "go"
        assert asyncio.run(handle.aresult(timeout=EVER)) == "go"
        assert result_of(engine.start(parent)) == "hello ada"


@pytest.mark.parametrize(
    "options",
    [
        {"timeout": EVER},
        {"deadline": LAST},
        {"delay": ALWAYS},
        {"run_at": FIRST},
    ],
    ids=str,
)
def test_what_never_ends_a_workflow_and_what_has_always_been_due(
    database_url: str, options: dict[str, Any]
) -> None:
    with working(database_url) as engine:
        assert result_of(engine.start(greet, "ada", **options)) == "hello ada"


@pytest.mark.parametrize("options", [{"delay": EVER}, {"run_at": LAST}], ids=str)
def test_what_is_never_due(database_url: str, options: dict[str, Any]) -> None:
    with working(database_url) as engine:
        handle = engine.start(greet, "ada", **options)
        assert handle.record().status is perdure.Status.DELAYED
        handle.cancel("enough")
        with pytest.raises(perdure.WorkflowCancelled):
            result_of(handle)


def test_what_is_over_since_ever(database_url: str) -> None:
    with working(database_url) as engine, pytest.raises(perdure.WorkflowCancelled):
        result_of(engine.start(sleeper, EVER, deadline=FIRST))


@pytest.mark.parametrize(
    ("endless", "short"),
    [(sleeper.bind(EVER), sleeper.bind(ALWAYS)), (asleeper.bind(LAST), asleeper.bind(FIRST))],
    ids=["sleep", "asleep_until"],
)
def test_who_sleeps_for_ever(
    database_url: str, endless: perdure.Call[str], short: perdure.Call[str]
) -> None:
    with working(database_url) as engine:
        handle = engine.start(endless)
        await_waiting(handle)
        assert result_of(engine.start(short)) == "rested"
        handle.cancel("enough")
        with pytest.raises(perdure.WorkflowCancelled):
            result_of(handle)


WRONG: Any = 5
"""Seconds, as peers of ours take them."""


def _patient_step(_: perdure.Engine) -> object:
    return perdure.step(timeout=WRONG)(shout.fn)


def _patient_engine(_: perdure.Engine) -> object:
    return perdure.Engine("memory://refused", lease=WRONG)


def _patient_worker(engine: perdure.Engine) -> object:
    return engine.worker(grace=WRONG)


def _patient_reader(engine: perdure.Engine) -> object:
    return engine.start(greet, "ada").result(timeout=WRONG)


@pytest.mark.parametrize("wait", [_patient_reader, _patient_worker, _patient_step, _patient_engine])
def test_a_number_is_no_duration(sqlite_url: str, wait: Callable[[perdure.Engine], object]) -> None:
    with (
        engine_of(sqlite_url, greet) as engine,
        pytest.raises(perdure.UsageError, match=r"timedelta\(seconds="),
    ):
        wait(engine)
