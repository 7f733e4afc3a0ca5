"""Workers die while workflows sleep."""

import pytest

import perdure

from .fleet import LEASE, Fleet
from .ledger import Ledger
from .program import asleeper, sleeper

DEATHS = 3
LONG = 60.0
"""Seconds that no test waits for."""


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """One database will do: what counts as progress is the same in all."""
    return sqlite_url


@pytest.mark.xfail(
    reason="a death of the worker counts against a workflow that only slept through it"
)
def test_workflows_that_sleep_through_crashes_are_not_suspected(
    fleet: Fleet, ledger: Ledger, engine: perdure.Engine
) -> None:
    fleet.options = ("--max-recoveries", str(DEATHS))
    calls = [workflow.bind(LONG) for workflow in (sleeper, asleeper) for _ in range(3)]
    ids = {handle.id for handle in engine.start_many(calls)}
    (worker,) = fleet.begin()
    fleet.until(lambda: len(ledger.steps()) == len(ids), "all sleep")
    for _ in range(DEATHS):
        worker.kill()
        (worker,) = fleet.begin()
        _until_taken_over(fleet, ids, worker.pid)

    found = ledger.workflows(ids).values()
    assert {w.recoveries for w in found} == {DEATHS}
    assert max(w.strikes for w in found) <= 1


def _until_taken_over(fleet: Fleet, ids: set[str], pid: int) -> None:
    """Wait until that process owns all of them."""

    def taken() -> bool:
        worker_id = fleet.ledger.living(pid)
        return worker_id is not None and set(fleet.ledger.owned(worker_id)) == ids

    fleet.until(taken, f"{pid} takes all over", seconds=4 * LEASE)
