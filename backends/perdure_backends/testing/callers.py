"""Connections as callers have them: of SQLAlchemy, of its sessions, of the driver itself."""

import sqlite3
from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from typing import TypeAlias

import psycopg
from sqlalchemy import URL, Connection, NullPool, create_engine
from sqlalchemy.orm import Session

Begin: TypeAlias = Callable[[], AbstractContextManager[object]]
"""Opens a transaction: committed at the end of the block, rolled back where that raises."""


def callers(url: URL) -> Mapping[str, Begin]:
    """Those of a database, by what they are called; the URL names SQLAlchemy's driver, too."""
    native = _sqlite if url.get_backend_name() == "sqlite" else _psycopg
    return {
        "connection": lambda: _connection(url),
        "session": lambda: _session(url),
        "driver": lambda: native(url),
    }


@contextmanager
def _connection(url: URL) -> Generator[Connection, None, None]:
    with create_engine(url, poolclass=NullPool).begin() as connection:
        yield connection


@contextmanager
def _session(url: URL) -> Generator[Session, None, None]:
    with Session(create_engine(url, poolclass=NullPool)) as session, session.begin():
        yield session


@contextmanager
def _psycopg(url: URL) -> Generator[psycopg.Connection, None, None]:
    address = url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address) as connection:
        yield connection


@contextmanager
def _sqlite(url: URL) -> Generator[sqlite3.Connection, None, None]:
    with closing(sqlite3.connect(url.database or "")) as connection, connection:
        yield connection
