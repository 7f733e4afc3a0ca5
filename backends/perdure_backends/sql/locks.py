"""One row that stands for the right to migrate, on servers without a safer lock.

Advisory locks would be session state, which poolers break and CockroachDB only
pretends to have.
"""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Select, Text, Update, null, or_, select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.schema import CreateSchema, CreateTable

from .dialect import Dialect
from .expression import bind, constant
from .session import Session
from .tables import migration

# Two processes that create the same thing at once: the second may fail like this.
_THERE = frozenset({"42P04", "42P06", "42P07", "42710", "23505"})
_TRIES = 20
_TERM = 120
"""Seconds after which a lease on the row is void."""


def schema(_: Dialect, name: str) -> CreateSchema:
    """The namespace."""
    return CreateSchema(name, if_not_exists=True)


def table(_: Dialect) -> CreateTable:
    """The table of one row."""
    return CreateTable(migration, if_not_exists=True)


def row(dialect: Dialect) -> Any:
    """The row."""
    one = select(constant(1)).where(constant(1) == constant(1))
    return dialect.insert(migration).from_select(["id"], one).on_conflict_do_nothing()


def locked(_: Dialect) -> Select[Any]:
    """The row, locked until the transaction ends."""
    return select(migration.c.id).with_for_update()


def taken(dialect: Dialect) -> Update:
    """The row under a lease, if nobody else has one."""
    holder = bind("holder", Text())
    free = or_(migration.c.holder.is_(None), migration.c.holder == holder)
    over = migration.c.held_until < dialect.now()
    return (
        update(migration)
        .values(holder=holder, held_until=dialect.shifted(constant(_TERM)))
        .where(migration.c.id == constant(1), or_(free, over))
        .returning(migration.c.id)
    )


def released(_: Dialect) -> Update:
    """The row without its lease."""
    return (
        update(migration)
        .values(holder=null(), held_until=null())
        .where(migration.c.holder == bind("holder", Text()))
    )


def prepare(session: Session, name: str) -> None:
    """Make schema and row, if they are not there."""
    # Asked first: a role that may only use the schema may not even try.
    known = session.execute(
        "SELECT 1 FROM information_schema.schemata WHERE schema_name = CAST(%(name)s AS TEXT)",
        {"name": name},
    )
    if not known:
        _until_there(session, session.compiled.text(schema, name))
    _until_there(session, session.compiled.text(table))
    _until_there(session, session.compiled.text(row))


def script(text: Callable[..., str], name: str) -> str:
    """The same as SQL."""
    texts = (text(schema, name), text(table), text(row))
    return "".join(f"{each.strip()};\n\n" for each in texts)


def _until_there(session: Session, statement: str) -> None:
    for attempt in range(_TRIES):
        try:
            session.execute(statement)
        except DBAPIError as error:
            state = getattr(error.orig, "sqlstate", None)
            if state not in _THERE or attempt == _TRIES - 1:
                raise
        else:
            return


@contextmanager
def row_locked(session: Session) -> Generator[None, None, None]:
    """A transaction that holds the row: all of the migration, or nothing."""
    # Who has waited for the row must see what its holder has made.
    begin = "BEGIN ISOLATION LEVEL READ COMMITTED"
    with session.transaction(begin=lambda: session.execute(begin)):
        session.execute("SELECT set_config('idle_in_transaction_session_timeout', '60s', true)")
        session.rows(locked, {})
        yield
