"""A worker is stopped past its lease and comes back."""

import signal

import perdure

from .fleet import Fleet, WorkerProcess
from .ledger import Ledger
from .program import adoor, asleeper, chain, door, sleeper
from .shapes import check_all


def test_a_worker_that_was_stopped_past_its_lease_changes_nothing(
    fleet: Fleet, ledger: Ledger, engine: perdure.Engine
) -> None:
    doors = [workflow.bind("gate") for workflow in (door, adoor) for _ in range(5)]
    at_doors = {handle.id for handle in engine.start_many(doors)}
    calls = [workflow.bind(2.0) for workflow in (sleeper, asleeper) for _ in range(5)]
    ids = at_doors | {handle.id for handle in engine.start_many(calls)}
    (zombie,) = fleet.begin()
    former = ledger.living(zombie.pid)
    fleet.until(lambda: ledger.running(at_doors), "all bodies run")
    (other,) = fleet.begin()

    _stop(zombie, ledger)
    fleet.until(lambda: _runs(ledger, other.pid) >= at_doors, "the other worker takes over")
    ledger.open("gate")
    fleet.until_ended(ids)
    before = ledger.workflows(), ledger.steps()
    woken = zombie.signal(signal.SIGCONT)
    fleet.until(lambda: ledger.living(zombie.pid) not in {None, former}, "the zombie rejoins")
    # Its bodies saw the open gate, so all it could do for these workflows it has tried.
    fleet.until(lambda: all(r.ended or r.broken for r in ledger.runs()), "its bodies end")
    other.signal(signal.SIGTERM)
    assert fleet.until_gone(other)[0] == 0
    fresh = {engine.start(chain, 0.01).id for _ in range(5)}
    fleet.until_ended(fresh)

    found = ledger.workflows(ids), [s for s in ledger.steps() if s.key[0] in ids]
    assert found == before
    check_all(ledger, ids | fresh)
    late = [r for r in ledger.runs() if r.began > woken and r.pid == zombie.pid]
    assert {run.key[0] for run in late} == fresh


def _stop(worker: WorkerProcess, ledger: Ledger) -> None:
    """Stop it where it holds no lock of a file: there is no cure for that."""
    worker.signal(signal.SIGSTOP)
    while not ledger.writable():
        worker.signal(signal.SIGCONT)
        worker.signal(signal.SIGSTOP)


def _runs(ledger: Ledger, pid: int) -> set[str]:
    """The workflows whose second step that process runs or ran."""
    return {r.key[0] for r in ledger.runs() if r.pid == pid and r.key[2] == 2}
