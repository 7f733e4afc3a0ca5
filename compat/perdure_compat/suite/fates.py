"""Fates: what becomes of a call on its way to the database and back."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

import attrs

from perdure.backend import Backend
from perdure_compat.fault import Crash, Injector, Mishap, Strike

from .calls import Call


class Loss(StrEnum):
    """Where a call is lost: either way nobody hears an answer."""

    BEFORE = "before it arrives"
    AFTER = "on the way back"
    STRUCK = "in the middle"
    """Something fails inside the verb, which may try again and answer all the same."""


@attrs.frozen(kw_only=True)
class Fate:
    """What awaits some calls.

    `times`: how many meet it, every one after `gap` others that pass unharmed. `again`:
    whether the caller sends it once more at once. `pick`: which of the mishaps of its
    kind, if it is struck; the next time another one.
    """

    loss: Loss
    times: int = 1
    gap: int = 0
    again: bool = False
    pick: int = 0
    passed: int = 0
    """How many have passed since the last one."""

    def met(self) -> tuple[bool, "Fate | None"]:
        """Whether the next call meets it, and what awaits those after it."""
        if self.passed < self.gap:
            return False, attrs.evolve(self, passed=self.passed + 1)
        if self.times == 1:
            return True, None
        return True, attrs.evolve(self, times=self.times - 1, passed=0, pick=self.pick + 1)


@attrs.frozen
class Breakage:
    """The mishaps that a call of each verb may meet, on each of the judged backends."""

    injectors: Sequence[tuple[Backend, Injector]]
    known: Mapping[str, Sequence[Strike]]

    @classmethod
    def learnt(
        cls, injectors: Sequence[tuple[Backend, Injector]], calls: Sequence[Call]
    ) -> "Breakage":
        """What could have gone wrong with these calls, which are made once."""
        backend, injector = injectors[0]
        known: dict[str, list[Strike]] = {}
        for call in calls:
            points = _points(injector, backend, call)
            strikes = [
                Strike(at, mishap)
                for at, mishaps in enumerate(points)
                for mishap in mishaps
                if Crash.__name__.lower() not in str(mishap)
            ]
            known.setdefault(call.verb, []).extend(strikes)
        return cls(injectors, known)

    def strike(self, call: Call, pick: int) -> Strike | None:
        """One of those that a call of this kind may meet, each mishap as often as another."""
        points: dict[str, list[Strike]] = {}
        for one in self.known.get(call.verb, ()):
            points.setdefault(str(one.mishap), []).append(one)
        if not points:
            return None
        chosen = list(points.values())[pick % len(points)]
        return chosen[pick // len(points) % len(chosen)]

    def made(self, call: Call, backend: Backend, strike: Strike) -> Any:
        """Make the call, and have it struck."""
        injector = next(each for one, each in self.injectors if one is backend)
        injector.arm((strike,))
        try:
            return call.on(backend)
        finally:
            injector.disarm()


def _points(injector: Injector, backend: Backend, call: Call) -> Sequence[Sequence[Mishap]]:
    injector.arm(())
    try:
        call.on(backend)
    finally:
        points = injector.disarm()
    return points
