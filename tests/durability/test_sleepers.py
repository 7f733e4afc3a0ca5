"""Workers die while workflows sleep."""

from collections.abc import Iterable

import perdure

from .fleet import LEASE, Fleet
from .ledger import CLOCKS, Ledger
from .program import asleeper, sleeper

DEATHS = 3
LONG = 60.0
"""Seconds that no test waits for."""
SHORT = 3.0
"""Seconds that a test waits for; longer than what stays in memory."""


def test_a_long_sleep_is_a_row_that_no_death_touches(
    fleet: Fleet, ledger: Ledger, engine: perdure.Engine
) -> None:
    ids = _start(engine, LONG)
    (worker,) = fleet.begin()
    fleet.until(lambda: _all_wait(ledger, ids), "all sleep")
    for _ in range(DEATHS):
        killed = worker.pid
        worker.kill()
        (worker,) = fleet.begin()
        _until_buried(fleet, killed)

    found = ledger.workflows(ids).values()
    assert {(w.status, w.recoveries, w.strikes) for w in found} == {("waiting", 0, 0)}


def test_who_sleeps_longer_than_its_worker_lives_wakes_elsewhere_and_on_time(
    fleet: Fleet, ledger: Ledger, engine: perdure.Engine
) -> None:
    ids = _start(engine, SHORT)
    (worker,) = fleet.begin()
    fleet.until(lambda: _all_wait(ledger, ids), "all sleep")
    worker.kill()
    fleet.begin()
    fleet.until_ended(ids)

    assert {w.status for w in ledger.workflows(ids).values()} == {"success"}
    for one in ids:
        assert [step.key[2] for step in ledger.steps() if step.key[0] == one] == [1, 2, 3]
        first, second = (run for run in ledger.runs() if run.key[0] == one)
        assert second.began >= first.began + SHORT - CLOCKS


def _start(engine: perdure.Engine, seconds: float) -> set[str]:
    calls = [workflow.bind(seconds) for workflow in (sleeper, asleeper) for _ in range(3)]
    return {handle.id for handle in engine.start_many(calls)}


def _until_buried(fleet: Fleet, pid: int) -> None:
    """Wait until the others know that this worker is dead."""
    fleet.until(lambda: fleet.ledger.living(pid) is None, f"{pid} is dead", seconds=4 * LEASE)


def _all_wait(ledger: Ledger, ids: Iterable[str]) -> bool:
    found = ledger.workflows(ids).values()
    return all(w.status == "waiting" and w.owner is None for w in found)
