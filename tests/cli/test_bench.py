"""`perdure bench`: each workload, small; that its figures are there and make sense, not how fast."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest

from perdure.cli.bench.crew import crew
from perdure.cli.bench.ground import Ground
from perdure.cli.bench.setting import Mode

from .terminal import PATIENCE, Perdure

DRAINED = {"workflows_per_second", "steps_per_second"}
LIMIT = {"limit_workflows_per_second", "ratio_to_limit"}
WAITED = {"p50_ms", "p99_ms", "same_process_p50_ms", "same_process_p99_ms", "commit_ms"}
FIGURES = {
    "drain": DRAINED | LIMIT,
    "enqueue": {"single_workflows_per_second", "workflows_per_second", "ratio_to_bulk"},
    "latency": WAITED | {"p50_commits", "idle_commit_ms", "p50_idle_commits"},
    "steps": {"ms_per_step", "commit_ms", "commits_per_step"},
    "history": DRAINED | {"empty_workflows_per_second", "ratio_to_empty"},
    "snapshot": DRAINED | {"alone_workflows_per_second", "ratio_to_alone"},
    "limit": {"limit_workflows_per_second"},
    "waiting": {"wakeups_per_second"},
    "messages": {"messages_per_second", "sends_per_second", "p50_ms", "p99_ms"},
}


def bench(perdure: Perdure, workload: str, *more: str) -> dict[str, Any]:
    """What the last line of a small benchmark says."""
    given = ("--workflows", "20", "--steps", "2", "--history", "50", "--repeat", "1", "--json")
    answer = perdure("bench", workload, *given, *more)
    assert answer.code == 0, answer.err
    told: dict[str, Any] = answer.json
    assert told["workload"] == workload
    assert (told["workflows"], told["steps"], told["payload"]) == (20, 2, 100)
    assert len(told["runs"]) == told["repeat"] == 1
    return told


@pytest.mark.parametrize("workload", FIGURES)
def test_a_workload_tells_its_figures_on_sqlite(perdure: Perdure, workload: str) -> None:
    told = bench(perdure, workload)
    assert told["backend"].startswith("sqlite:///")
    for name in FIGURES[workload]:
        assert told[name] == told["runs"][0][name] > 0
    assert not [*perdure.folder.rglob("*.db*")]


@pytest.mark.parametrize(
    "workload", ["drain", "latency", "enqueue", "history", "waiting", "messages"]
)
def test_a_workload_tells_its_figures_on_postgresql(
    perdure: Perdure, postgres_url: str, workload: str
) -> None:
    told = bench(perdure, workload, "-d", postgres_url)
    assert told["backend"].startswith("postgresql://")
    for name in FIGURES[workload]:
        assert told[name] > 0
    with psycopg.connect(postgres_url) as look:
        left = look.execute("SELECT 1 FROM pg_namespace WHERE nspname LIKE 'perdure%'")
        assert left.fetchall() == []


def test_idle_counts_the_transactions_of_a_worker(perdure: Perdure, postgres_url: str) -> None:
    told = bench(perdure, "idle", "-d", postgres_url, "--seconds", "2", "--workers", "1")
    assert 0 < told["transactions_per_second"] < 20


def test_recovery_ends_what_a_killed_worker_held(perdure: Perdure) -> None:
    told = bench(perdure, "recovery")
    assert told["seconds"] == pytest.approx(told["seconds_beyond_lease"] + 10)


HASTY = """
from perdure.cli import main
from perdure.cli.bench import waiting

waiting._PATIENCE = (0, 1)
main()
"""
"""A benchmark that gives its workflows no time at first."""


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="only Linux tells of a process")
def test_who_woke_before_all_were_asleep_sleeps_again_and_longer(sqlite_url: str) -> None:
    asked = ["bench", "waiting", "--workflows=20", "--workers=1", "--repeat=1", "--json"]
    run = subprocess.run(  # noqa: S603 (our own interpreter)
        [sys.executable, "-c", HASTY, *asked, "-d", sqlite_url],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    told = json.loads(run.stdout.splitlines()[-1])
    assert told["wakeups_per_second"] > 0
    assert told["threads"] < told["workflows"]
    assert abs(told["bytes_per_workflow"]) < 10_000_000


def test_drain_runs_sync_workflows_too(perdure: Perdure) -> None:
    assert bench(perdure, "drain", "--mode", "sync", "--workers", "1")["mode"] == "sync"


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="only Linux pins processes")
def test_a_pinned_worker_stays_on_one_processor(sqlite_url: str) -> None:
    ground = Ground(sqlite_url, "perdure")
    ground.engine().migrate()
    with crew(ground, "work", size=2, pinned=True, mode=Mode.SYNC) as members:
        for member in members:
            member.go()
            member.hear()
        where = [_processors(member.process.pid) for member in members]
    assert [len(each) for each in where] == [1, 1]
    assert len({*where}) == min(2, len(os.sched_getaffinity(0)))


def _processors(pid: int) -> frozenset[int]:
    """Those on which any of its threads may run."""
    threads = [int(path.name) for path in Path(f"/proc/{pid}/task").iterdir()]
    return frozenset(cpu for thread in threads for cpu in os.sched_getaffinity(thread))


def test_a_table_is_printed_where_no_json_is_asked_for(perdure: Perdure) -> None:
    answer = perdure("bench", "limit", "--workflows", "20", "--repeat", "2")
    assert answer.code == 0, answer.err
    assert answer.out.startswith("limit on sqlite:///")
    assert "median of 2 runs" in answer.out
    assert "limit_workflows_per_second" in answer.out


def test_what_a_database_does_not_count_is_refused(perdure: Perdure) -> None:
    answer = perdure("bench", "idle", "--repeat", "1")
    assert answer.code == 2
    assert "does not count its transactions" in answer.err
