"""PostgreSQL is restarted in the middle of a run."""

import os
import signal
import time
from pathlib import Path
from typing import Protocol

import pytest

import perdure

from .fleet import LEASE, Fleet
from .ledger import Ledger
from .program import chain, fan, nap, relay
from .shapes import check_all

WORKERS = 2


class Server(Protocol):
    """A PostgreSQL that can be stopped and started."""

    @property
    def url(self) -> str: ...
    @property
    def data(self) -> Path: ...
    def start(self) -> None: ...
    def stop(self) -> None:
        """Stop at once, as a crash would."""


@pytest.fixture
def database_url(postgres_restarts: Server) -> str:
    """On a server of one's own."""
    return postgres_restarts.url


def test_a_restart_of_the_database_fails_no_workflow(
    fleet: Fleet, ledger: Ledger, engine: perdure.Engine, postgres_restarts: Server
) -> None:
    workers = fleet.begin(WORKERS)
    ids = _start_some(fleet, engine)
    _stop_orderly(fleet, postgres_restarts)
    postgres_restarts.start()
    fleet.until_ended(ids)

    check_all(ledger, ids)
    _check_workers(fleet)
    assert all(worker.alive for worker in workers)


def test_a_crash_of_the_database_for_longer_than_a_lease_fails_no_workflow(
    fleet: Fleet, ledger: Ledger, engine: perdure.Engine, postgres_restarts: Server
) -> None:
    workers = fleet.begin(WORKERS)
    ids = _start_some(fleet, engine)
    postgres_restarts.stop()
    time.sleep(2 * LEASE)  # how long it is away
    postgres_restarts.start()
    fleet.until_ended(ids)

    check_all(ledger, ids)
    _check_workers(fleet)
    assert all(worker.alive for worker in workers)


def _start_some(fleet: Fleet, engine: perdure.Engine) -> set[str]:
    """Workflows that are under way."""
    calls = [workflow.bind(0.5) for workflow in (chain, fan, nap, relay) for _ in range(20)]
    ids = {handle.id for handle in engine.start_many(calls)}
    fleet.until(lambda: len(fleet.ledger.steps()) > len(ids), "the run is under way")
    return ids


def _stop_orderly(fleet: Fleet, server: Server) -> None:
    """As `pg_ctl stop -m fast`: transactions are rolled back, connections ended."""
    file = server.data / "postmaster.pid"
    os.kill(int(file.read_text().split()[0]), signal.SIGINT)
    fleet.until(lambda: not file.exists(), "PostgreSQL stops")


def _check_workers(fleet: Fleet) -> None:
    """Nobody could send a heartbeat, so nobody is dead for it."""
    assert "Traceback" not in fleet.logs()
    assert [worker.dead for worker in fleet.ledger.workers()] == [False] * WORKERS
    assert {w.recoveries for w in fleet.ledger.workflows().values()} == {0}
