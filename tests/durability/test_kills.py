"""Workers are killed at random moments, again and again."""

import os
import random
import time
from typing import Any

import attrs
import pytest

import perdure

from .fleet import LEASE, SLACK, Fleet, WorkerProcess
from .ledger import Ledger
from .program import chain, fan, nap, relay
from .shapes import check_all

KILLS = 20
EACH = 12
"""Workflows started before each kill."""
PACE = (0.02, 0.4)
"""The shortest and the longest step, in seconds."""
KINDS: tuple[Any, ...] = (chain, relay, fan, nap)


@attrs.define(eq=False)
class Death:
    """A worker was killed; what it owned, and when another claimed the first of it."""

    victim: WorkerProcess
    at: float
    owned: dict[str, int]
    taken: float | None = None
    suspects: bool = False
    """Each of what it owned had struck twice, and so was left to wait for a while."""

    def look(self, ledger: Ledger) -> bool:
        """Whether somebody has taken over."""
        if self.taken is None:
            found = ledger.workflows(self.owned)
            self.suspects = all(found[owned].strikes >= 2 for owned in self.owned)
            if any(found[owned].epoch > epoch for owned, epoch in self.owned.items()):
                self.taken = time.time()
        return self.taken is not None

    def due(self, workers: list[WorkerProcess]) -> float:
        """When somebody must have: a lease and the slack after a worker was there that lived on."""
        dues = (
            (max(self.at, worker.joined) + LEASE + SLACK, worker.died)
            for worker in workers
            if worker is not self.victim and worker.joined is not None
        )
        return min(due for due, died in dues if died is None or died > due)


@pytest.mark.long(50)
def test_workers_killed_at_random_moments_lose_and_repeat_nothing(
    fleet: Fleet, ledger: Ledger, engine: perdure.Engine
) -> None:
    seed = int(os.environ.get("PERDURE_TEST_SEED") or random.randrange(2**32))  # noqa: S311 (not a secret)
    print(f"PERDURE_TEST_SEED={seed}")  # noqa: T201 (shown when the test fails)
    chance = random.Random(seed)  # noqa: S311 (not a secret)
    # Whoever is struck at each kill has done nothing to be parked for.
    fleet.options = ("--concurrency", "16", "--max-recoveries", str(KILLS + 1))
    ids: set[str] = set()
    deaths: list[Death] = []
    for _ in range(KILLS):
        fleet.until(lambda: _ready(fleet, deaths), "two workers join", keep=2)
        ids |= _start_some(engine, chance)
        deaths.append(_kill_one(fleet, chance, deaths))
    fleet.until(lambda: _all_taken(deaths, ledger), "the last takeover", keep=2)
    fleet.until_ended(ids, keep=2)

    check_all(ledger, ids)
    _check_takeovers(deaths, fleet)
    assert "Traceback" not in fleet.logs()


def _start_some(engine: perdure.Engine, chance: random.Random) -> set[str]:
    calls = [chance.choice(KINDS).bind(chance.uniform(*PACE)) for _ in range(EACH)]
    return {handle.id for handle in engine.start_many(calls)}


def _kill_one(fleet: Fleet, chance: random.Random, deaths: list[Death]) -> Death:
    """Kill one of two workers at some moment, watching earlier deaths meanwhile."""
    moment = time.monotonic() + chance.uniform(0, LEASE / 2)

    def come() -> bool:
        _all_taken(deaths, fleet.ledger)
        return time.monotonic() >= moment

    fleet.until(come, "the moment", keep=2)
    workers = fleet.keep(2)
    # One may have claimed all there is before the other was there.
    victim = chance.choice([one for one in workers if _owned(fleet, one)] or workers)
    at = victim.kill()
    return Death(victim, at, _owned(fleet, victim))


def _owned(fleet: Fleet, worker: WorkerProcess) -> dict[str, int]:
    """The workflows that it owns, with their epochs."""
    worker_id = fleet.ledger.living(worker.pid)
    return fleet.ledger.owned(worker_id) if worker_id else {}


def _ready(fleet: Fleet, deaths: list[Death]) -> bool:
    _all_taken(deaths, fleet.ledger)
    return len(fleet.keep(2)) == 2


def _all_taken(deaths: list[Death], ledger: Ledger) -> bool:
    """Whether each dead worker's work has been taken over; looks at all of them."""
    return min((death.look(ledger) for death in deaths if death.owned), default=True)


def _check_takeovers(deaths: list[Death], fleet: Fleet) -> None:
    owners = [death for death in deaths if death.owned]
    assert len(owners) >= KILLS / 2, "too few workers were killed at work"
    took = sorted((death.taken or 0) - death.at for death in owners)
    print(f"takeovers began after {[round(t, 2) for t in took]} s")  # noqa: T201
    clean = [death for death in owners if not death.suspects]
    late = [death for death in clean if (death.taken or 0) > death.due(fleet.workers)]
    assert late == []
