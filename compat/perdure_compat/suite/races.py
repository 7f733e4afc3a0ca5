"""Doing things at the same time, and waiting for what others do, never for ever."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from threading import Barrier, Thread
from typing import Generic, TypeVar, cast

T = TypeVar("T")
G = TypeVar("G")

WITHIN = 30.0
"""Seconds after which a condition or a thread is given up: far beyond what any needs."""


def together(act: Callable[[G], T], given: Sequence[G]) -> list[T]:
    """Do one act with each of the given, all at the same moment; the answers in order.

    Raises:
        Exception: what the first of them raised.
    """
    barrier = Barrier(len(given))
    runs = [_Run(partial(act, one), barrier) for one in given]
    for run in runs:
        run.thread.start()
    deadline = time.monotonic() + WITHIN
    for run in runs:
        run.thread.join(max(0.0, deadline - time.monotonic()))
    return [run.outcome() for run in runs]


def at_once(first: Callable[[], T], second: Callable[[], G]) -> tuple[T, G]:
    """Do two different things at the same moment."""
    acts: list[Callable[[], object]] = [first, second]
    one, other = together(_call, acts)
    return cast("T", one), cast("G", other)


def _call(act: Callable[[], object]) -> object:
    return act()


def dealt(items: Sequence[T], *hands: G) -> list[tuple[G, T]]:
    """Each item with the one whose turn it is, for example with one of two backends."""
    return [(hands[turn % len(hands)], item) for turn, item in enumerate(items)]


class _Run(Generic[T]):
    """One act in a thread of its own."""

    def __init__(self, act: Callable[[], T], barrier: Barrier) -> None:
        self._act = act
        self._barrier = barrier
        self._answers: list[T] = []
        self._error: BaseException | None = None
        self.thread = Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        try:
            self._barrier.wait(WITHIN)
            self._answers.append(self._act())
        except BaseException as error:  # noqa: BLE001  whatever it is, `outcome` raises it
            self._error = error

    def outcome(self) -> T:
        """What the act answered, or what it raised."""
        if self._error is not None:
            raise self._error
        assert self._answers, f"no answer within {WITHIN} seconds"
        return self._answers[0]


def until(condition: Callable[[], T | None], *, within: float = WITHIN) -> T:
    """The first answer of `condition` that is true, asked again and again."""
    deadline = time.monotonic() + within
    while not (answer := condition()):
        assert time.monotonic() < deadline, f"not within {within} seconds: {condition}"
        time.sleep(0.005)
    return answer
