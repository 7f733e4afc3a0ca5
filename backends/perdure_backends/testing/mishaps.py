"""What can go wrong at a statement, done for real: the server fails, the connection ends.

Only SQLite's error codes are made here, because nothing brings them about at
will; what they leave behind (an open transaction, a commit that took place) is real.
"""

import sqlite3
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, NoReturn

import attrs

from perdure_compat.fault import Crash

from .statements import Place, Statement, inside


class When(StrEnum):
    """How far the statement came."""

    BEFORE = "before"
    UNDONE = "undone"
    """It ran, and the server rolled it back."""
    DONE = "done"
    """It ran; if it was a commit or stood alone, its effect stays."""


Ending = Callable[[Statement], NoReturn]


@attrs.frozen
class Mishap:
    """One way in which a statement fails."""

    name: str
    when: When
    _ending: Ending = attrs.field(repr=False)

    def __str__(self) -> str:
        return f"{self.name} {self.when}"

    def strike(self, statement: Statement) -> NoReturn:
        """Let the statement come as far as `when` says, and then fail."""
        if self.when is When.DONE:
            statement.run()
        if self.when is When.UNDONE:
            _undone(statement)
        self._ending(statement)


@attrs.frozen
class Pause:
    """The process stands still while others go on, for longer than its lease; nothing fails."""

    when: When

    def __str__(self) -> str:
        return f"pause {self.when}"

    def hold(self, statement: Statement, others: Callable[[], object]) -> None:
        """Let the others act before the statement, or after it."""
        if self.when is When.BEFORE:
            others()
        statement.run()
        if self.when is When.DONE:
            others()


def _undone(statement: Statement) -> None:
    if statement.place is Place.ALONE:
        statement.driver.execute("BEGIN")
    try:
        if statement.place is not Place.COMMIT:
            statement.run()
    finally:
        statement.driver.execute("ROLLBACK")


Manners = Mapping[Place, tuple[Mishap | Pause, ...]]
"""What can go wrong on a kind of database, by the place of the statement."""


# --------------------------------------------------------------- servers


_FORCES = "SELECT FROM pg_namespace WHERE nspname = 'crdb_internal'"


def _raised(state: str) -> Ending:
    def ending(statement: Statement) -> NoReturn:
        """The server fails with this SQLSTATE, and takes an open transaction along."""
        if statement.driver.execute(_FORCES).fetchone():
            statement.driver.execute(f"SELECT crdb_internal.force_error('{state}', 'injected')")
        statement.driver.execute(
            f"DO $$ BEGIN RAISE EXCEPTION 'injected' USING ERRCODE = '{state}'; END $$"
        )
        raise AssertionError(f"{state} was not raised")

    return ending


def _hung_up(driver: Any) -> None:
    # The server would do it as soon as it notices, which is no fixed moment.
    if inside(driver):
        driver.execute("ROLLBACK")
    driver.pgconn.finish()


def _disconnected(statement: Statement) -> NoReturn:
    _hung_up(statement.driver)
    statement.run()
    raise AssertionError("a closed connection answered")


def _terminated(statement: Statement) -> NoReturn:
    statement.driver.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    raise AssertionError("a terminated session answered")


def _server_crashed(statement: Statement) -> NoReturn:
    _hung_up(statement.driver)
    raise Crash(statement.text)


CRASH = Mishap("crash", When.BEFORE, _server_crashed)
"""The process of a client of a server dies before a statement is sent."""

_GONE = (
    Mishap("disconnect", When.BEFORE, _disconnected),
    Mishap("disconnect", When.DONE, _disconnected),
    CRASH,
    Mishap("crash", When.DONE, _server_crashed),
)
_ASIDE = (Pause(When.BEFORE), Pause(When.DONE))
_ROLLED_BACK = tuple(Mishap(state, When.BEFORE, _raised(state)) for state in ("40001", "40P01"))
_CONFLICT = Mishap("40001", When.UNDONE, _raised("40001"))
_VANISHED = Mishap("disconnect", When.UNDONE, _disconnected)
# A write that commits by itself may be tried again inside a cluster, and the
# second try's failure be reported for a first one that was applied.
_MISREPORTED = Mishap("40001", When.DONE, _raised("40001"))
_AMBIGUOUS = (
    Mishap("40003", When.UNDONE, _raised("40003")),
    Mishap("40003", When.DONE, _raised("40003")),
)

_SERVER: Manners = {
    Place.BEGIN: (*_GONE, Pause(When.BEFORE)),
    Place.INSIDE: (*_GONE, *_ROLLED_BACK, _MISREPORTED),
    Place.COMMIT: (*_GONE, _CONFLICT, _VANISHED, Pause(When.DONE)),
    Place.ROLLBACK: _GONE,
    Place.ALONE: (*_GONE, *_ROLLED_BACK, _CONFLICT, _VANISHED, *_ASIDE),
}


def _and(manners: Manners, more: Manners) -> Manners:
    return {place: (*known, *more.get(place, ())) for place, known in manners.items()}


_TIMEOUT = Mishap("57014", When.BEFORE, _raised("57014"))
_LATE_TIMEOUT = Mishap("57014", When.UNDONE, _raised("57014"))
# Reported as failed, and applied.
_TERMINATED = Mishap("57P01", When.DONE, _terminated)

POSTGRES: Manners = _and(
    _SERVER,
    {
        # Whoever skips locked rows may go on while this process holds them.
        Place.INSIDE: (_TIMEOUT, *_ASIDE),
        Place.COMMIT: (_LATE_TIMEOUT, _TERMINATED, Pause(When.BEFORE)),
        Place.ALONE: (_TIMEOUT, _LATE_TIMEOUT, _TERMINATED),
    },
)
COCKROACHDB: Manners = _and(
    _SERVER,
    {
        Place.COMMIT: _AMBIGUOUS,
        Place.ALONE: (*_AMBIGUOUS, _MISREPORTED, _TIMEOUT),
    },
)


# ---------------------------------------------------------------- sqlite


def _failed(code: int) -> Ending:
    def ending(_: Statement) -> NoReturn:
        error = sqlite3.OperationalError("injected")
        error.sqlite_errorcode = code
        raise error

    return ending


def _file_crashed(statement: Statement) -> NoReturn:
    # As the next who opens the file would; a cursor read half way delays closing.
    statement.driver.rollback()
    statement.driver.close()
    raise Crash(statement.text)


_BUSY = Mishap("SQLITE_BUSY", When.BEFORE, _failed(sqlite3.SQLITE_BUSY))
_DIED = (
    Mishap("crash", When.BEFORE, _file_crashed),
    Mishap("crash", When.DONE, _file_crashed),
)
_IO = (
    Mishap("SQLITE_IOERR", When.UNDONE, _failed(sqlite3.SQLITE_IOERR)),
    Mishap("SQLITE_IOERR", When.DONE, _failed(sqlite3.SQLITE_IOERR)),
)

SQLITE: Manners = {
    Place.BEGIN: (_BUSY, *_DIED),
    Place.INSIDE: (_BUSY, *_DIED),
    Place.COMMIT: (_BUSY, *_DIED, *_IO),
    Place.ROLLBACK: _DIED,
    # Not within a transaction: nobody else could begin one.
    Place.ALONE: (_BUSY, *_DIED, Pause(When.BEFORE), Pause(When.DONE)),
}
