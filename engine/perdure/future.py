"""A step that runs beside its sync workflow."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

import attrs

from . import threads
from .attempt import Attempt
from .branch import Branch
from .script import strike_at_home

R_co = TypeVar("R_co", covariant=True)


@attrs.define(eq=False)
class Future(Generic[R_co]):
    """A step that runs beside its sync workflow; `submit` makes it."""

    _line: Branch
    _run: Callable[[], R_co]
    _recorded: bool = False
    """A replay will have it in a moment."""
    _attempt: Attempt = attrs.field(init=False)
    _begun: bool = attrs.field(default=False, init=False)
    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False, repr=False)
    _nudge: threading.Event = attrs.field(factory=threading.Event, init=False, repr=False)
    _over: bool = attrs.field(default=False, init=False)
    _value: R_co | None = attrs.field(default=None, init=False)
    _error: BaseException | None = attrs.field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self._attempt = self._line.attempt
        self._attempt.rest.shift(+1)

    def result(self) -> R_co:
        """What the step returns; raises what it raises.

        A step that has not begun yet runs here and now, so that workflows which
        fill the thread pool and wait for their own steps cannot block each other.
        """
        self._attempt.rest.shift(-1)
        self._attempt.rest.nudged(self._nudge)
        try:
            self.begin()
            while not self._over:
                self._nudge.clear()
                self._hear()
                if not self._over:
                    self._nudge.wait()
        finally:
            self._attempt.rest.shift(+1)
        if self._error is not None:
            raise self._error
        return self._value  # type: ignore[return-value]  # set where there is no error

    def begin(self) -> None:
        """Run the step in this thread, unless another thread has begun."""
        with self._lock:
            begun, self._begun = self._begun, True
        if begun:
            return
        try:
            self._value = self._run()
        except BaseException as error:  # noqa: BLE001 (it is raised where the result is asked for)
            self._error = error
        finally:
            self._attempt.rest.shift(-1)
            self._over = True
            self._nudge.set()

    def _hear(self) -> None:
        """A request to cancel strikes who waits for a step that is not recorded yet."""
        if not self._over and not self._recorded:
            strike_at_home(self._line)

    def begin_in(self, pool: threads.Pool) -> None:
        """Run the step as soon as a thread of the pool is free."""
        pool.submit(self.begin)
