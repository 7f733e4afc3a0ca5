"""Gates: what work may cost the database, in figures that do not depend on the machine.

The server is one that nobody else uses, with every commit forced to the disk.
"""

import logging
import time
from collections.abc import Generator
from datetime import timedelta
from typing import Any

import psycopg
import pytest

import perdure
from perdure.claimer import LONGEST_POLL
from perdure_compat.suite.races import until

from .counters import Meter, Tally, reads, tallied

_WITHIN = timedelta(minutes=2)
_LONG = _WITHIN.total_seconds()
_TEXT = "x" * 100
_UNENDED = "SELECT count(*) FROM perdure.workflows WHERE status <> 'success'"
_TOLD = 10.5
"""Seconds after which PostgreSQL has told what a session did that does no more."""
_WINDOW = 10.0
"""Seconds: a multiple of each interval at which an idle worker looks at something."""

log = logging.getLogger(__name__)

_ran: list[str] = []


@perdure.step
async def act(text: str) -> str:
    """Return what it was given."""
    _ran.append(text)
    return text


@perdure.workflow
async def acts(number: int, text: str) -> str:
    """So many steps, one after another."""
    for _ in range(number):
        await act(text)
    return text


@perdure.step
def sync_act(text: str) -> str:
    """Return what it was given."""
    _ran.append(text)
    return text


@perdure.workflow
def sync_acts(number: int, text: str) -> str:
    """So many steps, one after another, in a thread."""
    for _ in range(number):
        sync_act(text)
    return text


@perdure.workflow
def sync_parent(number: int, text: str) -> str:
    """So many children, one after another."""
    for _ in range(number):
        sync_acts(1, text)
    return text


@pytest.fixture
def meter(postgres_alone: str) -> Generator[Meter, None, None]:
    """The counters of a fresh database."""
    with psycopg.connect(postgres_alone, autocommit=True) as admin:
        admin.execute("CREATE DATABASE metered")
        meter = Meter(admin, "metered")
        yield meter
        meter.settled()
        admin.execute("DROP DATABASE metered")


@pytest.fixture
def url(postgres_alone: str, meter: Meter) -> str:
    """Where the metered database is."""
    return f"{postgres_alone.rpartition('/')[0]}/{meter.database}"


@pytest.fixture
def tally(monkeypatch: pytest.MonkeyPatch) -> Tally:
    """Every statement of the engines that a test opens."""
    return tallied(monkeypatch)


def _engine(url: str) -> perdure.Engine:
    _ran.clear()
    return perdure.Engine(url, workflows=[acts, sync_acts, sync_parent], migrate=True)


def _await_ends(url: str, steps: int) -> int:
    """Wait until so many steps have run and all workflows have ended; how often it looked."""
    looks = 0

    def unended() -> int:
        nonlocal looks
        looks += 1
        found = looker.execute(_UNENDED).fetchone()
        return int(found[0]) if found else 0

    until(lambda: len(_ran) >= steps, within=_LONG)
    with psycopg.connect(url, autocommit=True) as looker:
        until(lambda: unended() == 0, within=_LONG)
    return looks


@pytest.mark.parametrize(("workflow", "most"), [(acts, 0.10), (sync_acts, 0.15)])
def test_a_drain_costs_few_transactions_and_syncs_and_little_wal(
    meter: Meter, url: str, workflow: perdure.Workflow[[int, str], Any], most: float
) -> None:
    """Whose records wait for the same flush go on together, so that the next one gathers them."""
    number = 2_000
    with _engine(url) as engine:
        engine.start_many(workflow.bind(3, _TEXT) for _ in range(number))
    before = meter.settled()
    with _engine(url) as engine, engine.worker(concurrency=500, threads=500):
        looks = _await_ends(url, 3 * number)
    spent = meter.settled().since(before)
    log.info("%d workflows: %s", number, spent)
    assert 0 < spent.transactions - looks <= most * number
    assert 0 < spent.syncs <= most / 2 * number
    assert 0 < spent.wal <= 2_500 * number


def test_nothing_between_start_and_end_goes_workflow_by_workflow(url: str, tally: Tally) -> None:
    number = 1_000
    with _engine(url) as engine:
        with tally.during() as texts:
            engine.start_many(acts.bind(1, _TEXT) for _ in range(number))
        assert sum("INSERT INTO perdure.workflows" in text for text in texts) == 1
        # The news of it go out meanwhile or afterwards.
        assert len(texts) <= 2
        with tally.during() as texts, engine.worker(concurrency=500):
            _await_ends(url, number)
    assert len(texts) <= 0.10 * number


def test_a_sequential_step_costs_one_statement_and_no_look_at_the_database(
    url: str, tally: Tally
) -> None:
    steps = 500
    with _engine(url) as engine, engine.worker():
        engine.start(acts, 1, _TEXT).result(timeout=_WITHIN)
        with tally.during() as texts:
            engine.start(acts, steps, _TEXT).result(timeout=_WITHIN)
    log.info("%d steps: %d statements", steps, len(texts))
    assert len(texts) <= 1.2 * steps
    assert len(reads(texts)) <= 0.1 * steps
    assert not any("workflow_steps" in text for text in reads(texts))


@pytest.mark.parametrize("workflow", [acts, sync_acts])
def test_two_workflows_share_their_commits_and_do_not_take_turns(
    url: str, tally: Tally, workflow: perdure.Workflow[[int, str], Any]
) -> None:
    steps = 400
    with _engine(url) as engine, engine.worker(), tally.during() as texts:
        one = engine.start(workflow, steps, _TEXT)
        until(lambda: len(_ran) > steps / 20, within=_LONG)
        other = engine.start(workflow, steps, _TEXT)
        for each in (one, other):
            each.result(timeout=_WITHIN)
    commits = sum("INSERT INTO perdure.workflow_steps" in text for text in texts)
    log.info("two workflows of %d steps: %d commits", steps, commits)
    assert steps < commits <= 1.5 * steps


def test_wake_ups_are_applied_when_a_child_ends_and_not_when_it_is_started(
    url: str, tally: Tally
) -> None:
    children = 100
    with _engine(url) as engine, engine.worker(), tally.during() as texts:
        engine.start(sync_parent, children, _TEXT).result(timeout=_WITHIN)
    applied = sum("DELETE FROM perdure.wakeups" in text for text in texts)
    log.info("%d children: %d statements, %d for wake-ups", children, len(texts), applied)
    assert 0 < applied <= 1.3 * children


def test_an_idle_worker_makes_less_than_one_transaction_a_second(
    meter: Meter, url: str, tally: Tally
) -> None:
    with _engine(url) as engine, engine.worker():
        begun = time.monotonic()
        until(lambda: time.monotonic() - begun > _TOLD and _polls_seldom(tally), within=_LONG)
        before = meter.now()
        time.sleep(_WINDOW)  # a rate has no condition to wait for
        spent = meter.now().since(before)
    log.info("%d transactions in %.0f s", spent.transactions, _WINDOW)
    assert 0 < spent.transactions <= _WINDOW


def _polls_seldom(tally: Tally) -> bool:
    """Whether nobody has asked for work for longer than who hears of none would wait."""
    return tally.seconds_since("AS candidate") > 3 * LONGEST_POLL
