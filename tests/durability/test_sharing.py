"""Several worker processes on one file; workers that are forked."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import perdure

from . import program
from .fleet import PATIENCE, Fleet
from .ledger import Ledger
from .program import chain, fan, nap, relay
from .shapes import check_all

WORKERS = 3
MANY = 240


@pytest.fixture
def database_url(request: pytest.FixtureRequest) -> str:
    """A file, unless the test says otherwise."""
    fixture = getattr(request, "param", "sqlite_url")
    url: str = request.getfixturevalue(fixture)
    return url


def test_workers_that_share_a_file_get_a_fair_share_and_keep_their_leases(
    fleet: Fleet, ledger: Ledger, engine: perdure.Engine
) -> None:
    workers = fleet.begin(WORKERS, "--concurrency", "8")
    calls = [workflow.bind(0.01) for workflow in (chain, fan, nap, relay) for _ in range(MANY // 4)]
    ids = {handle.id for handle in engine.start_many(calls)}
    fleet.until_ended(ids)

    check_all(ledger, ids)
    shares = Counter(run.pid for run in ledger.runs())
    print(f"bodies: {sorted(shares.values())}")  # noqa: T201 (shown when the test fails)
    assert set(shares) == {worker.pid for worker in workers}
    assert min(shares.values()) > sum(shares.values()) / (2 * WORKERS)
    assert [worker.dead for worker in ledger.workers()] == [False] * WORKERS
    assert {w.epoch for w in ledger.workflows(ids).values()} == {1}


@pytest.mark.parametrize(
    "database_url", ["sqlite_url", "postgres_url"], indirect=True, ids=["sqlite", "postgresql"]
)
def test_workers_forked_after_their_parent_used_its_engine_do_its_work(
    ledger: Ledger, engine: perdure.Engine, database_url: str
) -> None:
    assert engine
    ended = subprocess.run(  # noqa: S603 (our own program)
        [sys.executable, str(Path(program.__file__)), database_url, "--forks", "2"],
        cwd=ledger.folder,
        timeout=PATIENCE,
        capture_output=True,
        check=False,
        text=True,
    )

    assert ended.returncode == 0, ended.stderr
    assert "Traceback" not in ended.stderr
    ids = set(ledger.workflows())
    assert len(ids) == 11
    check_all(ledger, ids)
    workers = ledger.workers()
    assert len(workers) == len({worker.pid for worker in workers}) == 2
    assert {run.pid for run in ledger.runs()} <= {worker.pid for worker in workers}
    assert all(worker.dead for worker in workers)
