"""What somebody does to a database costs time, and fails no workflow."""

import logging
import os
import sqlite3
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import make_url

import perdure

from .support import result_of, serving, until

FLAW = """
CREATE SEQUENCE flaws;
CREATE FUNCTION flaw() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF nextval('flaws') = 1 THEN RAISE EXCEPTION 'there is a flaw' USING ERRCODE = '{state}'; END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER flaw BEFORE INSERT ON perdure.workflow_steps FOR EACH ROW EXECUTE FUNCTION flaw();
"""
"""The first record of a step fails with an error of one's own choice; sequences are not rolled back."""
PREPARED = 10
"""After so many executions the driver has prepared a statement, and the server planned it for good."""


@perdure.step(name="operators.count")
async def count(number: int) -> int:
    return number + 1


@perdure.workflow(name="operators.thrice")
async def thrice() -> int:
    return await count(await count(await count(0)))


def operating(url: str) -> "psycopg.Connection[Any]":
    """Somebody else's session on the server itself."""
    return psycopg.connect(url, autocommit=True)


def until_told(caplog: pytest.LogCaptureFixture, reason: str) -> None:
    """Wait until a worker says why it cannot write."""
    until(lambda: any("cannot write" in said and reason in said for said in caplog.messages))


@pytest.mark.parametrize(
    ("database_url", "state"),
    [
        ("postgresql", "28000"),  # the role of the session was dropped
        ("postgresql", "42501"),  # it may not do that any more
        ("postgresql", "55P03"),  # a lock was not to be had in time
        ("postgresql", "57P04"),  # the database is being dropped
        ("postgresql", "58030"),  # a file of the server's cannot be read or written
        ("postgresql", "XX001"),  # a page is broken
        ("postgresql", "XX002"),  # an index is
        ("double", "58C00"),  # a range of the cluster has lost its quorum
        ("double", "58C01"),  # a node of it does not reach another
    ],
    indirect=["database_url"],
)
def test_what_the_server_suffers_from_is_no_fault_of_a_record(
    postgres_url: str, database_url: str, state: str
) -> None:
    with serving(database_url, thrice) as engine, operating(postgres_url) as operator:
        operator.execute(FLAW.format(state=state).encode())
        assert result_of(engine.start(thrice)) == 3


@pytest.mark.parametrize("state", ["22003", "54000", "P0001"])
def test_what_is_wrong_with_a_record_fails_its_workflow(postgres_url: str, state: str) -> None:
    with serving(postgres_url, thrice) as engine, operating(postgres_url) as operator:
        operator.execute(FLAW.format(state=state).encode())
        with pytest.raises(perdure.BackendRefused, match="there is a flaw"):
            result_of(engine.start(thrice))


@pytest.mark.parametrize(
    ("limit", "reason"),
    [
        ("lock_timeout", "lock timeout"),
        ("statement_timeout", "statement timeout"),
        ("transaction_timeout", "transaction timeout"),
    ],
)
def test_a_table_that_is_locked_for_longer_than_sessions_wait(
    postgres_url: str, caplog: pytest.LogCaptureFixture, limit: str, reason: str
) -> None:
    caplog.set_level(logging.WARNING, "perdure")
    with operating(postgres_url) as operator:
        name = operator.info.dbname
        operator.execute(f"ALTER DATABASE {name} SET {limit} = '100ms'".encode())
        with serving(postgres_url, thrice) as engine:
            with operator.transaction():
                operator.execute("LOCK TABLE perdure.workflow_steps")
                handle = engine.start(thrice)
                until_told(caplog, reason)
            assert result_of(handle) == 3


def test_a_right_that_is_taken_away_and_given_back(
    postgres_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "perdure")
    perdure.Engine(postgres_url).migrate()
    with operating(postgres_url) as operator, clerk(operator) as (name, password):
        url = make_url(postgres_url).set(username=name, password=password)
        engine = perdure.Engine(url.render_as_string(hide_password=False), workflows=[thrice])
        with engine, engine.worker():
            operator.execute(f"REVOKE INSERT ON perdure.workflow_steps FROM {name}".encode())
            handle = engine.start(thrice)
            until_told(caplog, "permission denied")
            operator.execute(f"GRANT INSERT ON perdure.workflow_steps TO {name}".encode())
            assert result_of(handle) == 3


@contextmanager
def clerk(operator: "psycopg.Connection[Any]") -> Generator[tuple[str, str], None, None]:
    """A role that may use the tables, for as long as the block lasts: its name and password."""
    name, password = f"clerk_{uuid4().hex[:12]}", uuid4().hex
    operator.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{password}'".encode())
    operator.execute(f"GRANT USAGE ON SCHEMA perdure TO {name}".encode())
    operator.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA perdure TO {name}".encode())
    operator.execute(f"GRANT ALL ON ALL SEQUENCES IN SCHEMA perdure TO {name}".encode())
    try:
        yield name, password
    finally:
        operator.execute(f"DROP OWNED BY {name}".encode())
        operator.execute(f"DROP ROLE {name}".encode())


def test_a_column_that_gets_another_type(postgres_url: str) -> None:
    with serving(postgres_url, thrice) as engine, operating(postgres_url) as operator:
        handle = engine.start(thrice)
        assert result_of(handle) == 3
        for column in ("wake", "epoch", "strikes"):
            for _ in range(PREPARED):
                handle.record()
            operator.execute(f"ALTER TABLE perdure.workflows ALTER {column} TYPE numeric".encode())
            handle.record()
            assert result_of(engine.start(thrice)) == 3


def test_a_page_of_a_file_that_is_broken_and_mended(
    sqlite_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "perdure")
    with serving(sqlite_url, thrice) as engine:
        assert result_of(engine.start(thrice)) == 3
        with broken(sqlite_url.removeprefix("sqlite:///"), "workflow_steps"):
            handle = engine.start(thrice)
            until_told(caplog, "malformed")
        assert result_of(handle) == 3


@contextmanager
def broken(path: str, table: str) -> Generator[None, None, None]:
    """The first page of a table is nonsense for as long as the block lasts."""
    with closing(sqlite3.connect(path)) as operator:
        (size,) = operator.execute("PRAGMA page_size").fetchone()
        asked = "SELECT rootpage FROM sqlite_schema WHERE type = 'table' AND name = ?"
        (page,) = operator.execute(asked, (table,)).fetchone()
        operator.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with Path(path).open("r+b", buffering=0) as file:
        place = (page - 1) * size
        kept = os.pread(file.fileno(), size, place)
        os.pwrite(file.fileno(), b"\xff" * size, place)
        yield
        os.pwrite(file.fileno(), kept, place)
