"""Actors: backends that move only when they are told to, statement by statement.

An actor stops before every statement and before its commit, except where nobody else
could tell the difference: at the beginning of a transaction, at a setting of its own,
and at the commit of one to which the server has given no id, since that has written
nothing and locked no row.
"""

from collections.abc import Callable
from enum import Enum, auto
from threading import Event, Semaphore, Thread
from typing import Any

import attrs

from perdure_backends.sql.backend import SqlBackend
from perdure_compat.fault import Crash

from .mishaps import CRASH
from .statements import Place, Statement, intercept

Act = Callable[[SqlBackend], object]

_GLANCE = 0.002


def _untouched(driver: Any) -> bool:
    """Whether its transaction has written nothing and locked nothing."""
    found = driver.execute("SELECT pg_current_xact_id_if_assigned() IS NULL").fetchone()
    return bool(found[0])


def _unseen(statement: Statement) -> bool:
    healthy = statement.driver.info.transaction_status.name == "INTRANS"
    if statement.place is Place.COMMIT and healthy:
        return _untouched(statement.driver)
    return statement.place is Place.BEGIN or statement.text.startswith("SELECT set_config(")


class State(Enum):
    """How far an actor is."""

    READY = auto()
    UNDER_WAY = auto()
    DONE = auto()


@attrs.define(eq=False)
class Actor:
    """One backend on a stage."""

    backend: SqlBackend
    answer: object = None
    """What its act returned; the `Crash` if it died."""
    error: BaseException | None = None
    pid: int = 0
    """The server's process that works for it."""
    holds: bool = False
    """Whether it stands in a transaction that may have written, locked or seen something."""
    state: State = State.DONE
    _doomed: bool = False
    _go: Semaphore = attrs.field(factory=lambda: Semaphore(0))
    _arrived: Event = attrs.field(factory=Event)

    def __attrs_post_init__(self) -> None:
        intercept(self.backend, self)

    def lend(self) -> None:
        """A new try needs no leave: its first statement does."""

    def execute(self, statement: Statement) -> None:
        """Wait for one's turn; a statement that commits by itself needs a second one for that."""
        if self._doomed:
            statement.run()
            return
        self.pid = statement.driver.info.backend_pid
        if statement.place in (Place.BEGIN, Place.ALONE):
            self.holds = False
        if _unseen(statement):
            statement.run()
            return
        self._wait(statement)
        if statement.place is Place.ALONE:
            self._execute_alone(statement)
        else:
            self.holds = True
            statement.run()

    def _execute_alone(self, statement: Statement) -> None:
        statement.driver.execute("BEGIN")
        try:
            statement.run()
        except BaseException:
            statement.driver.execute("ROLLBACK")
            raise
        if not _untouched(statement.driver):
            self.holds = True
            self._wait(statement)
        statement.driver.execute("COMMIT")

    def begin(self, act: Act) -> None:
        """Go as far as the first statement."""
        self.answer = self.error = None
        self.pid = 0
        self._doomed = False
        self._set_out()
        Thread(target=self._act, args=(act,), daemon=True).start()

    def move(self, *, dies: bool) -> None:
        """Send the statement that it stands at, or die in front of it."""
        self._doomed = dies
        self._set_out()
        self._go.release()

    def arrived(self) -> bool:
        """Whether it stands at its next statement, or is done."""
        return self._arrived.wait(_GLANCE)

    def _set_out(self) -> None:
        self._arrived.clear()
        self.state = State.UNDER_WAY

    def _wait(self, statement: Statement) -> None:
        self._halt(State.READY)
        self._go.acquire()
        if self._doomed:
            CRASH.strike(statement)

    def _halt(self, state: State) -> None:
        self.state = state
        self._arrived.set()

    def _act(self, act: Act) -> None:
        try:
            self.answer = act(self.backend)
        except Crash as crash:
            self.answer = crash
        except BaseException as error:  # noqa: BLE001 (whatever it is, the director raises it)
            self.error = error
        self._halt(State.DONE)
