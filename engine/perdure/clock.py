"""The clocks: wall time as aware UTC, and a monotonic one that counts suspends.

Every step asks both, so neither costs a call of Python's own. What users say in times and
durations becomes here what threads, calendars and databases can take.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial

from .errors import UsageError

_SUSPEND_AWARE = getattr(time, "CLOCK_BOOTTIME", None)

now: Callable[[], datetime] = partial(datetime.now, UTC)
"""The wall clock of this machine, aware, in UTC."""

monotonic: Callable[[], float] = (
    time.monotonic if _SUSPEND_AWARE is None else partial(time.clock_gettime, _SUSPEND_AWARE)
)
"""Seconds that never go back.

Where the system offers it the clock also counts while the machine sleeps: a lease
must not outlive a suspended laptop.
"""

LONGEST = timedelta(days=36_525)
"""A hundred years, which stand for ever: no thread waits for 292, no calendar ends before 9999."""


def bounded(duration: timedelta) -> timedelta:
    """A duration that can be waited for and added to the present: `LONGEST` at most, either way.

    Raises:
        UsageError: it is no timedelta.
    """
    if not isinstance(duration, timedelta):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers without a type checker
        raise UsageError(f"{duration!r} is not a timedelta; write timedelta(seconds={duration!r})")
    return max(-LONGEST, min(duration, LONGEST))


def utc(when: datetime) -> datetime:
    """The same moment in UTC.

    Raises:
        UsageError: it is no datetime, has no time zone, or UTC has no such year.
    """
    if not isinstance(when, datetime):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers without a type checker
        raise UsageError(f"{when!r} is not a datetime")
    if when.tzinfo is None:
        raise UsageError(f"{when!r} has no time zone; Perdure's times are aware")
    try:
        return when.astimezone(UTC)
    except OverflowError:
        raise UsageError(f"{when!r} is in no year from 1 to 9999 in UTC") from None
