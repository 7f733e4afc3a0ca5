"""Riding out a database that is away: wait, say so once a minute, go on."""

import logging
import random
import threading
from collections.abc import Callable
from typing import TypeVar

import attrs

from . import clock
from .errors import BackendUnavailable, PerdureError, SchemaError

R = TypeVar("R")

log = logging.getLogger("perdure")

FIRST_PAUSE = 0.05
LONGEST_PAUSE = 5.0
REMINDER = 60.0


class GivenUp(Exception):
    """The wait was ended before the database came back."""


@attrs.define
class Outage:
    """How long one caller has been without the database, and what it said of it."""

    doing: str
    """What the caller cannot do meanwhile, for the log."""
    _since: float | None = None
    _said: float = 0.0
    _pause: float = FIRST_PAUSE

    def ride_out(self, call: Callable[[], R], stop: threading.Event) -> R:
        """Call until the database answers, with tables that fit.

        Raises:
            GivenUp: `stop` was set while the database was away.
        """
        while True:
            try:
                answer = call()
            except (BackendUnavailable, SchemaError) as error:
                if stop.wait(self.failed(error)):
                    raise GivenUp from error
            else:
                self.over()
                return answer

    def failed(self, error: PerdureError) -> float:
        """Note a failure; the seconds to wait before the next try."""
        now = clock.monotonic()
        if self._since is None:
            self._since, self._said = now, now
            log.warning("cannot %s: %s; trying again until it works", self.doing, error)
        elif now - self._said >= REMINDER:
            self._said = now
            log.warning("cannot %s for %.0f s: %s", self.doing, now - self._since, error)
        pause, self._pause = self._pause, min(self._pause * 2, LONGEST_PAUSE)
        return pause * random.uniform(0.5, 1.0)  # noqa: S311 (jitter needs no secrecy)

    def over(self) -> None:
        """Note an answer."""
        if self._since is not None:
            log.warning("can %s again after %.1f s", self.doing, clock.monotonic() - self._since)
        self._since, self._pause = None, FIRST_PAUSE
