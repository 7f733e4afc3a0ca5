"""Starting and sending in a transaction of the caller's: with its own writes, or not at all."""

import asyncio
import signal
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Callable, Generator
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row
from sqlalchemy import Engine, NullPool, create_engine, text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session, scoped_session, sessionmaker

import perdure
from perdure.claimer import LONGEST_HEARING, SHORTEST_POLL, Pauses

from .readers import WORD, reader
from .support import NO_LINGER, await_waiting, result_of


@perdure.workflow(name="guests.pack")
def pack(order: str) -> str:
    return f"{order} packed"


WORKFLOWS: list[perdure.Workflow[..., Any]] = [pack, reader]


@pytest.fixture
def shop(database_url: str) -> Generator[Engine, None, None]:
    """The caller's own table, in the same database."""
    made = create_engine(_address(database_url), poolclass=NullPool)
    with made.begin() as connection:
        connection.execute(text("CREATE TABLE orders (id TEXT PRIMARY KEY)"))
    yield made
    made.dispose()


@pytest.fixture
def engine(database_url: str) -> Generator[perdure.Engine, None, None]:
    """Nobody works for it yet."""
    with perdure.Engine(
        database_url, workflows=WORKFLOWS, migrate=True, linger=NO_LINGER
    ) as engine:
        yield engine


def _address(url: str) -> str:
    return url.replace("postgresql://", "postgresql+psycopg://")


def _order(session: Session, key: str) -> None:
    session.execute(text("INSERT INTO orders VALUES (:id)"), {"id": key})


def _orders(shop: Engine) -> list[str]:
    with shop.begin() as connection:
        return [row[0] for row in connection.execute(text("SELECT id FROM orders ORDER BY id"))]


def _is_server(engine: perdure.Engine) -> bool:
    return engine.url.startswith("postgresql")


def _there(engine: perdure.Engine, key: str) -> bool:
    try:
        engine.handle(key).status()
    except perdure.WorkflowNotFound:
        return False
    return True


def _driver(url: str) -> Any:
    if url.startswith("postgresql"):
        rows: Any = dict_row  # what is ours is read all the same
        return psycopg.connect(url, row_factory=rows)
    return sqlite3.connect(url.removeprefix("sqlite:///"))


# ----------------------------------------------------------------- starting


@pytest.mark.parametrize("first", ["order", "workflow"])
def test_an_order_and_its_workflow_are_there_together(
    engine: perdure.Engine, shop: Engine, first: str
) -> None:
    """Whichever of the two is written first: SQLite's driver begins late."""
    with Session(shop) as session, session.begin():
        deeds: list[Callable[[], object]] = [
            lambda: _order(session, "o-1"),
            lambda: engine.start(pack, "o-1", id="o-1", connection=session),
        ]
        for deed in deeds if first == "order" else deeds[::-1]:
            deed()
        assert not _there(engine, "o-1")
    assert _orders(shop) == ["o-1"]
    with engine.worker():
        assert result_of(engine.handle("o-1")) == "o-1 packed"


@pytest.mark.parametrize("first", ["order", "workflow"])
def test_neither_is_there_where_the_caller_fails(
    engine: perdure.Engine, shop: Engine, first: str
) -> None:
    with Session(shop) as session:
        if first == "order":
            _order(session, "o-1")
        engine.start(pack, "o-1", id="o-1", connection=session)
        if first == "workflow":
            _order(session, "o-1")
    assert _orders(shop) == []
    assert not _there(engine, "o-1")


def test_many_start_in_one_transaction_and_those_that_were_there_are_told(
    engine: perdure.Engine, shop: Engine
) -> None:
    engine.start(pack, "1", id="1")
    with shop.begin() as connection:
        calls = [pack.bind(str(n)).options(id=str(n)) for n in range(3)]
        handles = engine.start_many(calls, connection=connection)
    assert [handle.created for handle in handles] == [True, False, True]


def test_a_conflict_leaves_the_transaction_to_the_caller(
    engine: perdure.Engine, shop: Engine
) -> None:
    engine.start(pack, "other", id="o-1")
    with Session(shop) as session, session.begin():
        with pytest.raises(perdure.WorkflowConflict):
            engine.start(pack, "o-1", id="o-1", connection=session)
        _order(session, "o-1")
    assert _orders(shop) == ["o-1"]


def test_a_session_of_the_thread_and_the_driver_s_own_connection_will_do(
    engine: perdure.Engine, shop: Engine, database_url: str
) -> None:
    mine = scoped_session(sessionmaker(shop))
    engine.start(pack, "1", id="1", connection=mine)
    mine.commit()
    mine.remove()
    with closing(_driver(database_url)) as driver:
        engine.start(pack, "2", id="2", connection=driver)
        assert not _there(engine, "2")
        driver.commit()
    assert _there(engine, "1")
    assert _there(engine, "2")


def test_who_has_no_connection_to_this_database_is_told_so(engine: perdure.Engine) -> None:
    strange = create_engine("sqlite://", poolclass=NullPool)
    with strange.connect() as connection, pytest.raises(perdure.UsageError, match="connection="):
        engine.start(pack, "1", id="1", connection=connection if _is_server(engine) else object())
    assert not _there(engine, "1")


# ------------------------------------------------------------------- dying

DYING = """
    import os, signal, sys
    import perdure
    from sqlalchemy import create_engine, text
    from sqlalchemy.orm import Session

    WORD = perdure.Topic("word", str)

    @perdure.workflow(name="guests.pack")
    def pack(order: str) -> str: ...

    url, address, when = sys.argv[1:]
    with perdure.Engine(url) as engine, Session(create_engine(address)) as session:
        session.execute(text("INSERT INTO orders VALUES ('o-1')"))
        engine.start(pack, "o-1", id="o-1", connection=session)
        engine.handle("listener").send(WORD, "o-1", key="o-1", connection=session)
        if when == "after":
            session.commit()
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_caller_that_is_killed_at_its_commit_leaves_all_or_nothing(
    engine: perdure.Engine, shop: Engine, database_url: str, tmp_path: Path, when: str
) -> None:
    """And who repeats it after such a death, not knowing which, writes nothing twice."""
    listener = engine.start(reader, 1, id="listener")
    program = tmp_path / "dying.py"
    program.write_text(textwrap.dedent(DYING))
    died = subprocess.run(  # noqa: S603 (our own program)
        [sys.executable, str(program), database_url, _address(database_url), when],
        capture_output=True,
        text=True,
        check=False,
        timeout=90,
    )
    assert died.returncode == -signal.SIGKILL, died.stderr
    assert _orders(shop) == (["o-1"] if when == "after" else [])
    assert _there(engine, "o-1") is (when == "after")
    with Session(shop) as session, session.begin():
        handle = engine.start(pack, "o-1", id="o-1", connection=session)
        listener.send(WORD, "o-1", key="o-1", connection=session)
    assert handle.created is (when == "before")
    with engine.worker():
        assert result_of(handle) == "o-1 packed"
        assert result_of(listener) == ["o-1"]


# ------------------------------------------------------------------ sending


def test_a_message_arrives_when_the_caller_commits(engine: perdure.Engine, shop: Engine) -> None:
    with engine.worker():
        handle = engine.start(reader, 1)
        await_waiting(handle)
        with Session(shop) as session, session.begin():
            handle.send(WORD, "never", connection=session)
            session.rollback()
        with Session(shop) as session, session.begin():
            handle.send(WORD, "paid", key="o-1", connection=session)
            handle.send(WORD, "paid", key="o-1", connection=session)
            _order(session, "o-1")
        assert result_of(handle) == ["paid"]


def test_a_refused_message_leaves_the_transaction_to_the_caller(
    engine: perdure.Engine, shop: Engine
) -> None:
    with Session(shop) as session, session.begin():
        with pytest.raises(perdure.WorkflowNotFound):
            engine.handle("nobody").send(WORD, "a", connection=session)
        _order(session, "o-1")
    assert _orders(shop) == ["o-1"]


def test_in_a_workflow_there_is_no_transaction_to_send_in(engine: perdure.Engine) -> None:
    @perdure.workflow
    def outer(key: str) -> None:
        engine.handle(key).send(WORD, "a", connection=object())

    other = engine.start(reader, 1)
    with perdure.Engine(engine.url, workflows=[outer]) as serving, serving.worker():
        ended = serving.start(outer, other.id)
        with pytest.raises(perdure.UsageError, match="in a step"):
            result_of(ended)


# ------------------------------------------------------------------ awaiting


def test_who_awaits_starts_and_sends_in_a_session(postgres_url: str) -> None:
    async def main() -> list[str]:
        mine = create_async_engine(_address(postgres_url), poolclass=NullPool)
        async with perdure.Engine(postgres_url, workflows=WORKFLOWS, migrate=True) as engine:
            async with AsyncSession(mine) as session:
                await engine.astart(reader, 1, id="never", connection=session)
                await session.rollback()
            async with AsyncSession(mine) as session, session.begin():
                handle = await engine.astart(reader, 1, id="r", connection=session)
                await handle.asend(WORD, "a", connection=session)
                assert [one async for one in engine.afind()] == []
            async with await psycopg.AsyncConnection.connect(postgres_url) as connection:
                more = [reader.bind(1).options(id="s")]
                [other] = await engine.astart_many(more, connection=connection)
                await other.asend(WORD, "b", connection=connection)
                with pytest.raises(perdure.UsageError):
                    engine.start(reader, 1, connection=connection)
            async with engine.worker():
                return [*await handle.aresult(), *await other.aresult()]

    assert asyncio.run(main()) == ["a", "b"]


# ----------------------------------------------------------------- hearing


def test_who_was_told_that_work_is_coming_looks_for_it_with_growing_pauses() -> None:
    """No news of the commit will come, and where news come through polls are rare."""
    pauses = Pauses()
    assert pauses.next(hears=True) == LONGEST_HEARING
    pauses.expect()
    found = [pauses.next(hears=True)]
    while found[-1] < LONGEST_HEARING:
        found.append(pauses.next(hears=True))
    assert found[0] == SHORTEST_POLL
    assert all(one < later <= 2 * one for one, later in pairwise(found))
    assert pauses.next(hears=True) == LONGEST_HEARING


def test_who_has_found_work_looks_once_more_soon() -> None:
    """What peers held meanwhile and left is not told again."""
    pauses = Pauses()
    assert pauses.next(hears=True) == LONGEST_HEARING
    pauses.begin()
    assert pauses.next(hears=True) == SHORTEST_POLL
    assert pauses.next(hears=True) == LONGEST_HEARING
