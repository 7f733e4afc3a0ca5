"""All schedules of actors on a server, statement by statement.

The director decides who moves, so that every lock is held while the others go on.
Who moved and now waits for a lock is seen on the server, and stays on its way. Where
one commit lets two go on, the server decides who is first: a schedule that does not come
about at the first try is tried again.

Actors that do the same thing are interchangeable until they begin: of schedules that
differ by their names alone one is played (symmetry reduction; Clarke, Enders, Filkorn,
Jha, "Exploiting symmetry in temporal logic model checking", 1996).
"""

import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any

import attrs

from .actors import Act, Actor, State

_WITHIN = 30.0
"""Seconds after which a schedule is given up: far beyond what any needs."""
_TRIES = 30
"""For a schedule in which the server has to play along."""


@attrs.frozen
class Turn:
    """An actor moves, or dies where it stands."""

    actor: int
    dies: bool = False

    def __str__(self) -> str:
        return f"{self.actor} dies" if self.dies else str(self.actor)


Schedule = tuple[Turn, ...]
"""Whose turn it is, one after the other."""


@attrs.frozen(kw_only=True)
class Bounds:
    """Which schedules are played: all within these."""

    deaths: int = 0
    """How many actors die at most, each at any of its stops."""
    switches: int | None = None
    """How often somebody who could go on is passed over at most; None: any number of times."""

    def turns(
        self, played: Schedule, switched: int, ready: Sequence[int], holding: Sequence[int]
    ) -> list[Turn]:
        """Whose turn it may be when these can move; whoever moved last comes first.

        Who holds nothing dies at once or not at all: who stands still as if dead is the same.
        """
        last = played[-1].actor if played else None
        able = sorted(ready, key=lambda at: (at != last, at))
        if last in able and switched == self.switches:
            able = able[:1]
        turns = [Turn(at) for at in able]
        if sum(turn.dies for turn in played) < self.deaths:
            mortal = {last, *holding} if played else able
            turns += [Turn(at, dies=True) for at in able if at in mortal]
        return turns


@attrs.define(eq=False)
class Director:
    """Plays every schedule of the same acts, each from the same beginning."""

    _actors: Sequence[Actor]
    _raw: Any
    """A plain connection to the same server."""

    def play_all(
        self,
        arrange: Callable[[], Sequence[Act]],
        check: Callable[[Sequence[object]], None],
        *,
        bounds: Bounds = Bounds(),
    ) -> int:
        """How many schedules there were.

        Args:
            arrange: makes the beginning; answers with what each actor does. Who is given
                one and the same act does the same thing.
            check: judges the answers and what is left; whoever died answers with the crash.
            bounds: which schedules are played.
        """
        count = tries = 0
        ahead: list[Schedule] = [()]
        while ahead:
            prefix = ahead[-1]
            acts = arrange()
            played, others = self._play(prefix, acts, bounds)
            with _noted(played):
                check([_answer(actor) for actor in self._actors[: len(acts)]])
            tries += 1
            if played[: len(prefix)] == prefix:
                ahead[-1:] = others
                count, tries = count + 1, 0
            elif tries == _TRIES:
                raise AssertionError(f"cannot be played: {', '.join(map(str, prefix))}")
        return count

    def _play(
        self, prefix: Schedule, acts: Sequence[Act], bounds: Bounds
    ) -> tuple[Schedule, list[Schedule]]:
        """What was played, and where it could have gone another way behind the prefix."""
        actors = self._actors[: len(acts)]
        for actor, act in zip(actors, acts, strict=True):
            actor.begin(act)
        played: Schedule = ()
        switched = 0
        others: list[Schedule] = []
        deadline = time.monotonic() + _WITHIN
        while ready := _distinct(self._ready(actors, deadline, played), acts, played):
            holding = [at for at in ready if actors[at].holds]
            chosen, *rest = bounds.turns(played, switched, ready, holding)
            if len(played) >= len(prefix):
                others += [(*played, other) for other in rest]
            elif prefix[len(played)].actor in ready:
                chosen = prefix[len(played)]
            last = played[-1].actor if played else chosen.actor
            switched += last != chosen.actor and last in ready
            actors[chosen.actor].move(dies=chosen.dies)
            played = (*played, chosen)
        return played, others

    def _ready(self, actors: Sequence[Actor], deadline: float, played: Schedule) -> list[int]:
        """Who can move, once everybody has arrived or waits for a lock; nobody if all are done."""
        while time.monotonic() < deadline:
            if all(actor.arrived() or self._stuck(actor) for actor in actors):
                states = [actor.state for actor in actors]
                ready = [at for at, state in enumerate(states) if state is State.READY]
                if ready or set(states) == {State.DONE}:
                    return ready
        with _noted(played):
            raise AssertionError(f"nobody can move: {self._situation(actors)}")

    def _situation(self, actors: Sequence[Actor]) -> list[object]:
        asked = (
            "SELECT pid, state, wait_event, pg_blocking_pids(pid), query FROM pg_stat_activity "
            "WHERE pid = ANY(%s)"
        )
        pids = [actor.pid for actor in actors]
        states = [(actor.pid, actor.state.name) for actor in actors]
        return [*states, *self._raw.execute(asked, [pids]).fetchall()]

    def _stuck(self, actor: Actor) -> bool:
        """Whether it waits for a lock, not just for a moment."""
        return self._blocked(actor) and not actor.arrived() and self._blocked(actor)

    def _blocked(self, actor: Actor) -> bool:
        asked = "SELECT cardinality(pg_blocking_pids(%s)) > 0"
        found = self._raw.execute(asked, [actor.pid]).fetchone()
        return bool(actor.pid and found[0])


def _distinct(ready: Sequence[int], acts: Sequence[Act], played: Schedule) -> list[int]:
    """Without those who would begin what one before them could begin instead."""
    begun = {turn.actor for turn in played}
    idle = [at for at in range(len(acts)) if at not in begun]
    spare = {at for at in idle if any(acts[at] is acts[other] for other in idle if other < at)}
    return [at for at in ready if at not in spare]


def _answer(actor: Actor) -> object:
    if actor.error is not None:
        raise actor.error
    return actor.answer


@contextmanager
def _noted(played: Schedule) -> Generator[None, None, None]:
    try:
        yield
    except BaseException as error:
        error.add_note("schedule: " + ", ".join(map(str, played)))
        raise
