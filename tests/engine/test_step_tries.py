"""A failing step is tried again as its `Retry` says; what is recorded is the last try."""

import asyncio
import contextlib
import logging
import threading
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

import perdure

from .support import AT_ONCE, WITHIN, Door, at_once, engine_of, ran, serving, until

NOW = timedelta(0)


class Flaky(Exception):
    pass


class Hopeless(Flaky):
    pass


def outcome(
    url: str, retries: perdure.Retry, fail: Callable[[int], None]
) -> tuple[list[int], perdure.StepRecord]:
    """The tries that a step's body saw, and its record."""
    seen: list[int] = []

    @perdure.step(retries=retries)
    def attempt() -> int:
        seen.append(perdure.current_step().attempt)
        fail(len(seen))
        return len(seen)

    @perdure.workflow
    def outer() -> int:
        return attempt()

    with serving(url, outer) as engine:
        handle = engine.start(outer)
        with contextlib.suppress(Flaky, perdure.GiveUp):
            handle.result(timeout=WITHIN)
        (step,) = handle.steps()
        return seen, step


def raising(error: Exception, until_try: int = 99) -> Callable[[int], None]:
    def fail(number: int) -> None:
        if number < until_try:
            raise error

    return fail


def test_a_step_is_not_tried_again_unless_told(sqlite_url: str) -> None:
    bodies: list[int] = []

    @perdure.step
    def attempt() -> None:
        bodies.append(1)
        raise Flaky("once")

    @perdure.workflow
    def outer() -> None:
        attempt()

    with pytest.raises(Flaky, match="once"):
        ran(sqlite_url, outer.bind())
    assert bodies == [1]


def test_tries_are_counted_and_the_last_is_recorded(sqlite_url: str) -> None:
    seen, step = outcome(sqlite_url, perdure.Retry(5, delay=NOW), raising(Flaky("x"), until_try=3))

    assert seen == [1, 2, 3]
    assert (step.attempts, step.status, step.output(int)) == (3, "success", 3)


def test_when_the_tries_are_used_up_the_error_is_recorded(sqlite_url: str) -> None:
    seen, step = outcome(sqlite_url, perdure.Retry(3, delay=NOW), raising(Flaky("still")))

    assert seen == [1, 2, 3]
    assert (step.attempts, step.status, step.error_message) == (3, "error", "still")
    with pytest.raises(perdure.SerializationError):
        step.output(int)


@pytest.mark.parametrize(
    ("retries", "error", "tries"),
    [
        (perdure.Retry(5, delay=NOW), perdure.GiveUp("no use"), 1),
        (perdure.Retry(5, delay=NOW, never_on=Hopeless), Hopeless("x"), 1),
        (perdure.Retry(5, delay=NOW, never_on=Hopeless), Flaky("x"), 5),
        (perdure.Retry(5, delay=NOW, on=OSError), Flaky("x"), 1),
        (perdure.Retry(5, delay=NOW, on=(OSError, Flaky)), Flaky("x"), 5),
        (perdure.Retry(5, delay=NOW, on=lambda e: "y" in str(e)), Flaky("x"), 1),
        (perdure.Retry(5, delay=NOW, on=lambda e: "x" in str(e)), Flaky("x"), 5),
    ],
)
def test_only_errors_worth_it_are_tried_again(
    sqlite_url: str, retries: perdure.Retry, error: Exception, tries: int
) -> None:
    seen, step = outcome(sqlite_url, retries, raising(error))

    assert len(seen) == step.attempts == tries


def test_an_error_of_the_predicate_is_the_steps_outcome(sqlite_url: str) -> None:
    def ask(error: Exception) -> bool:
        raise Flaky("cannot say") from error

    seen, step = outcome(sqlite_url, perdure.Retry(5, on=ask), raising(Hopeless("x")))

    assert seen == [1]
    assert (step.status, step.error_message) == ("error", "cannot say")


def test_the_key_for_the_outside_world_is_the_same_at_each_try(sqlite_url: str) -> None:
    keys: list[str] = []

    @perdure.step(retries=perdure.Retry(3, delay=NOW))
    async def attempt() -> str:
        keys.append(perdure.current_step().idempotency_key)
        if len(keys) < 3:
            raise Flaky
        return keys[0]

    async def branch() -> str:
        return await attempt()

    @perdure.workflow
    async def outer() -> str:
        (key,) = await asyncio.gather(branch())
        return key

    assert ran(sqlite_url, outer.bind().options(id="w")) == "w#1:1"
    assert keys == ["w#1:1"] * 3


def test_a_try_that_will_be_followed_by_another_is_logged(
    sqlite_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "perdure")

    outcome(sqlite_url, perdure.Retry(2, delay=NOW), raising(Flaky("x"), until_try=2))

    (said,) = [r for r in caplog.records if "try 1 of step" in r.message]
    fields: Any = said
    assert "Flaky" in said.message
    assert (fields.attempt, fields.step.rpartition(".")[2]) == (1, "attempt")


@pytest.mark.parametrize("colour", ["sync", "async"])
def test_a_drain_does_not_wait_for_the_next_try(sqlite_url: str, colour: str) -> None:
    bodies = Counter[str]()

    @perdure.step(retries=perdure.Retry(3, delay=timedelta(hours=1)))
    def attempt() -> str:
        bodies["attempt"] += 1
        if bodies["attempt"] == 1:
            raise Flaky
        return "done"

    @perdure.workflow
    def outer() -> str:
        return attempt()

    @perdure.workflow
    async def aouter() -> str:
        return await attempt.acall()

    linger = timedelta(hours=2)  # a longer one would not be in memory
    with engine_of(sqlite_url, outer, aouter, linger=linger) as engine:
        with at_once(), engine.worker():
            handle = engine.start(outer if colour == "sync" else aouter)
            until(lambda: bodies["attempt"])
        assert handle.status() is perdure.Status.ENQUEUED
        with engine.worker():
            assert handle.result(timeout=WITHIN) == "done"


# ------------------------------------------------------------------ timeouts


def test_an_async_try_that_takes_too_long_is_cancelled(sqlite_url: str) -> None:
    ended: list[str] = []

    @perdure.step(timeout=timedelta(milliseconds=20))
    async def slow() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    @perdure.workflow
    async def outer() -> None:
        await slow()

    with pytest.raises(perdure.StepTimeout, match=r"try 1 of step .*slow .*0:00:00.02"):
        ran(sqlite_url, outer.bind())
    assert ended == ["cancelled"]


@pytest.mark.parametrize("place", ["sync", "acall", "submit"])
def test_a_sync_try_that_takes_too_long_is_left_behind(sqlite_url: str, place: str) -> None:
    door = Door()
    ghosts: list[str] = []

    @perdure.step(timeout=timedelta(milliseconds=20))
    def slow() -> None:
        door.pass_through()
        ghosts.append("finished")

    @perdure.workflow
    def outer() -> None:
        slow()

    @perdure.workflow
    def submitting() -> None:
        slow.submit().result()

    @perdure.workflow
    async def aouter() -> None:
        await slow.acall()

    call = {"sync": outer.bind(), "submit": submitting.bind(), "acall": aouter.bind()}[place]
    try:
        with pytest.raises(perdure.StepTimeout) as caught:
            ran(sqlite_url, call, grace=AT_ONCE)
    finally:
        door.opened.set()
    assert isinstance(caught.value, TimeoutError)
    until(lambda: ghosts)


def test_a_timeout_counts_for_each_try_and_is_tried_again(sqlite_url: str) -> None:
    tries: list[int] = []

    @perdure.step(timeout=timedelta(milliseconds=50), retries=perdure.Retry(3, delay=NOW))
    async def slow() -> int:
        tries.append(1)
        if len(tries) < 3:
            await asyncio.sleep(60)
        return len(tries)

    @perdure.workflow
    async def outer() -> int:
        return await slow()

    with serving(sqlite_url, outer) as engine:
        handle = engine.start(outer)
        assert handle.result(timeout=WITHIN) == 3
        assert handle.steps()[0].attempts == 3


@pytest.mark.parametrize("colour", ["sync", "async"])
def test_a_timeout_of_the_bodys_own_stays_what_it_is(sqlite_url: str, colour: str) -> None:
    @perdure.step(timeout=timedelta(minutes=1))
    def fails() -> None:
        raise TimeoutError("a socket's")

    @perdure.step(timeout=timedelta(minutes=1))
    async def afails() -> None:
        raise TimeoutError("a socket's")

    @perdure.workflow
    async def outer() -> None:
        await (fails.acall() if colour == "sync" else afails())

    with pytest.raises(TimeoutError, match="a socket's") as caught:
        ran(sqlite_url, outer.bind())
    assert type(caught.value) is TimeoutError


def test_a_sync_step_can_look_at_its_deadline(sqlite_url: str) -> None:
    @perdure.step(timeout=timedelta(seconds=30))
    def look() -> bool:
        deadline = perdure.current_step().deadline
        assert deadline is not None
        return timedelta(0) < deadline - perdure.now() <= timedelta(seconds=30)

    @perdure.workflow
    def outer() -> bool:
        return look()

    assert ran(sqlite_url, outer.bind())


def test_a_step_with_a_timeout_runs_in_a_thread_of_its_own(sqlite_url: str) -> None:
    @perdure.step(timeout=timedelta(seconds=30))
    def where() -> int:
        return threading.get_ident()

    @perdure.workflow
    def outer() -> bool:
        return where() != threading.get_ident()

    assert ran(sqlite_url, outer.bind(), threads=1)
