"""All schedules of actors on a server, statement by statement.

Each actor stops before every statement and before its commit, and the director
decides who moves, so that every lock is held while the others go on. Who
moved and now waits for a lock is seen on the server, and stays on its way.
"""

import time
from collections.abc import Callable, Sequence
from enum import Enum, auto
from threading import Event, Semaphore, Thread
from typing import Any

import attrs

from perdure_backends.sql.backend import SqlBackend

from .statements import Place, Statement, intercept

_WITHIN = 30.0
"""Seconds after which a schedule is given up: far beyond what any needs."""
_GLANCE = 0.002

Schedule = tuple[int, ...]
"""Who moves, turn by turn."""


class _State(Enum):
    READY = auto()
    UNDER_WAY = auto()
    DONE = auto()


@attrs.define(eq=False)
class Actor:
    """One backend that moves only when it is told to."""

    backend: SqlBackend
    answer: object = None
    error: BaseException | None = None
    pid: int = 0
    """The server's process that works for it."""
    state: _State = _State.DONE
    _go: Semaphore = attrs.field(factory=lambda: Semaphore(0))
    _arrived: Event = attrs.field(factory=Event)

    def __attrs_post_init__(self) -> None:
        intercept(self.backend, self)

    def lend(self) -> None:
        """A new try needs no leave: its first statement does."""

    def execute(self, statement: Statement) -> None:
        """Wait for one's turn; a statement that commits by itself needs a second one for that."""
        self.pid = statement.driver.info.backend_pid
        alone = statement.place is Place.ALONE
        self._wait()
        if not alone:
            statement.run()
            return
        statement.driver.execute("BEGIN")
        try:
            statement.run()
        except BaseException:
            statement.driver.execute("ROLLBACK")
            raise
        self._wait()
        statement.driver.execute("COMMIT")

    def begin(self, act: Callable[[SqlBackend], object]) -> None:
        """Go as far as the first statement."""
        self.answer = self.error = None
        self._set_out()
        Thread(target=self._act, args=(act,), daemon=True).start()

    def move(self) -> None:
        """Send the statement that it stands at."""
        self._set_out()
        self._go.release()

    def arrived(self) -> bool:
        """Whether it stands at its next statement, or is done."""
        return self._arrived.wait(_GLANCE)

    def _set_out(self) -> None:
        self._arrived.clear()
        self.state = _State.UNDER_WAY

    def _wait(self) -> None:
        self._halt(_State.READY)
        self._go.acquire()

    def _halt(self, state: _State) -> None:
        self.state = state
        self._arrived.set()

    def _act(self, act: Callable[[SqlBackend], object]) -> None:
        try:
            self.answer = act(self.backend)
        except BaseException as error:  # noqa: BLE001 (whatever it is, the director raises it)
            self.error = error
        self._halt(_State.DONE)


@attrs.define(eq=False)
class Director:
    """Plays every schedule of the same acts, each from the same beginning."""

    _actors: Sequence[Actor]
    _raw: Any
    """A plain connection to the same server."""

    def play_all(
        self,
        arrange: Callable[[], Sequence[Callable[[SqlBackend], object]]],
        check: Callable[[Sequence[object]], None],
    ) -> int:
        """How many schedules there were.

        Args:
            arrange: makes the beginning; answers with what each actor does.
            check: judges the answers and what is left.
        """
        count = 0
        ahead: list[Schedule] = [()]
        while ahead:
            prefix = ahead.pop()
            acts = arrange()
            played = self._play(prefix, acts, ahead)
            count += 1
            try:
                check([self._answer(actor) for actor in self._actors])
            except BaseException as error:
                error.add_note(f"schedule: {played}")
                raise
        return count

    def _play(
        self,
        prefix: Schedule,
        acts: Sequence[Callable[[SqlBackend], object]],
        ahead: list[Schedule],
    ) -> Schedule:
        for actor, act in zip(self._actors, acts, strict=True):
            actor.pid = 0
            actor.begin(act)
        played: Schedule = ()
        deadline = time.monotonic() + _WITHIN
        while ready := self._ready(deadline):
            if len(played) < len(prefix):
                chosen = prefix[len(played)]
            else:
                chosen, *others = ready
                ahead += [(*played, other) for other in others]
            self._actors[chosen].move()
            played = (*played, chosen)
        return played

    def _ready(self, deadline: float) -> list[int]:
        """Who can move, once everybody has arrived or waits for a lock; nobody if all are done."""
        while True:
            for actor in self._actors:
                while not actor.arrived() and not self._blocked(actor):
                    _in_time(deadline)
            states = [actor.state for actor in self._actors]
            ready = [at for at, state in enumerate(states) if state is _State.READY]
            if ready or set(states) == {_State.DONE}:
                return ready
            _in_time(deadline)

    def _blocked(self, actor: Actor) -> bool:
        asked = "SELECT cardinality(pg_blocking_pids(%s)) > 0"
        found = self._raw.execute(asked, [actor.pid]).fetchone()
        return bool(actor.pid and found[0])

    def _answer(self, actor: Actor) -> object:
        if actor.error is not None:
            raise actor.error
        return actor.answer


def _in_time(deadline: float) -> None:
    if time.monotonic() > deadline:
        raise AssertionError("nobody can move")
