"""Steps beside a sync workflow: `submit` and its futures."""

import asyncio
import threading

import pytest

import perdure

from .support import WITHIN, ran, serving


@perdure.step
def square(number: int) -> int:
    return number * number


@perdure.step
async def asquare(number: int) -> int:
    await asyncio.sleep(0)
    return number * number


@perdure.workflow
def fan(width: int) -> int:
    futures = [(square if i % 2 else asquare).submit(i) for i in range(width)]
    return sum(future.result() for future in futures)


def test_a_full_pool_of_workflows_that_wait_for_their_steps_gets_through(sqlite_url: str) -> None:
    with serving(sqlite_url, fan, threads=2) as engine:
        handles = engine.start_many([fan.bind(6)] * 20)
        assert [handle.result(timeout=WITHIN) for handle in handles] == [55] * 20


def test_submitted_steps_run_at_the_same_time(sqlite_url: str) -> None:
    together = threading.Barrier(3)

    @perdure.step
    def meet() -> int:
        return together.wait(WITHIN.total_seconds())

    @perdure.workflow
    def outer() -> list[int]:
        futures = [meet.submit() for _ in range(3)]
        return sorted(future.result() for future in futures)

    assert ran(sqlite_url, outer.bind(), threads=4) == [0, 1, 2]


def test_a_step_that_has_not_begun_runs_where_its_result_is_asked_for(sqlite_url: str) -> None:
    @perdure.step
    def where() -> int:
        return threading.get_ident()

    @perdure.workflow
    def outer() -> bool:
        return where.submit().result() == threading.get_ident()

    assert ran(sqlite_url, outer.bind(), threads=1)


def test_a_result_may_be_asked_for_many_times(sqlite_url: str) -> None:
    calls: list[int] = []

    @perdure.step
    def once() -> int:
        calls.append(1)
        return len(calls)

    @perdure.workflow
    def outer() -> list[int]:
        future = once.submit()
        return [future.result(), future.result()]

    assert ran(sqlite_url, outer.bind()) == [1, 1]


@pytest.mark.parametrize("threads", [1, 4])
def test_a_future_raises_what_its_step_raises(sqlite_url: str, threads: int) -> None:
    @perdure.step
    def fail() -> None:
        raise KeyError("gone")

    @perdure.workflow
    def outer() -> str:
        future = fail.submit()
        for _ in range(2):
            with pytest.raises(KeyError, match="gone"):
                future.result()
        return "seen"

    assert ran(sqlite_url, outer.bind(), threads=threads) == "seen"


def test_a_future_that_nobody_asks_is_recorded_if_it_ends_in_time(sqlite_url: str) -> None:
    done = threading.Event()

    @perdure.step
    def aside() -> None:
        done.set()

    @perdure.workflow
    def outer() -> int:
        aside.submit()
        assert done.wait(WITHIN.total_seconds())
        return square(3)

    assert ran(sqlite_url, outer.bind()) == 9


def test_sync_steps_of_an_async_workflow_share_a_small_pool(sqlite_url: str) -> None:
    @perdure.workflow
    async def outer() -> int:
        return sum(await asyncio.gather(*(square.acall(i) for i in range(20))))

    assert ran(sqlite_url, outer.bind(), threads=2) == sum(i * i for i in range(20))
