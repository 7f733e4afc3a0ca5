"""The clocks: wall time as aware UTC, and a monotonic one that counts suspends.

Every step asks both, so neither costs a call of Python's own.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial

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
