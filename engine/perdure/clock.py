"""The clocks: wall time as aware UTC, and a monotonic one that counts suspends."""

import time
from datetime import UTC, datetime

_SUSPEND_AWARE = getattr(time, "CLOCK_BOOTTIME", None)


def now() -> datetime:
    """The wall clock of this machine, aware, in UTC."""
    return datetime.now(UTC)


def monotonic() -> float:
    """Seconds that never go back.

    Where the system offers it the clock also counts while the machine sleeps: a
    lease must not outlive a suspended laptop.
    """
    if _SUSPEND_AWARE is None:
        return time.monotonic()
    return time.clock_gettime(_SUSPEND_AWARE)
