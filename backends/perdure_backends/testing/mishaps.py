"""What can go wrong at a statement, done for real: the server fails, the connection ends.

Only SQLite's error codes are made here, because nothing brings them about at
will; what they leave behind (an open transaction, a commit that took place) is real.
"""

import sqlite3
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, NoReturn

import attrs

from .statements import Place, Statement, inside


class Crash(BaseException):
    """The process dies here; nobody but the harness may catch it."""


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


def _undone(statement: Statement) -> None:
    if statement.place is Place.ALONE:
        statement.driver.execute("BEGIN")
    try:
        if statement.place is not Place.COMMIT:
            statement.run()
    finally:
        statement.driver.execute("ROLLBACK")


Manners = Mapping[Place, tuple[Mishap, ...]]
"""What can go wrong on a kind of database, by the place of the statement."""


# --------------------------------------------------------------- servers


def _raised(state: str) -> Ending:
    def ending(statement: Statement) -> NoReturn:
        """The server fails with this SQLSTATE, and takes an open transaction along."""
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


_GONE = (
    Mishap("disconnect", When.BEFORE, _disconnected),
    Mishap("disconnect", When.DONE, _disconnected),
    Mishap("crash", When.BEFORE, _server_crashed),
    Mishap("crash", When.DONE, _server_crashed),
)
_ROLLED_BACK = (
    Mishap("40001", When.BEFORE, _raised("40001")),
    Mishap("40P01", When.BEFORE, _raised("40P01")),
)
_LATE = (
    Mishap("40001", When.UNDONE, _raised("40001")),
    Mishap("disconnect", When.UNDONE, _disconnected),
    Mishap("57P01", When.DONE, _terminated),
)
_AMBIGUOUS = (
    Mishap("40003", When.UNDONE, _raised("40003")),
    Mishap("40003", When.DONE, _raised("40003")),
)
# A write that commits by itself may be tried again inside such a cluster, and
# the second try's failure be reported for a first one that was applied.
_MISREPORTED = Mishap("40001", When.DONE, _raised("40001"))

POSTGRES: Manners = {
    Place.BEGIN: _GONE,
    Place.INSIDE: (*_GONE, *_ROLLED_BACK, Mishap("40001", When.DONE, _raised("40001"))),
    Place.COMMIT: (*_GONE, *_LATE),
    Place.ROLLBACK: _GONE,
    Place.ALONE: (*_GONE, *_ROLLED_BACK, *_LATE),
}
COCKROACHDB: Manners = {
    **POSTGRES,
    Place.COMMIT: (*POSTGRES[Place.COMMIT], *_AMBIGUOUS),
    Place.ALONE: (*POSTGRES[Place.ALONE], *_AMBIGUOUS, _MISREPORTED),
}


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
    Place.ALONE: (_BUSY, *_DIED),
}
