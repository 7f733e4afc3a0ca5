"""Lets the statements of a SQL backend fail as a plan says."""

from collections.abc import Callable, Sequence

import attrs

from perdure_compat import fault
from perdure_compat.fault import Plan

from .mishaps import Manners, Mishap, Pause
from .statements import Place, Statement


@attrs.define(eq=False)
class Injector(fault.Injector):
    """Counts the statements of one backend, and remembers the places it saw."""

    _manners: Manners
    _plan: dict[int, fault.Mishap] = attrs.field(factory=dict[int, fault.Mishap])
    _armed: bool = False
    _meanwhile: Callable[[], object] | None = None
    _struck: bool = False
    trace: list[Place] = attrs.field(factory=list[Place])

    def arm(self, plan: Plan, *, meanwhile: Callable[[], object] | None = None) -> None:
        self._plan = {strike.at: strike.mishap for strike in plan}
        self._meanwhile = meanwhile
        self._struck = False
        self.trace = []
        self._armed = True

    def disarm(self) -> Sequence[Sequence[fault.Mishap]]:
        self._armed = False
        return [self._possible(place) for place in self.trace]

    def lend(self) -> None:
        """After a failure it is the others' turn."""
        if self._armed and self._struck:
            self._struck = False
            if self._meanwhile is not None:
                self._meanwhile()

    def execute(self, statement: Statement) -> None:
        """Run the statement, unless the plan says otherwise."""
        mishap = self._next(statement.place) if self._armed else None
        if mishap is None:
            statement.run()
        elif isinstance(mishap, Pause):
            mishap.hold(statement, self._meanwhile or (lambda: None))
        else:
            self._struck = True
            mishap.strike(statement)

    def _next(self, place: Place) -> Mishap | Pause | None:
        wanted = self._plan.get(len(self.trace))
        self.trace.append(place)
        # A run in another order may stand elsewhere by now.
        return next((each for each in self._possible(place) if each == wanted), None)

    def _possible(self, place: Place) -> Sequence[Mishap | Pause]:
        known = self._manners[place]
        if self._meanwhile is not None:
            return known
        return [each for each in known if isinstance(each, Mishap)]
