"""When a failed try is followed by another, and after which pause: pure arithmetic."""

import math
from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeAlias

import attrs

from .clock import bounded
from .errors import ConfigurationError, GiveUp

Classes: TypeAlias = type[Exception] | tuple[type[Exception], ...]
Wanted: TypeAlias = Classes | Callable[[Exception], bool]


def _is_class(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, Exception)


def _is_classes(value: object) -> bool:
    classes: list[object] = [*value] if isinstance(value, tuple) else [value]
    return all(map(_is_class, classes))


def _check(condition: object, text: str) -> None:
    if not condition:
        raise ConfigurationError(f"Retry: {text}")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


@attrs.frozen
class Retry:
    """How often a failing step is tried, on which errors, and with which pauses.

    After the n-th failed try the pause is `min(delay · factor^(n-1), max_delay)`,
    of which the share `jitter` is drawn at random: with 0.5 the pause lies
    between half of that and all of it, with 0 it is exact.

    Args:
        attempts: all tries, the first included; None means for ever.
        delay: the pause after the first try.
        factor: by how much each pause is longer than the one before.
        max_delay: the longest pause.
        jitter: which share of a pause is random, from 0 to 1.
        on: the errors worth another try: a class, a tuple of classes, or a
            predicate.
        never_on: errors that are not, though `on` says so.

    Raises:
        ConfigurationError: a value makes no sense; the message says which.
    """

    attempts: int | None = 3
    delay: timedelta = attrs.field(default=timedelta(seconds=1), kw_only=True)
    factor: float = attrs.field(default=2.0, kw_only=True)
    max_delay: timedelta = attrs.field(default=timedelta(minutes=5), kw_only=True)
    jitter: float = attrs.field(default=0.5, kw_only=True)
    on: Wanted = attrs.field(default=Exception, kw_only=True)
    never_on: Classes = attrs.field(default=(), kw_only=True)

    def __attrs_post_init__(self) -> None:
        self._check_count()
        self._check_pauses()
        _check(
            _is_classes(self.on) or (callable(self.on) and not isinstance(self.on, type)),
            f"on is a class of Exception, a tuple of them or a predicate, not {self.on!r}",
        )
        _check(
            _is_classes(self.never_on),
            f"never_on is a class of Exception or a tuple of them, not {self.never_on!r}",
        )

    def _check_count(self) -> None:
        attempts: Any = self.attempts
        if attempts is None:
            return
        whole = isinstance(attempts, int) and not isinstance(attempts, bool)
        _check(
            whole and attempts >= 1,
            f"attempts counts all tries, the first included: at least 1, or None for ever, "
            f"not {attempts!r}",
        )

    def _check_pauses(self) -> None:
        for name in ("delay", "max_delay"):
            pause = getattr(self, name)
            good = isinstance(pause, timedelta) and pause >= timedelta()
            _check(good, f"{name} is a timedelta of 0 or more, not {pause!r}")
        _check(
            _is_number(self.factor) and self.factor >= 1,
            f"factor is a number of 1 or more, not {self.factor!r}",
        )
        _check(
            _is_number(self.jitter) and 0 <= self.jitter <= 1,
            f"jitter is a share from 0 to 1, not {self.jitter!r}",
        )

    def wants(self, error: BaseException, attempt: int) -> bool:
        """Whether another try follows the failed try number `attempt` (from 1).

        What is no `Exception` (an interrupted step) and `GiveUp` never do. A
        predicate that raises lets its error through.
        """
        if self.attempts is not None and attempt >= self.attempts:
            return False
        if not isinstance(error, Exception) or isinstance(error, (GiveUp, self.never_on)):
            return False
        on: Any = self.on
        return isinstance(error, on) if _is_classes(on) else bool(on(error))

    def pause(self, attempt: int, random: float) -> timedelta:
        """How long to wait after the failed try number `attempt` (from 1).

        Args:
            attempt: the number of the try that has failed.
            random: from 0 to 1; 0 gives the longest pause.
        """
        full = bounded(self._full(attempt))
        return full - full * (self.jitter * random)

    def _full(self, attempt: int) -> timedelta:
        """`delay · factor^(attempt-1)`, at most `max_delay`, without overflow."""
        if not self.delay or not self.max_delay:
            return min(self.delay, self.max_delay)
        steps = max(attempt, 1) - 1
        room = math.log(self.max_delay / self.delay)
        if steps * math.log(self.factor) >= room:
            return self.max_delay
        return min(self.delay * self.factor**steps, self.max_delay)


ONCE = Retry(1)
"""No retry: what a step without `retries` gets."""
