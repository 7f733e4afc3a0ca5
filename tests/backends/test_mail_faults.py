"""Whatever fails at whichever statement of a verb of mail: repeated, it has happened once.

So it is for what a commit writes to streams.
"""

import sqlite3
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, closing
from typing import Any

import attrs
import pytest

from perdure.backend import Batch
from perdure.errors import BackendUnavailable, OutcomeUnknown
from perdure.mail import Subscription, Watch
from perdure.model import Status
from perdure_backends.cockroachdb import CockroachBackend
from perdure_backends.postgres import PostgresBackend
from perdure_backends.sql.backend import SqlBackend
from perdure_backends.sqlite import SqliteBackend
from perdure_backends.testing.injector import Injector
from perdure_backends.testing.mishaps import COCKROACHDB, POSTGRES, SQLITE
from perdure_backends.testing.statements import intercept
from perdure_backends.testing.world import World, deliver
from perdure_compat.fault import Crash, Plan
from perdure_compat.suite.exploration import Trace, explore
from perdure_compat.suite.records import end, finish, get, join, own, step, steps_of, submit

from .letters import item, message, reading, taking

_TRIES = 10
_PAIRS = 15
"""Of each verb, as a sample."""


@attrs.frozen(eq=False)
class _Place:
    """A database, and a backend of it that fails when it is told to."""

    world: World
    faulty: SqlBackend
    injector: Injector


@attrs.frozen(kw_only=True)
class _Verb:
    """A call, and what must be true when it was answered at last and all is delivered."""

    act: Callable[[SqlBackend], object]
    counts: Mapping[str, int]
    """How many wake-ups each has got."""
    look: Callable[[World], object] = lambda _: None
    """Shows what else it has done."""
    shows: object = None


@pytest.fixture(params=["sqlite", "postgresql", "cockroachdb double"])
def place(request: pytest.FixtureRequest, sqlite_url: str) -> Generator[_Place, None, None]:
    """An empty database of each kind in turn."""
    with ExitStack() as stack:
        raw: Any
        clean: SqlBackend
        faulty: SqlBackend
        if request.param == "sqlite":
            clean, faulty, manners = SqliteBackend(sqlite_url), SqliteBackend(sqlite_url), SQLITE
            file = sqlite_url.removeprefix("sqlite:///")
            raw = stack.enter_context(closing(sqlite3.connect(file, isolation_level=None)))
        elif request.param == "postgresql":
            url: str = request.getfixturevalue("postgres_url")
            clean, faulty, manners = PostgresBackend(url), PostgresBackend(url), POSTGRES
            raw = request.getfixturevalue("psql")
        else:
            url = request.getfixturevalue("cockroach_url")
            clean, faulty, manners = CockroachBackend(url), CockroachBackend(url), COCKROACHDB
            raw = request.getfixturevalue("psql")
        stack.enter_context(closing(clean))
        stack.enter_context(closing(faulty))
        clean.migrate()
        injector = Injector(manners)
        intercept(faulty, injector)
        yield _Place(World(clean, raw), faulty, injector)


def _furnish(world: World) -> None:
    """`v` waits for three wake-ups, has a message, and awaits `w`, which runs beside its child."""
    world.clear()
    join(world.clean, "a")
    own(world.clean, "a", "v", "w")
    submit(world.clean, "late", parent_id="v")
    submit(world.clean, "child", parent_id="v", priority=-1)
    world.raw.execute("UPDATE workflows SET deadline = '2000-01-01' WHERE workflow_id = 'late'")
    world.clean.subscribe([Subscription("v", "w")])
    world.clean.send([message("w", "first")])
    finish(world.clean, "a", end("v", Status.WAITING, wake_at=9))


def _pending(world: World) -> list[str]:
    (sight,) = world.clean.look([Watch(workflow_id="w", topics=["news"])], limit=9)
    return [each.id for each in sight.messages]


def _told(world: World) -> frozenset[tuple[Any, ...]]:
    return frozenset(row[1:] for row in world.state("subscriptions"))


_BATCH = Batch(
    steps=[step("w"), step("w", 2, kind="event", name="news")],
    transitions=[end("w")],
    consumptions=[taking("first", "w")],
)
_ITEMS = [item("w"), item("w", 2, stream="other", place="1"), item("w", 7, closes=True)]


def _written(world: World) -> list[tuple[str, int, bool]]:
    asked = [reading("w"), reading("w", stream="other")]
    return [(each.stream, each.offset, each.closes) for each in world.clean.read(asked, limit=9)]


_VERBS = {
    "send": _Verb(
        act=lambda backend: backend.send([message("w", "second"), message("v", "first")]),
        # Its late child is told of when the rest is delivered, here as below.
        counts={"v": 2, "w": 2},
        look=_pending,
        shows=["first", "second"],
    ),
    "subscribe": _Verb(
        act=lambda backend: backend.subscribe(
            [Subscription("v", "child"), Subscription("w", "late"), Subscription("v", "none")]
        ),
        counts={"v": 1, "w": 2},
        look=_told,
        shows={("v", "w"), ("v", "child"), ("w", "late")},
    ),
    "cancel": _Verb(
        act=lambda backend: backend.cancel(["w", "child", "v", "none"], reason="enough"),
        counts={"v": 2, "w": 1},
        look=lambda world: [get(world.clean, each).status for each in ("v", "w", "child")],
        shows=[Status.ENQUEUED, Status.RUNNING, Status.CANCELLED],
    ),
    "commit": _Verb(
        act=lambda backend: backend.commit("a", _BATCH),
        # The end of one, its event, and the late child.
        counts={"v": 3, "w": 1},
        look=_pending,
        shows=[],
    ),
    "commit with items": _Verb(
        act=lambda backend: backend.commit("a", attrs.evolve(_BATCH, items=_ITEMS)),
        counts={"v": 3, "w": 1},
        look=lambda world: (_written(world), len(steps_of(world.clean, "w"))),
        shows=([("log", 1, False), ("log", 7, True), ("other", 2, False)], 2),
    ),
    "only items": _Verb(
        act=lambda backend: [
            backend.commit("a", Batch(items=items)) for items in (_ITEMS[:2], _ITEMS[2:])
        ],
        counts={"w": 1},
        look=_written,
        shows=[("log", 1, False), ("log", 7, True), ("other", 2, False)],
    ),
    "wake": _Verb(act=lambda backend: backend.wake(limit=10), counts={"v": 1, "w": 1}),
    "wake, and fans": _Verb(
        act=lambda backend: (backend.commit("a", _BATCH), backend.wake(limit=10)),
        counts={"v": 3, "w": 1},
    ),
}


def _until_answered(place: _Place, verb: _Verb) -> None:
    """As the engine does; where a process dies, another makes the call."""
    for _ in range(_TRIES):
        try:
            verb.act(place.faulty)
        except Crash:
            place.faulty.close()
        except (OutcomeUnknown, BackendUnavailable):
            continue
        else:
            return
    raise AssertionError("there was never an answer")


@pytest.mark.parametrize("name", _VERBS)
def test_a_verb_of_mail_happens_once_whatever_fails_in_it(place: _Place, name: str) -> None:
    verb, world = _VERBS[name], place.world

    def run(plan: Plan) -> Trace:
        _furnish(world)
        place.injector.arm(plan)
        try:
            _until_answered(place, verb)
        finally:
            trace = place.injector.disarm()
        for _ in range(2):
            # What a deadline has ended is told with the next.
            world.clean.wake(limit=100)
        deliver(world)
        counts = {each: get(world.clean, each).wake for each in verb.counts}
        assert (counts, verb.look(world)) == (verb.counts, verb.shows), plan
        return trace

    assert explore(run, pairs=_PAIRS).ran > _PAIRS
