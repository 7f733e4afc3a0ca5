"""Databases of the past are brought on with all they hold, and the work goes on.

`pictures/` holds one for each revision and kind of database, with something in every
table, and what their release read of it. After a new revision:
PERDURE_GOLDEN=write pytest tests/backends/test_old_databases.py
A picture of an older revision is never written again.
"""

import json
import os
import re
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

import pytest

import perdure
from perdure.backend import RECORDED, Batch, Lane, Query
from perdure.errors import SchemaError
from perdure.mail import SENT, Subscription
from perdure.model import Status
from perdure_backends.sql import migrate
from perdure_backends.sql.backend import SqlBackend
from perdure_compat.suite.races import together
from perdure_compat.suite.records import (
    AT_ONCE,
    LEASE,
    PATIENT,
    claim,
    end,
    get,
    info,
    join,
    step,
    steps_of,
    submit,
)

from .letters import message, taking
from .mortal import use
from .past import PICTURES, TEXT, furnish, holds, picture, reading
from .sites import NEXT, Site, connected, with_next_revision

_NOW = migrate.REVISIONS[-1]


def _path(site: Site, revision: str) -> Path:
    return PICTURES / f"{site.url.partition(':')[0]}-{revision}.sql"


def _read_then(revision: str) -> Path:
    return PICTURES / f"{revision}.json"


def test_the_newest_revision_is_as_in_its_picture(site: Site) -> None:
    with closing(connected(site.url)) as backend:
        backend.migrate()
        furnish(backend)
        drawn, read = picture(backend, site), reading(backend)
    if os.environ.get("PERDURE_GOLDEN") == "write":
        _path(site, _NOW).write_text(drawn)
        _read_then(_NOW).write_text(json.dumps(read, indent=1, sort_keys=True) + "\n")
    assert drawn == _path(site, _NOW).read_text()
    assert holds(read, json.loads(_read_then(_NOW).read_text()))


@pytest.mark.parametrize("revision", migrate.REVISIONS)
def test_a_database_of_the_past_is_brought_on_and_its_work_goes_on(
    site: Site, revision: str
) -> None:
    site.execute(_path(site, revision).read_text())
    with closing(connected(site.url)) as backend:
        assert backend.schema_version().current == revision
        backend.migrate()
        assert backend.schema_version().current == _NOW
        assert holds(reading(backend), json.loads(_read_then(revision).read_text()))
        _go_on(backend)


def _go_on(backend: SqlBackend) -> None:
    """Recover, wake, resume, claim, record and end everything that is due."""
    assert not backend.join(info("a"), lease=LEASE), "the dead stay dead"
    join(backend, "z")
    pulse = backend.heartbeat("z", lease=LEASE)
    assert pulse
    assert pulse.orphans
    seen = [peer for peer in pulse.peers if peer.worker_id == "b"]
    reaped = backend.reap(seen, margin=AT_ONCE, recovery=PATIENT, limit=10)
    assert (list(reaped.workers), reaped.workflows) == (["b"], {"running": Status.ENQUEUED})
    assert backend.wake(limit=10) == 2
    assert backend.resume("parked", epoch=1) is Status.ENQUEUED
    lanes = [Lane("default", "work"), Lane("other", "work")]
    taken = {each.id: each.epoch for each in backend.claim("z", lanes, limit=100)}
    due = {TEXT: 1, "elsewhere": 1, "due": 1, "running": 2, "waiting": 2, "parked": 2}
    assert taken == due
    _end(backend, due)
    left = {one.id for one in backend.find(Query()) if not one.status.final}
    assert left == {"delayed"}


def _end(backend: SqlBackend, due: Mapping[str, int]) -> None:
    """Record a step of each of these and end it; one has got a message, one is awaited."""
    before = {each: steps_of(backend, each) for each in due}
    assert [*backend.send([message("running", "last")])] == [SENT]
    assert [*backend.subscribe([Subscription("delayed", "due")])] == ["due"]
    batch = Batch(
        steps=[step(each, 9, epoch=epoch) for each, epoch in due.items()],
        transitions=[end(each, epoch=epoch) for each, epoch in due.items()],
        consumptions=[taking("last", "running", 9, epoch=2)],
    )
    said = backend.commit("z", batch)
    assert said.wakeups
    assert [*said.steps] == [RECORDED] * len(due)
    assert [*said.transitions] == [Status.SUCCESS] * len(due)
    for each in due:
        assert [*before[each]] == [one for one in steps_of(backend, each) if one.seq != 9]
    woken = get(backend, "delayed").wake
    assert backend.wake(limit=10) > 0
    assert get(backend, "delayed").wake > woken
    assert backend.wake(limit=10) == 0


# ------------------------------------------------------ one revision more


@pytest.fixture
def release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Makes this the code of the next release, with one revision more."""
    monkeypatch.setattr(migrate, "SCRIPTS", migrate.SCRIPTS)
    monkeypatch.setattr(migrate, "REVISIONS", migrate.REVISIONS)
    scripts = with_next_revision(tmp_path)
    return lambda: use(scripts)


def test_each_revision_is_brought_on_in_its_turn(site: Site, release: Callable[[], None]) -> None:
    site.execute(_path(site, _NOW).read_text())
    with closing(connected(site.url)) as backend:
        then = reading(backend)
        release()
        version = backend.schema_version()
        assert (version.current, version.wanted, version.known) == (_NOW, NEXT, True)
        backend.migrate()
        backend.migrate()
        assert backend.schema_version().current == NEXT
        assert reading(backend) == then
        _go_on(backend)
    assert ("running", "from running") in site.rows("SELECT workflow_id, colour FROM workflows")
    assert ("running", 3) in site.rows("SELECT name, steps FROM summaries")


def test_four_bring_a_database_on_at_once(site: Site, release: Callable[[], None]) -> None:
    site.execute(_path(site, _NOW).read_text())
    release()
    backends = [connected(site.url) for _ in range(4)]
    together(lambda backend: backend.migrate(), backends)
    assert [backend.schema_version().current for backend in backends] == [NEXT] * 4
    assert site.rows("SELECT name, steps FROM summaries WHERE name = 'running'") == [("running", 3)]
    _go_on(backends[0])
    for backend in backends:
        backend.close()


def test_a_worker_of_the_release_before_goes_on_while_the_tables_change(
    site: Site, release: Callable[[], None]
) -> None:
    with closing(connected(site.url)) as old, closing(connected(site.url)) as new:
        old.migrate()
        join(old, "a")
        submit(old, "w")
        (claimed,) = claim(old, "a")
        release()
        new.migrate()
        assert old.heartbeat("a", lease=LEASE)
        said = old.commit("a", Batch(steps=[step(claimed.id)], transitions=[end(claimed.id)]))
        assert list(said.transitions) == [Status.SUCCESS]


def test_tables_that_a_newer_release_brought_on_are_refused(
    site: Site, release: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(connected(site.url)) as backend:
        with monkeypatch.context() as patch:
            patch.setattr(migrate, "REVISIONS", migrate.REVISIONS)
            patch.setattr(migrate, "SCRIPTS", migrate.SCRIPTS)
            release()
            backend.migrate()
        version = backend.schema_version()
        assert (version.current, version.known) == (NEXT, False)
        with pytest.raises(SchemaError, match=f"{NEXT}.*older than the tables"):
            backend.migrate()


def test_an_engine_on_older_tables_names_the_command(
    database_url: str, release: Callable[[], None]
) -> None:
    with closing(connected(database_url)) as backend:
        backend.migrate()
    release()
    with closing(perdure.Engine(database_url)) as engine:
        with pytest.raises(perdure.SchemaError, match=rf"older than this code \({_NOW}\)") as told:
            list(engine.find())
        assert re.search("run +perdure migrate", str(told.value))
        engine.migrate()
        assert list(engine.find()) == []


def test_an_engine_on_newer_tables_says_so(
    database_url: str, release: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(migrate, "REVISIONS", migrate.REVISIONS)
        patch.setattr(migrate, "SCRIPTS", migrate.SCRIPTS)
        release()
        with closing(connected(database_url)) as backend:
            backend.migrate()
    with (
        closing(perdure.Engine(database_url)) as engine,
        pytest.raises(perdure.SchemaError, match=rf"newer than this code \({NEXT}\)"),
    ):
        list(engine.find())
