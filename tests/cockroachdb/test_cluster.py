"""Grade R: a real CockroachDB cluster, its nodes killed and its leases moved under load."""

import os
import random
import subprocess
import sys
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest

import perdure

from ..durability.fleet import Fleet
from ..durability.program import chain, fan, nap, relay
from ..durability.shapes import check_all
from .cluster import Cluster
from .conftest import Database
from .patience import PatientLedger, patiently, start
from .subject import NOT_RUN, THERE

if not THERE:
    pytest.skip(NOT_RUN, allow_module_level=True)

SUITE_WITHIN = 5400.0
"""Seconds for the whole suite: each of its tests makes tables of its own."""
SETTLED_WITHIN = 300.0
"""Seconds within which a load ends: many times what it takes while all is well."""
EACH = 40
MOVES = 60
KINDS: tuple[Any, ...] = (chain, relay, fan, nap)


def _load(tag: str, pace: float) -> list[perdure.Call[Any]]:
    """Workflows of all kinds, with ids: starting them again starts nothing twice."""
    chance = random.Random(tag)  # noqa: S311 (not a secret)
    return [
        chance.choice(KINDS).bind(pace * chance.random()).options(id=f"{tag}-{number}")
        for number in range(EACH)
    ]


def _begin_on_each(fleet: Fleet, cluster: Cluster, database: Database) -> None:
    """A worker for each node, which takes that one first."""
    for node in cluster.nodes:
        fleet.url = cluster.url(database.name, first=node.number)
        fleet.begin()


def test_the_suite_finds_no_broken_promise(database: Database, tmp_path: Path) -> None:
    reports = Path(os.environ.get("PERDURE_TEST_REPORTS") or tmp_path)
    reports.mkdir(parents=True, exist_ok=True)
    written = ["--json", str(reports / "cockroachdb.json")]
    written += ["--report", str(reports / "cockroachdb.md")]
    run = subprocess.run(  # noqa: S603 (our own interpreter and module)
        [sys.executable, "-m", "perdure_compat", database.url, *written],
        capture_output=True,
        text=True,
        timeout=SUITE_WITHIN,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr


def test_a_killed_worker_loses_and_repeats_nothing(
    fleet: Fleet, ledger: PatientLedger, engine: perdure.Engine
) -> None:
    victim, _ = fleet.begin(2)
    ids = start(engine, _load("worker", 0.2))
    fleet.until(lambda: len(ledger.runs()) > EACH, "work is under way", seconds=SETTLED_WITHIN)
    victim.kill()
    fleet.until_ended(ids, seconds=SETTLED_WITHIN)
    check_all(ledger, ids)


def test_nodes_killed_one_after_another_lose_and_repeat_nothing(
    cluster: Cluster,
    database: Database,
    fleet: Fleet,
    ledger: PatientLedger,
    engine: perdure.Engine,
) -> None:
    """What is started while a node is gone also ends while it is gone."""
    cluster.await_replicas(database.name)
    _begin_on_each(fleet, cluster, database)
    ids: set[str] = set()
    for node in cluster.nodes:
        ids |= start(engine, _load(f"before-{node.number}", 0.3))
        cluster.kill(node.number)
        missed = start(engine, _load(f"without-{node.number}", 0.3))
        fleet.until_ended(missed, seconds=SETTLED_WITHIN)
        ids |= missed
        cluster.restart(node.number)
    fleet.until_ended(ids, seconds=SETTLED_WITHIN)
    check_all(ledger, ids)


def test_leases_that_move_under_load_lose_and_repeat_nothing(
    cluster: Cluster,
    database: Database,
    fleet: Fleet,
    ledger: PatientLedger,
    engine: perdure.Engine,
) -> None:
    cluster.await_replicas(database.name)
    _begin_on_each(fleet, cluster, database)
    ids = start(engine, _load("leases-0", 0.5))
    ranges = cluster.ranges(database.name)
    turns = cycle([(key, store) for key, stores in ranges.items() for store in stores])
    moved = 0
    for number, (range_id, store) in zip(range(1, MOVES + 1), turns, strict=False):
        moved += cluster.move_lease(range_id, store) == "ok"
        if number % EACH == 0:
            ids |= start(engine, _load(f"leases-{number}", 0.5))
    fleet.until_ended(ids, seconds=SETTLED_WITHIN)
    check_all(ledger, ids)
    # A few may be refused: the cluster moves leases and splits ranges by itself too.
    assert moved > MOVES / 2


def test_a_client_whose_node_dies_goes_on_through_another(
    cluster: Cluster, database: Database, fleet: Fleet, ledger: PatientLedger
) -> None:
    """The URL names all nodes; the client and its worker had taken the first."""
    cluster.await_replicas(database.name)
    fleet.begin()
    with perdure.Engine(database.url) as client:
        ids = start(client, _load("first", 0.1))
        cluster.kill(0)
        try:
            ids |= start(client, _load("second", 0.1))
            for handle in map(client.handle, sorted(ids)):
                patiently(handle.result, perdure.BackendUnavailable)
        finally:
            cluster.restart(0)
    check_all(ledger, ids)
