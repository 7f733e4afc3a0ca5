"""A worker is told to stop."""

import signal

import pytest

import perdure

from .fleet import LEASE, SLACK, Fleet
from .ledger import Ledger
from .program import adoor, apatient, chain, door, patient
from .shapes import check_all

SIGNALS = pytest.mark.parametrize(
    "number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"]
)


def _start_waits(engine: perdure.Engine) -> set[str]:
    calls = [workflow.bind() for workflow in (patient, apatient) for _ in range(3)]
    return {handle.id for handle in engine.start_many(calls)}


def _start_bodies(engine: perdure.Engine, gate: str) -> set[str]:
    calls = [workflow.bind(gate) for workflow in (door, adoor) for _ in range(3)]
    return {handle.id for handle in engine.start_many(calls)}


def _at_work(ledger: Ledger, waits: set[str], bodies: set[str]) -> bool:
    """All bodies run, and the first try of all that wait for a second is over."""
    waiting = {run.key[0] for run in ledger.runs() if run.broken}
    return waiting >= waits and ledger.running(bodies)


def _released(ledger: Ledger, ids: set[str]) -> bool:
    """All are back in the queue, and nobody holds it against them."""
    found = ledger.workflows(ids).values()
    return {(w.status, w.owner, w.recoveries, w.strikes) for w in found} == {
        ("enqueued", None, 0, 0)
    }


@SIGNALS
def test_a_drain_lets_bodies_finish_and_releases_waits_at_once(
    fleet: Fleet, ledger: Ledger, engine: perdure.Engine, number: signal.Signals
) -> None:
    (worker,) = fleet.begin(1, "--grace", "20", "--linger", "120")
    waits, bodies = _start_waits(engine), _start_bodies(engine, "gate")
    fleet.until(lambda: _at_work(ledger, waits, bodies), "all are at work")

    worker.signal(number)
    # Not one of these may depend on a lease that runs out.
    took = fleet.until(lambda: _released(ledger, waits), "waits are released")
    assert took < LEASE
    assert worker.alive
    assert {w.status for w in ledger.workflows(bodies).values()} == {"running"}
    ledger.open("gate")
    code, took = fleet.until_gone(worker)
    assert code == 0
    assert took < LEASE + SLACK
    assert [w.dead for w in ledger.workers()] == [True]
    assert _released(ledger, waits | bodies)
    fleet.begin()
    fleet.until_ended(bodies)

    check_all(ledger, bodies)
    ran = ledger.runs_by_key()
    assert {len(runs) for (one, _, _), runs in ran.items() if one in bodies} == {1}


@SIGNALS
def test_a_second_signal_ends_the_process_and_its_work_is_recovered(
    fleet: Fleet, ledger: Ledger, engine: perdure.Engine, number: signal.Signals
) -> None:
    (worker,) = fleet.begin(1, "--linger", "120")
    waits, bodies = _start_waits(engine), _start_bodies(engine, "gate")
    fleet.until(lambda: _at_work(ledger, waits, bodies), "all are at work")

    worker.signal(number)
    fleet.until(lambda: _released(ledger, waits), "the drain has begun")
    worker.signal(number)
    code, took = fleet.until_gone(worker)
    assert code == 128 + number
    assert took < LEASE
    ledger.open("gate")
    fleet.begin()
    fleet.until_ended(bodies)

    check_all(ledger, bodies)
    assert {w.recoveries for w in ledger.workflows(bodies).values()} == {1}


def test_a_step_longer_than_the_grace_is_released_and_runs_again_elsewhere(
    fleet: Fleet, ledger: Ledger, engine: perdure.Engine
) -> None:
    (worker,) = fleet.begin(1, "--grace", "1")
    bodies = _start_bodies(engine, "gate")
    fleet.until(lambda: _at_work(ledger, set(), bodies), "all are at work")

    worker.signal(signal.SIGTERM)
    code, took = fleet.until_gone(worker)
    assert code == 0
    assert 1 <= took < 1 + LEASE + SLACK
    assert _released(ledger, bodies)
    ledger.open("gate")
    fleet.begin()
    fleet.until_ended(bodies)

    check_all(ledger, bodies)
    runs = ledger.runs_by_key()
    assert {len(runs[body, "", 2]) for body in bodies} == {2}


def test_an_idle_worker_leaves_at_once(
    fleet: Fleet, ledger: Ledger, engine: perdure.Engine
) -> None:
    (worker,) = fleet.begin()
    done = {engine.start(chain, 0.01).id}
    fleet.until_ended(done)

    worker.signal(signal.SIGTERM)
    code, took = fleet.until_gone(worker)
    assert code == 0
    assert took < LEASE + SLACK
    assert [w.dead for w in ledger.workers()] == [True]
