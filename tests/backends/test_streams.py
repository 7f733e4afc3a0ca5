"""Streams on each kind of database: what is written once, in which order, and by whom."""

from collections.abc import Generator
from contextlib import closing
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from perdure.backend import RECORDED, Batch
from perdure.errors import BackendRefused
from perdure.model import Status
from perdure.streams import Item
from perdure_backends.postgres import PostgresBackend
from perdure_backends.sql.backend import SqlBackend
from perdure_backends.testing.statements import Statement, intercept
from perdure_compat.suite.records import (
    AT_ONCE,
    PATIENT,
    claim,
    end,
    info,
    join,
    own,
    step,
    submit,
)

from .letters import item, reading
from .sites import Site, connected
from .waiting import blocked, started, until

Psql = psycopg.Connection[Any]


@pytest.fixture
def backend(site: Site) -> Generator[SqlBackend]:
    """A migrated backend of each kind, on which `a` runs `v` and `w`."""
    with closing(connected(site.url)) as backend:
        backend.migrate()
        join(backend, "a")
        own(backend, "a", "v", "w")
        yield backend


def _write(backend: SqlBackend, *items: Item) -> None:
    assert not backend.commit("a", Batch(items=items)).fenced


def _log(backend: SqlBackend, workflow_id: str = "w", *, limit: int = 10) -> list[Item]:
    return list(backend.read([reading(workflow_id)], limit=limit))


# ------------------------------------------------------------------ read


def test_items_come_back_as_they_were_written(backend: SqlBackend) -> None:
    items = [
        item("w", 0, value_json='"größe 🦆 \\"quoted\\""', place="0.1:3", attempt=2**40),
        item("w", 2**62, value_json=None, closes=True),
    ]
    _write(backend, *items)
    assert _log(backend) == items


def test_a_page_begins_behind_what_was_read_and_ends_with_the_limit(backend: SqlBackend) -> None:
    _write(backend, *[item("w", offset) for offset in (40, 2, 9, 10, 100)])
    pages = [
        [each.offset for each in backend.read([reading("w", after=after)], limit=2)]
        for after in (-1, 9, 10, 99, 100)
    ]
    assert pages == [[2, 9], [10, 40], [40, 100], [100], []]


def test_each_stream_has_its_page(backend: SqlBackend) -> None:
    written = [item("v"), item("v", 2), item("w"), item("w", 5, stream="other"), item("w", 6)]
    _write(backend, *written, item("w", 7, stream="unread"))
    asked = [
        reading("w", stream="other"),
        reading("v", after=1),
        reading("w"),
        reading("w", stream="none"),
        reading("nobody"),
    ]
    found = backend.read(asked, limit=1)
    assert [(one.workflow_id, one.stream, one.offset) for one in found] == [
        ("v", "log", 2),
        ("w", "log", 1),
        ("w", "other", 5),
    ]
    assert list(backend.read([], limit=1)) == []


# ----------------------------------------------------------------- write


def test_the_first_with_an_offset_stays(backend: SqlBackend) -> None:
    _write(backend, item("w", value_json="1"), item("w", value_json="2"))
    _write(backend, item("w", value_json="3"), item("w", 2))
    assert [each.value_json for each in _log(backend)] == ["1", "2"]


def test_a_repeat_that_finds_its_steps_there_writes_no_item_twice(backend: SqlBackend) -> None:
    batch = Batch(steps=[step("w")], items=[item("w"), item("w", 2)])
    said = [backend.commit("a", batch) for _ in range(2)]
    assert [[*each.steps] for each in said] == [[RECORDED]] * 2
    assert _log(backend) == [item("w"), item("w", 2)]


def test_items_are_written_where_a_step_beside_them_was_there(backend: SqlBackend) -> None:
    backend.commit("a", Batch(steps=[step("w")]))
    _write(backend, item("v"))
    batch = Batch(steps=[step("w"), step("w", 2)], items=[item("v", 2), item("w")])
    assert [*backend.commit("a", batch).steps] == [RECORDED] * 2
    assert [each.offset for each in (*_log(backend, "v"), *_log(backend))] == [1, 2, 1]


def test_the_last_items_come_with_the_end(backend: SqlBackend) -> None:
    last = item("w", value_json=None, closes=True)
    batch = Batch(steps=[step("w")], items=[last], transitions=[end("w")])
    for _ in range(2):
        assert [*backend.commit("a", batch).transitions] == [Status.SUCCESS]
        assert _log(backend) == [last]
    _write(backend, item("w", 2))
    assert _log(backend) == [last]


def test_nothing_is_written_in_the_name_of_what_one_does_not_own(backend: SqlBackend) -> None:
    join(backend, "b")
    submit(backend, "queued")
    others = [item("queued"), item("nobody"), item("w", 1, epoch=2), item("w", 2, epoch=0)]
    _write(backend, *others, item("w", 3))
    assert not backend.commit("b", Batch(items=[item("w", 4)])).fenced
    assert _log(backend) == [item("w", 3)]
    assert [*_log(backend, "queued"), *_log(backend, "nobody")] == []


def test_the_dead_write_nothing_and_who_takes_over_writes_behind_them(
    backend: SqlBackend,
) -> None:
    _write(backend, item("w"))
    backend.leave("a")
    assert backend.commit("a", Batch(items=[item("w", 2)])).fenced
    join(backend, "b")
    backend.reap([], margin=AT_ONCE, recovery=PATIENT, limit=10)
    assert len(claim(backend, "b")) == 2
    assert backend.commit("a", Batch(steps=[step("w")], items=[item("w", 3)])).fenced
    backend.commit("b", Batch(items=[item("w", 2**32, epoch=2)]))
    assert [each.offset for each in _log(backend)] == [1, 2**32]


def test_of_a_batch_that_is_refused_nothing_is_written(backend: SqlBackend) -> None:
    refused = item("w", 2, value_json='"\0"')
    with pytest.raises(BackendRefused):
        backend.commit("a", Batch(steps=[step("w")], items=[item("w"), refused, item("v")]))
    assert [*_log(backend), *_log(backend, "v")] == []


# ---------------------------------------------------------- a real server


def test_a_write_that_waited_for_a_death_writes_nothing(
    postgres: PostgresBackend, psql: Psql, stranger: Psql
) -> None:
    assert postgres.join(info("a"), lease=timedelta(hours=1))
    own(postgres, "a", "w")
    stranger.execute("UPDATE workers SET dead_at = now() WHERE worker_id = 'a'")
    answer = started(lambda: postgres.commit("a", Batch(items=[item("w")])))
    until(lambda: blocked(psql))
    stranger.commit()
    assert answer.result(30).fenced
    assert _log(postgres) == []


def test_a_repeat_that_meets_its_own_first_try_waits_for_it(
    postgres: PostgresBackend, psql: Psql, stranger: Psql
) -> None:
    """Else what comes after the repeat could be seen before what the first try has written."""
    join(postgres, "a")
    own(postgres, "a", "w")
    stranger.execute(
        "INSERT INTO stream_items (workflow_id, stream, item_offset, value, epoch) "
        "VALUES ('w', 'log', 1, '1', 1)"
    )
    answer = started(lambda: _write(postgres, item("w"), item("w", 2)))
    until(lambda: blocked(psql))
    assert _log(postgres) == []
    stranger.commit()
    answer.result(30)
    assert _log(postgres) == [item("w"), item("w", 2)]


class _Reader:
    """Keeps the texts of the statements that it lets pass."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def lend(self) -> None:
        """Nothing happens between tries."""

    def execute(self, statement: Statement) -> None:
        """Run it."""
        self.texts.append(statement.text)
        statement.run()


def test_a_commit_without_items_knows_nothing_of_streams(site: Site) -> None:
    with closing(connected(site.url)) as backend:
        backend.migrate()
        join(backend, "a")
        own(backend, "a", "w")
        reader = _Reader()
        intercept(backend, reader)
        backend.commit("a", Batch(steps=[step("w")], transitions=[end("w")]))
        assert reader.texts
        assert not any("stream_items" in text for text in reader.texts)
