"""Wherever its workers die, a workflow that waits comes to the same end."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import attrs
import pytest

from perdure.backend import Recovery
from perdure_compat.reference import MemoryBackend

from .everything import BODIES, WORKFLOWS, all_well, start
from .support import HOUR, NO_LINGER, Memory, engine_of

QUICK: dict[str, Any] = {"lease": timedelta(seconds=1.5), "heartbeat": timedelta(seconds=0.05)}
COLOURS = pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])


CALLS = {"submit": 2, "subscribe": 3, "send": 2, "look": 8, "wake": 8, "cancel": 1}
"""How often it asks for something, at least."""
POINTS = [(verb, number) for verb, most in CALLS.items() for number in range(1, most + 1)]


@attrs.define
class Death:
    """All workers die before or after the call of a verb with that number."""

    verb: str
    number: int
    after: bool
    calls: int = 0

    def strike(self, backend: MemoryBackend) -> None:
        for worker in [key for key, one in backend.store.workers.items() if one.alive]:
            backend.leave(worker)
        recovery = Recovery(max_strikes=1000, backoff=timedelta(0))
        backend.reap([], margin=timedelta(0), recovery=recovery, limit=1000)

    def around(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(backend: MemoryBackend, *args: Any, **options: Any) -> Any:
            self.calls += 1
            mine = self.calls == self.number
            if mine and not self.after:
                self.strike(backend)
            answer = real(backend, *args, **options)
            if mine and self.after:
                self.strike(backend)
            return answer

        return call


def play(death: Death, linger: timedelta, *, is_async: bool) -> None:
    """Run everything through that death."""
    memory = Memory.fresh()
    with engine_of(memory.url, *WORKFLOWS, linger=linger, **QUICK) as engine:
        handle = start(engine, is_async=is_async)
        with pytest.MonkeyPatch.context() as patch:
            real = getattr(MemoryBackend, death.verb)
            patch.setattr(MemoryBackend, death.verb, death.around(real))
            with engine.worker():
                all_well(engine, handle)
    assert death.calls >= death.number
    assert set(BODIES) == {"first", "last"}
    assert max(BODIES.values()) <= 2


@COLOURS
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("number", range(1, 15))
def test_a_death_at_a_commit(number: int, *, after: bool, is_async: bool) -> None:
    play(Death("commit", number, after), NO_LINGER, is_async=is_async)


@COLOURS
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(("verb", "number"), POINTS)
def test_a_death_where_it_asks_for_something(
    verb: str, number: int, *, after: bool, is_async: bool
) -> None:
    play(Death(verb, number, after), HOUR, is_async=is_async)
