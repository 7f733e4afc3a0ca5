"""Starting and sending in a transaction of the caller's, of whichever library."""

import sqlite3

import psycopg
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession
from sqlalchemy.orm import Session, sessionmaker

import perdure

APPROVAL = perdure.Topic("approval", bool)


@perdure.workflow
def transfer(source: str, target: str, cents: int) -> int:
    return cents if perdure.receive(APPROVAL) and source != target else 0


def in_a_request(engine: perdure.Engine, sessions: sessionmaker[Session]) -> list[str]:
    with sessions.begin() as session:
        handles = engine.start_many(
            (transfer.bind("a", "c", n) for n in range(10)), connection=session
        )
        handles[0].send(APPROVAL, message=True, key="boss", connection=session)
        return [handle.id for handle in handles]


def with_a_driver(
    engine: perdure.Engine, one: psycopg.Connection, other: sqlite3.Connection, mine: Connection
) -> int:
    engine.start("transfer", "a", "b", 1, connection=one)
    engine.start(transfer.bind("a", "b", 1), connection=mine)
    return engine.start(transfer, "a", "b", 100, id="t-1", connection=other).result()


async def awaiting(
    engine: perdure.Engine, session: AsyncSession, connection: AsyncConnection
) -> int:
    handle = await engine.astart(transfer, "a", "b", 100, connection=session)
    await engine.astart_many([transfer.bind("a", "b", 1)], connection=connection)
    await handle.asend(APPROVAL, message=True, connection=session)
    return await handle.aresult()
