"""A database that is away costs time and nothing else."""

import asyncio
import logging
import threading
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

import perdure
from perdure import claimer

from .faulty import Faults, installed
from .support import WITHIN, Door, engine_of, result_of, serving, until

LEASE = {"lease": timedelta(seconds=2), "heartbeat": timedelta(seconds=0.3)}
BODIES: Counter[str] = Counter()


@pytest.fixture
def faulty(monkeypatch: pytest.MonkeyPatch) -> Faults:
    BODIES.clear()
    return installed(monkeypatch)


def away() -> perdure.BackendUnavailable:
    return perdure.BackendUnavailable("sqlite:///shop.db", "it is unplugged")


def unknown() -> perdure.OutcomeUnknown:
    return perdure.OutcomeUnknown("sqlite:///shop.db", "the answer is lost")


@perdure.step(name="work")
async def work(name: str) -> str:
    BODIES[name] += 1
    await asyncio.sleep(0)
    return name


@perdure.step(name="toil")
def toil(name: str) -> str:
    BODIES[name] += 1
    return name


@perdure.workflow(name="outages.chain")
def chain(name: str) -> str:
    return "".join(toil(f"{name}{i}") for i in range(5))


@perdure.workflow(name="outages.achain")
async def achain(name: str) -> str:
    return "".join([await work(f"{name}{i}") for i in range(5)])


def calls() -> list[perdure.Call[str]]:
    made: list[perdure.Call[str]] = []
    for i in range(10):
        made += [
            chain.bind(f"s{i}-").options(id=f"s{i}"),
            achain.bind(f"a{i}-").options(id=f"a{i}"),
        ]
    return made


def all_well(engine: perdure.Engine) -> None:
    for call in calls():
        name = call.start_options.id
        assert name is not None
        handle = engine.handle(name, achain)
        assert result_of(handle) == "".join(f"{name}-{i}" for i in range(5))
        assert [step.seq for step in handle.steps()] == [1, 2, 3, 4, 5]


def told(caplog: pytest.LogCaptureFixture, what: str) -> list[str]:
    return [r.getMessage() for r in caplog.records if what in r.getMessage()]


@pytest.mark.parametrize("break_it", ["fail", "answer_lost"])
def test_checkpoints_that_cannot_be_written_are_written_later(
    sqlite_url: str, faulty: Faults, caplog: pytest.LogCaptureFixture, break_it: str
) -> None:
    with serving(sqlite_url, chain, achain) as engine:
        breaks: Callable[..., None] = getattr(faulty, break_it)
        breaks("commit", error=away if break_it == "fail" else unknown)
        engine.start_many(calls())
        until(lambda: [verb for verb, _ in faulty.calls].count("commit") >= 3)
        assert not any(BODIES[f"{c}{i}-1"] for c in "sa" for i in range(10))
        faulty.clear()
        all_well(engine)

    assert set(BODIES.values()) == {1}
    assert len(told(caplog, "cannot write checkpoints")) == 1
    assert len(told(caplog, "can write checkpoints again")) == 1
    assert not [r for r in caplog.records if r.levelno >= logging.ERROR]


def test_work_that_cannot_be_claimed_is_claimed_later(
    sqlite_url: str, faulty: Faults, caplog: pytest.LogCaptureFixture
) -> None:
    with serving(sqlite_url, chain, achain) as engine:
        faulty.fail("claim", error=away)
        engine.start_many(calls())
        until(lambda: [verb for verb, _ in faulty.calls].count("claim") >= 3)
        faulty.clear()
        all_well(engine)

    assert set(BODIES.values()) == {1}
    assert len(told(caplog, "cannot claim work")) == 1


def test_a_claim_whose_answer_is_lost_is_reconciled(sqlite_url: str, faulty: Faults) -> None:
    lost: list[int] = []

    def once(real: Callable[..., Any], *args: object, **options: object) -> Any:
        answer = real(*args, **options)
        if answer and len(lost) < 3:
            lost.append(len(answer))
            raise unknown()
        return answer

    faulty.replace("claim", once)
    with serving(sqlite_url, chain, achain) as engine:
        engine.start_many(calls())
        all_well(engine)
        assert len(lost) == 3
        assert {record.strikes for record in engine.find()} == {0}
    assert set(BODIES.values()) == {1}


def test_heartbeats_that_fail_for_a_while_cost_no_work(
    sqlite_url: str, faulty: Faults, caplog: pytest.LogCaptureFixture
) -> None:
    with engine_of(sqlite_url, chain, achain, **LEASE) as engine, engine.worker() as worker:
        before = worker.id
        faulty.fail("heartbeat", error=away)
        until(lambda: len(told(caplog, "cannot send a heartbeat")) == 1)
        engine.start_many(calls())
        until(lambda: [verb for verb, _ in faulty.calls].count("heartbeat") >= 4)
        faulty.clear()
        all_well(engine)
        assert worker.id == before
    assert set(BODIES.values()) == {1}
    assert len(told(caplog, "cannot send a heartbeat")) == 1


@pytest.mark.parametrize("error", [away, unknown])
def test_when_everything_fails_for_a_while_nothing_is_lost(
    sqlite_url: str,
    faulty: Faults,
    caplog: pytest.LogCaptureFixture,
    error: Callable[[], Exception],
) -> None:
    verbs = ("commit", "claim", "heartbeat", "history", "load", "reap", "reconcile", "wake")
    with engine_of(sqlite_url, chain, achain, **LEASE) as engine, engine.worker():
        handles = engine.start_many(calls())
        waiting = threading.Thread(target=lambda: result_of(handles[0]))
        waiting.start()
        faulty.fail(*verbs, error=error)
        until(lambda: [verb for verb, _ in faulty.calls].count("heartbeat") >= 4)
        faulty.clear()
        all_well(engine)
        waiting.join(5)
        assert not waiting.is_alive()
    assert set(BODIES.values()) == {1}
    assert not [r for r in caplog.records if r.levelno >= logging.ERROR]


def test_a_history_that_cannot_be_read_is_read_later(sqlite_url: str, faulty: Faults) -> None:
    door = Door()

    @perdure.step(name="hold")
    def hold() -> None:
        door.pass_through()

    @perdure.workflow(name="outer")
    def outer() -> str:
        text = toil("before")
        hold()
        return text

    with engine_of(sqlite_url, outer) as engine:
        with engine.worker(grace=timedelta(0)):
            handle = engine.start(outer)
            door.await_somebody()
        door.opened.set()
        faulty.fail("history", error=away)
        with engine.worker():
            until(lambda: [verb for verb, _ in faulty.calls].count("history") >= 3)
            assert handle.status() is perdure.Status.RUNNING
            faulty.clear()
            assert result_of(handle) == "before"
    assert BODIES["before"] == 1


def test_a_drain_without_a_database_ends(
    sqlite_url: str, faulty: Faults, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claimer, "RECONCILE_EVERY", 0.05)
    engine = engine_of(sqlite_url, chain, achain, **LEASE)
    with engine:
        with engine.worker(grace=timedelta(0)):
            faulty.fail("commit", "claim", "heartbeat", "reconcile", error=away)
            engine.start_many(calls())
            until(lambda: [verb for verb, _ in faulty.calls].count("heartbeat") >= 2)
        faulty.clear()
    with engine, engine.worker():
        all_well(engine)


def test_a_verb_of_the_client_tells_its_caller_that_the_database_is_away(
    sqlite_url: str, faulty: Faults
) -> None:
    with engine_of(sqlite_url, chain) as engine:
        faulty.fail("submit", "load", error=away)
        with pytest.raises(perdure.BackendUnavailable, match="unplugged"):
            engine.start(chain, "x")
        with pytest.raises(ConnectionError):
            engine.handle("x").status()


def test_a_result_waits_for_the_database_to_come_back(sqlite_url: str, faulty: Faults) -> None:
    with serving(sqlite_url, chain) as engine:
        handle = engine.start(chain, "x")
        faulty.fail("load", error=away)
        with pytest.raises(perdure.WaitTimeout):
            handle.result(timeout=timedelta(seconds=0.2))
        faulty.clear()
        assert handle.result(timeout=WITHIN) == "x0x1x2x3x4"


def test_a_bug_in_a_chore_kills_no_worker(
    sqlite_url: str, faulty: Faults, caplog: pytest.LogCaptureFixture
) -> None:
    def bug() -> Exception:
        return ZeroDivisionError("a bug")

    with engine_of(sqlite_url, chain, achain, **LEASE) as engine, engine.worker():
        faulty.fail("claim", "heartbeat", "wake", "reconcile", error=bug)
        until(lambda: told(caplog, "claiming failed") and told(caplog, "a heartbeat failed"))
        faulty.clear()
        engine.start_many(calls())
        all_well(engine)
