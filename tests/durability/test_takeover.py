"""A worker dies while no other lives."""

import time

import pytest

import perdure

from .fleet import LEASE, SLACK, Fleet
from .ledger import Ledger
from .program import adoor, door
from .shapes import check_all


@pytest.mark.parametrize("pause", [0, 1.25 * LEASE], ids=["at once", "after the lease"])
def test_a_worker_that_starts_later_takes_over_from_the_dead(
    fleet: Fleet, ledger: Ledger, engine: perdure.Engine, pause: float
) -> None:
    calls = [workflow.bind("gate") for workflow in (door, adoor) for _ in range(5)]
    ids = {handle.id for handle in engine.start_many(calls)}
    (victim,) = fleet.begin()
    fleet.until(lambda: ledger.running(ids), "all bodies run")
    killed = victim.kill()
    ledger.open("gate")
    fleet.until(lambda: time.time() >= killed + pause, "the moment")

    began = time.time()
    (heir,) = fleet.begin()
    fleet.until_ended(ids)

    first = min(run.began for run in ledger.runs() if run.pid == heir.pid)
    print(f"took over after {first - began:.2f} s")  # noqa: T201 (shown when the test fails)
    assert first - began < 2 * LEASE + SLACK
    check_all(ledger, ids)
    assert {w.recoveries for w in ledger.workflows(ids).values()} == {1}
