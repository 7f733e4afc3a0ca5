"""Every verb under every single fault and under pairs of them, against the world without faults.

`perdure_backends.testing.trials` says what counts as broken. The CockroachDB
backend runs on a PostgreSQL here: evidence about statements, not about CockroachDB.
"""

import logging
import sqlite3
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, closing
from typing import Any, TypeVar

import attrs
import psycopg
import pytest
from sqlalchemy import Connection

from perdure.backend import NOT_YOURS, RECORDED, Backend, Batch
from perdure.model import Status
from perdure_backends.cockroachdb import CockroachBackend
from perdure_backends.postgres import PostgresBackend
from perdure_backends.sql.runner import Runner
from perdure_backends.sqlite import SqliteBackend
from perdure_backends.testing.mishaps import COCKROACHDB, POSTGRES, SQLITE
from perdure_backends.testing.trials import Act, Trial, Unjust, Verb, require
from perdure_backends.testing.world import World
from perdure_compat.suite.records import (
    AT_ONCE,
    LANE,
    LEASE,
    PATIENT,
    WHEN,
    claim,
    end,
    finish,
    info,
    job,
    join,
    own,
    record,
    step,
    submit,
    wait,
)

T = TypeVar("T")
_log = logging.getLogger(__name__)
_PAIRS = 60
"""Of each verb's pairs, on each database."""


# ---------------------------------------------------------------- worlds


@pytest.fixture
def on_sqlite(sqlite_url: str) -> Generator[World, None, None]:
    """A world in a file."""
    with ExitStack() as stack:
        faulty, clean = (stack.enter_context(closing(SqliteBackend(sqlite_url))) for _ in range(2))
        clean.migrate()
        path = sqlite_url.removeprefix("sqlite:///")
        raw = stack.enter_context(closing(sqlite3.connect(path, isolation_level=None)))
        raw.execute("PRAGMA synchronous = OFF")
        yield World(faulty, clean, raw, SQLITE)


@pytest.fixture
def on_postgres(postgres_url: str, psql: psycopg.Connection[Any]) -> Generator[World, None, None]:
    """A world on PostgreSQL."""
    with (
        closing(PostgresBackend(postgres_url)) as faulty,
        closing(PostgresBackend(postgres_url)) as clean,
    ):
        clean.migrate()
        yield World(faulty, clean, psql, POSTGRES)


@pytest.fixture
def cockroach_dialect_on_postgres(
    postgres_url: str, psql: psycopg.Connection[Any]
) -> Generator[World, None, None]:
    """CockroachDB's statements and error codes on PostgreSQL."""
    url = postgres_url.replace("postgresql://", "cockroachdb://")
    with (
        closing(CockroachBackend(url, check_server=False)) as faulty,
        closing(CockroachBackend(url, check_server=False)) as clean,
    ):
        clean.migrate()
        yield World(faulty, clean, psql, COCKROACHDB)


@pytest.fixture(params=["on_sqlite", "on_postgres", "cockroach_dialect_on_postgres"])
def world(request: pytest.FixtureRequest) -> World:
    """Each of them in turn."""
    found: World = request.getfixturevalue(request.param)
    return found


# ----------------------------------------------------------------- verbs


def _join(_: World) -> Act:
    return lambda backend: backend.join(info("a"), lease=LEASE)


def _heartbeat(world: World) -> Act:
    join(world.clean, "a", "b")

    def act(backend: Backend) -> object:
        pulse = backend.heartbeat("a", lease=LEASE)
        return pulse and (sorted(peer.worker_id for peer in pulse.peers), pulse.orphans)

    return act


def _leave(world: World) -> Act:
    join(world.clean, "a")
    own(world.clean, "a", "v")
    return lambda backend: backend.leave("a")


def _submit(world: World) -> Act:
    submit(world.clean, "v")
    jobs = [job("v"), job("w"), job("x", delay=LEASE)]
    return lambda backend: sorted(found.id for found in backend.submit(jobs))


def _claim(world: World) -> Act:
    join(world.clean, "a")
    submit(world.clean, "v", "w", "x", "y")

    def act(backend: Backend) -> object:
        return {each.id: each.epoch for each in backend.claim("a", [LANE], limit=2)}

    return act


def _reconciled(act: Act) -> Act:
    def again(backend: Backend) -> object:
        backend.reconcile("a", ())
        return act(backend)

    return again


def _all_that_it_owns(world: World, answer: object) -> None:
    owned = world.epochs(owner="a")
    require(answer == owned, f"claimed {answer} and owns {owned}")
    require(1 <= len(owned) <= 2, f"claimed {owned}")


def _commit(world: World) -> Act:
    join(world.clean, "a", "b")
    own(world.clean, "b", "foreign")
    own(world.clean, "a", "v", "w", "x")
    record(world.clean, "a", step("x"))
    batch = Batch(
        steps=[step("v"), step("v", 2), step("foreign"), step("x", 2)],
        waits=[wait("w")],
        transitions=[
            end("v", output_json="1"),
            end("foreign"),
            end("w", Status.WAITING, run_at=WHEN),
        ],
    )

    def act(backend: Backend) -> object:
        said = backend.commit("a", batch)
        return (said.fenced, *said.steps, *said.waits, *said.transitions)

    return act


_COMMITTED = (
    *(False, RECORDED, RECORDED, NOT_YOURS, RECORDED, RECORDED),
    *(Status.SUCCESS, NOT_YOURS, Status.WAITING),
)


def _reap(world: World) -> Act:
    join(world.clean, "a", "b")
    own(world.clean, "a", "v", "w")
    record(world.clean, "a", step("v"))
    pulse = world.clean.heartbeat("b", lease=LEASE)
    assert pulse
    world.expire()
    seen = [peer for peer in pulse.peers if peer.worker_id == "a"]

    def act(backend: Backend) -> object:
        said = backend.reap(seen, margin=AT_ONCE, recovery=PATIENT, limit=10)
        return (list(said.workers), dict(said.workflows))

    return act


_FREED = {"v": Status.ENQUEUED, "w": Status.ENQUEUED}


def _reconcile(world: World) -> Act:
    join(world.clean, "a")
    own(world.clean, "a", "v", "w")
    return lambda backend: list(backend.reconcile("a", ["v"]))


def _wake(world: World) -> Act:
    join(world.clean, "a")
    own(world.clean, "a", "v")
    finish(world.clean, "a", end("v", Status.WAITING, run_at=WHEN))
    submit(world.clean, "w", delay=LEASE)
    world.expire()
    return lambda backend: backend.wake(limit=10)


def _resume(world: World) -> Act:
    join(world.clean, "a")
    own(world.clean, "a", "v")
    finish(world.clean, "a", end("v", Status.PARKED, error_message="broken"))
    return lambda backend: backend.resume("v", epoch=1)


def _park_again(world: World) -> None:
    for found in claim(world.clean, "a"):
        parked = end(found.id, Status.PARKED, epoch=found.epoch, error_message="broken")
        finish(world.clean, "a", parked)


VERBS: Mapping[str, Verb] = {
    "join": Verb(arrange=_join, answers=[True]),
    "heartbeat": Verb(arrange=_heartbeat, answers=[(["a", "b"], False)]),
    "leave": Verb(arrange=_leave, answers=[None]),
    "submit": Verb(arrange=_submit, answers=[["v"], ["v", "w", "x"]], mortal=False),
    "claim": Verb(arrange=_claim, again=_reconciled, judge=_all_that_it_owns),
    "commit": Verb(arrange=_commit, answers=[_COMMITTED]),
    "reap": Verb(
        arrange=_reap,
        answers=[(workers, freed) for workers in (["a"], []) for freed in (_FREED, {})],
        mortal=False,
        atomic=False,
    ),
    "reconcile": Verb(arrange=_reconcile, answers=[["w"], []]),
    "wake": Verb(arrange=_wake, answers=[2, 0], mortal=False),
    "resume": Verb(
        arrange=_resume,
        answers=[Status.ENQUEUED, Status.PARKED],
        mortal=False,
        meanwhile=_park_again,
    ),
}


# ----------------------------------------------------------------- tests


@pytest.mark.parametrize("name", VERBS)
def test_a_verb_keeps_its_promise_under_faults(name: str, world: World) -> None:
    tally = Trial(world, VERBS[name]).explore(pairs=_PAIRS)
    _log.info("%s: %s", name, tally)


@attrs.frozen(kw_only=True)
class _Blind(Runner):
    """Takes every write for repeatable."""

    def run(self, work: Callable[[Connection], T], **how: bool) -> T:
        return super().run(work, **(how | {"repeatable": True}))


def test_a_claim_that_is_repeated_blindly_is_caught(on_sqlite: World) -> None:
    right = on_sqlite.faulty.runner
    fields = {field.name: getattr(right, field.name) for field in attrs.fields(Runner)}
    on_sqlite.faulty.runner = _Blind(**fields)
    with pytest.raises(Unjust, match="and owns"):
        Trial(on_sqlite, VERBS["claim"]).explore(pairs=0)
