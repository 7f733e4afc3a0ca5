"""Whatever a statement runs on, our connection or a caller's, a session gets the same from it."""

import os
import socket
from collections.abc import Generator
from contextlib import ExitStack

import pytest
from sqlalchemy import make_url
from sqlalchemy.exc import IntegrityError, OperationalError

from perdure_backends.sql import wire
from perdure_backends.sql.backend import SqlBackend
from perdure_backends.sql.callers import joined
from perdure_backends.sql.errors import Fault
from perdure_backends.sql.link import Link
from perdure_backends.testing.callers import callers

_MARKS = {"sqlite": ":id", "postgresql": "%(id)s"}
"""How a driver marks a parameter."""


@pytest.fixture(params=["sqlite", "postgres"])
def there(request: pytest.FixtureRequest) -> tuple[SqlBackend, str]:
    """A backend for each driver, and its URL."""
    backend: SqlBackend = request.getfixturevalue(request.param)
    url: str = request.getfixturevalue(f"{request.param}_url")
    return backend, url


@pytest.fixture(params=["ours", "connection", "session", "driver"])
def link(
    request: pytest.FixtureRequest, there: tuple[SqlBackend, str]
) -> Generator[Link, None, None]:
    """One of each kind, on a database with a table more."""
    backend, url = there
    dialect = backend.compiled.dialect
    with ExitStack() as stack:
        if request.param == "ours":
            lent = stack.enter_context(backend.runner.connections.lend())
            link: Link | None = backend.reach(lent)
        else:
            begin = callers(make_url(url).set(drivername=dialect.driver))[request.param]
            link = joined(stack.enter_context(begin()), dialect)
        assert link is not None
        link.rows("CREATE TABLE marks (id TEXT PRIMARY KEY)", {})
        yield link


def test_a_link_answers_with_all_rows_and_counts_what_it_wrote(
    link: Link, there: tuple[SqlBackend, str]
) -> None:
    mark = _MARKS[there[0].compiled.dialect.scheme]
    insert = f"INSERT INTO marks (id) VALUES ({mark})"  # noqa: S608 (a placeholder)
    assert list(link.rows(insert, {"id": "a"})) == []
    assert link.count(insert, [{"id": "b"}, {"id": "c"}]) == 2
    found = link.rows("SELECT id FROM marks ORDER BY id", {})
    assert [tuple(row) for row in found] == [("a",), ("b",), ("c",)]
    asked = f"SELECT id FROM marks WHERE id = {mark}"  # noqa: S608 (a placeholder)
    assert [tuple(row) for row in link.rows(asked, {"id": "b"})] == [("b",)]


def test_an_error_of_our_own_connection_is_one_of_sqlalchemy_s(
    there: tuple[SqlBackend, str],
) -> None:
    backend, _ = there
    with backend.runner.connections.lend() as lent:
        link = backend.reach(lent)
        link.rows("CREATE TABLE marks (id TEXT PRIMARY KEY)", {})
        link.rows("INSERT INTO marks (id) VALUES ('a')", {})
        with pytest.raises(IntegrityError) as raised:
            link.rows("INSERT INTO marks (id) VALUES ('a')", {})
    assert raised.value.orig is raised.value.__cause__


def test_a_server_hangs_up_when_it_is_away_and_on_whoever_sends_too_much(
    postgres: SqlBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The size of what was sent tells which."""
    with postgres.runner.connections.lend() as lent:
        link = postgres.reach(lent)
        with socket.socket(fileno=os.dup(link.driver.fileno())) as line:
            line.shutdown(socket.SHUT_RDWR)
        with pytest.raises(OperationalError) as raised:
            link.rows("SELECT %(text)s::TEXT", {"text": "é" * 1000})
        lent.invalidate()
    assert wire.fault(raised.value) is Fault.LOST
    for largest, meaning in ((2000, Fault.LOST), (1999, Fault.TOO_LARGE)):
        monkeypatch.setattr(wire, "LARGEST_MESSAGE", largest)
        assert wire.fault(raised.value) is meaning
