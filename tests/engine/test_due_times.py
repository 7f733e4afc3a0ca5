"""What is due begins when it is due, though no heartbeat comes by then."""

from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest

import perdure

from .support import NO_LINGER, WITHIN, engine_of, result_of, until

RARE = {"heartbeat": 10 * WITHIN, "lease": 60 * WITHIN}
"""Whatever waits for the second heartbeat of a worker comes too late for these tests."""
DELAYS = [timedelta(milliseconds=each) for each in (400, 100, 200, 300)]


@perdure.workflow(name="due.greet")
def greet(name: str) -> str:
    return f"hello {name}"


@perdure.workflow(name="due.nap")
async def nap(length: timedelta) -> str:
    await perdure.asleep(length)
    return "rested"


@contextmanager
def rarely_beating(url: str) -> Generator[perdure.Engine, None, None]:
    """An engine with a worker that has sent the heartbeat with which it begins."""
    with engine_of(url, greet, nap, linger=NO_LINGER, **RARE) as engine, engine.worker():
        assert engine.start(greet, "first").result(timeout=WITHIN) == "hello first"
        yield engine


def test_a_time_that_falls_between_two_ticks_of_the_databases_clock(database_url: str) -> None:
    with rarely_beating(database_url) as engine:
        for _ in range(10):
            now = perdure.now()
            due = now.replace(microsecond=now.microsecond // 1000 * 1000) + timedelta(
                seconds=0.08001
            )
            assert result_of(engine.start(greet, "ada", run_at=due)) == "hello ada"


def test_all_that_are_delayed_and_not_the_first_alone(database_url: str) -> None:
    with rarely_beating(database_url) as engine:
        handles = [engine.start(greet, "ada", delay=delay) for delay in DELAYS]
        assert [result_of(handle) for handle in handles] == ["hello ada"] * len(DELAYS)
        starts = [greet.bind("bob").options(delay=delay) for delay in DELAYS]
        handles = engine.start_many(starts)
        assert [result_of(handle) for handle in handles] == ["hello bob"] * len(DELAYS)


def test_all_that_sleep_and_not_the_first_alone(database_url: str) -> None:
    with rarely_beating(database_url) as engine:
        handles = [engine.start(nap, delay) for delay in DELAYS]
        assert [result_of(handle) for handle in handles] == ["rested"] * len(DELAYS)


def _is_heard(client: perdure.Engine) -> bool:
    """Whether the worker listens already: what it missed before it hears of now as well."""
    try:
        handle = client.start(greet, "ada", delay=DELAYS[1])
        return handle.result(timeout=timedelta(seconds=1)) == "hello ada"
    except perdure.WaitTimeout:
        return False


def test_what_another_process_starts(postgres_url: str) -> None:
    """News of it come through where the database can tell any."""
    with rarely_beating(postgres_url), engine_of(postgres_url, greet) as client:
        until(lambda: _is_heard(client))
        handles = [client.start(greet, "ada", delay=delay) for delay in DELAYS]
        assert [result_of(handle) for handle in handles] == ["hello ada"] * len(DELAYS)


def test_a_deadline_behind_one_that_was_kept(database_url: str) -> None:
    with rarely_beating(database_url) as engine:
        kept = engine.start(greet, "ada", timeout=DELAYS[1])
        missed = engine.start(nap, 3 * WITHIN, timeout=DELAYS[2])
        assert result_of(kept) == "hello ada"
        with pytest.raises(perdure.WorkflowCancelled):
            result_of(missed)


def test_what_is_due_behind_something_in_thousands_of_years(database_url: str) -> None:
    with engine_of(database_url, greet, nap) as client:
        client.start(greet, "far", run_at=datetime(9000, 1, 1, tzinfo=UTC))
    with rarely_beating(database_url) as engine:
        assert result_of(engine.start(greet, "ada", delay=DELAYS[1])) == "hello ada"
        assert result_of(engine.start(nap, DELAYS[1])) == "rested"
