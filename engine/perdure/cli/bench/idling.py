"""Idle: what workers without work ask of the database."""

import time

from perdure.errors import ConfigurationError

from .figures import Figures
from .run import Run

_SETTLING = 12.0
"""Seconds in which a worker finds out that there is nothing to do."""
_STATISTICS = 1.5
"""Seconds after which PostgreSQL tells what it has counted."""


def idle(run: Run) -> Figures:
    """Transactions a second of one worker; the looks of this benchmark are taken off."""
    with run.ground() as where:
        rig = where.rig
        if rig is None or rig.transactions() is None:
            raise ConfigurationError("this database does not count its transactions")
        with run.crew(where) as members:
            for member in members:
                member.go()
                member.hear()
            time.sleep(_SETTLING + _STATISTICS)
            before, begun = rig.transactions() or 0, time.perf_counter()
            for second in range(int(run.setting.seconds)):
                run.show("idle", second, int(run.setting.seconds))
                time.sleep(1.0)
            time.sleep(_STATISTICS)
            seconds = time.perf_counter() - begun
            looks = 2  # of the first look itself: its SET and its SELECT
            counted = (rig.transactions() or 0) - before - looks
    return {"transactions_per_second": max(0, counted) / seconds / run.setting.workers}
