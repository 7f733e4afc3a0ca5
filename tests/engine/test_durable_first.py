"""No body begins before every record of its workflow is durable, whichever branch made it.

And nobody else sees an outcome before: no other step, process or reader.
"""

import asyncio
import threading
from collections.abc import Generator
from contextlib import closing, contextmanager
from datetime import timedelta
from typing import Any

import psycopg
import pytest

import perdure
from perdure.backend import Backend, Batch, Committed
from perdure.url import open_backend

from .faulty import Faults, installed
from .support import WITHIN, Door, serving, until

_LEASE = timedelta(minutes=5)
"""Long enough for a worker whose row is locked, so that only its commits wait."""
_CALLS = 4
_BESIDE = 5


@pytest.fixture
def faulty(monkeypatch: pytest.MonkeyPatch) -> Faults:
    """What is wrong with the database."""
    return installed(monkeypatch)


def test_a_body_waits_for_the_records_of_the_other_branches(
    sqlite_url: str, faulty: Faults
) -> None:
    happened: list[str] = []
    begun = threading.Event()

    def slow(real: Any, worker_id: str, batch: Batch) -> Committed:
        first = any(step.kind == "now" for step in batch.steps)
        if first:
            # Long enough for a body that does not wait.
            begun.wait(0.3)
        answer: Committed = real(worker_id, batch)
        if first:
            happened.append("durable")
        return answer

    @perdure.step
    async def act() -> None:
        happened.append("body")
        begun.set()

    async def look() -> None:
        perdure.now()  # recorded, and not waited for

    @perdure.workflow
    async def branches() -> None:
        await asyncio.gather(look(), act())

    faulty.replace("commit", slow)
    with serving(sqlite_url, branches) as engine:
        engine.start(branches).result(timeout=WITHIN)
    assert happened == ["durable", "body"]


# ------------------------------------------- every body looks for itself

_seen: list[tuple[set[int], set[int]]] = []
"""For each body: the outcomes that it was called with, and those that it found recorded."""
_readers: list[Backend] = []


def _look(number: int, known: list[int]) -> int:
    histories = _readers[0].history([perdure.current_step().workflow_id])
    found = {int(step.output_json or 0) for history in histories for step in history.steps}
    _seen.append((set(known), found))
    return number


look = perdure.step(_look)


@perdure.step
async def alook(number: int, known: list[int]) -> int:
    """Look, and return one's number."""
    return _look(number, known)


@perdure.workflow
def in_turn() -> list[int]:
    """One step after another."""
    known: list[int] = []
    for number in range(_CALLS):
        known.append(look(number, known))
    return known


@perdure.workflow
async def ain_turn() -> list[int]:
    """One step after another, of both colours."""
    known: list[int] = []
    for number in range(_CALLS):
        known.append(await (alook if number % 2 else look.acall)(number, known))
    return known


@perdure.workflow
def beside() -> list[int]:
    """Steps beside each other, wave after wave."""
    known: list[int] = []
    for wave in range(_CALLS):
        futures = [look.submit(wave * _BESIDE + n, list(known)) for n in range(_BESIDE)]
        known += [future.result() for future in futures]
    return known


@perdure.workflow
async def branches() -> list[int]:
    """Branches that use each other's outcomes."""
    known: list[int] = []

    async def branch(first: int) -> None:
        for number in range(first, first + _CALLS):
            known.append(await alook(number, list(known)))

    await asyncio.gather(*[branch(_CALLS * n) for n in range(_BESIDE)])
    return known


@pytest.fixture
def reader(database_url: str) -> Generator[Backend, None, None]:
    """A connection of somebody else's."""
    _seen.clear()
    with closing(open_backend(database_url, namespace="perdure")) as reader:
        _readers[:] = [reader]
        yield reader


@pytest.mark.parametrize("shape", [in_turn, ain_turn, beside, branches], ids=lambda s: s.name)
def test_every_body_finds_the_outcomes_recorded_that_it_was_called_with(
    database_url: str, reader: Backend, shape: perdure.Workflow[[], Any]
) -> None:
    del reader  # the bodies have it
    with serving(database_url, shape) as engine:
        handles = engine.start_many([shape.bind()] * 20)
        ends = [handle.result(timeout=WITHIN) for handle in handles]
    assert len(_seen) == sum(len(end) for end in ends)
    assert [(known, found) for known, found in _seen if not known <= found] == []


# ------------------------------------- while the commit waits for a lock

_doors: list[Door] = []
_begun = threading.Event()


@perdure.step
def first() -> str:
    """Take as long as somebody stands in the door."""
    _doors[0].pass_through()
    return "first"


@perdure.step
async def afirst() -> str:
    """The same; the loop waits along."""
    _doors[0].pass_through()
    return "first"


@perdure.step
def second() -> None:
    """Say that it has begun."""
    _begun.set()


@perdure.step
async def asecond() -> None:
    """Say that it has begun."""
    _begun.set()


@perdure.workflow
def two() -> str:
    """Two steps."""
    value = first()
    second()
    return value


@perdure.workflow
async def atwo() -> str:
    """Two steps."""
    value = await afirst()
    await asecond()
    return value


@perdure.workflow
def one() -> str:
    """One step, whose record is written together with the end."""
    return first()


@perdure.workflow
async def aone() -> str:
    """The same."""
    return await afirst()


@pytest.fixture
def door() -> Door:
    """In which the first step stands."""
    _doors[:] = [Door()]
    _begun.clear()
    return _doors[0]


@contextmanager
def _locked(url: str) -> Generator[psycopg.Connection[Any], None, None]:
    """Somebody's transaction holds the worker's row, on which every commit depends."""
    with psycopg.connect(url) as holder, psycopg.connect(url, autocommit=True) as psql:
        holder.execute("SELECT 1 FROM perdure.workers FOR UPDATE")
        yield psql
        holder.rollback()


def _waits(psql: psycopg.Connection[Any]) -> bool:
    """Whether a commit of steps waits for a lock."""
    found = psql.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
        "AND cardinality(pg_blocking_pids(pid)) > 0 AND query LIKE '%INSERT INTO%workflow_steps%'"
    ).fetchone()
    return bool(found and found[0])


def _long_leased(url: str, *workflows: perdure.Workflow[..., Any]) -> perdure.Engine:
    return perdure.Engine(
        url, workflows=workflows, migrate=True, lease=_LEASE, heartbeat=_LEASE / 4
    )


@pytest.mark.parametrize("shape", [two, atwo, one, aone], ids=lambda s: s.name)
def test_while_a_commit_waits_no_step_no_process_and_no_reader_has_its_outcome(
    postgres_url: str, door: Door, shape: perdure.Workflow[[], Any]
) -> None:
    with _long_leased(postgres_url, shape) as engine, engine.worker():
        handle = engine.start(shape)
        door.await_somebody()
        with _locked(postgres_url) as psql, _long_leased(postgres_url, shape) as other:
            door.opened.set()
            until(lambda: _waits(psql))
            seen = other.handle(handle.id, shape)
            assert not _begun.wait(0.2)
            assert seen.status() is perdure.Status.RUNNING
            assert seen.steps() == []
            with pytest.raises(perdure.WaitTimeout):
                handle.result(timeout=timedelta(seconds=0.1))
        assert handle.result(timeout=WITHIN) == "first"
        assert handle.steps()[0].output_json == '"first"'
