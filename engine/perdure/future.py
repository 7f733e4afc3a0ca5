"""A step that runs beside its sync workflow."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

import attrs

from . import threads
from .attempt import Attempt

R_co = TypeVar("R_co", covariant=True)


@attrs.define(eq=False)
class Future(Generic[R_co]):
    """A step that runs beside its sync workflow; `submit` makes it."""

    _attempt: Attempt
    _run: Callable[[], R_co]
    _begun: bool = attrs.field(default=False, init=False)
    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False, repr=False)
    _done: threading.Event = attrs.field(factory=threading.Event, init=False, repr=False)
    _value: R_co | None = attrs.field(default=None, init=False)
    _error: BaseException | None = attrs.field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self._attempt.count_beside(+1)

    def result(self) -> R_co:
        """What the step returns; raises what it raises.

        A step that has not begun yet runs here and now, so that workflows which
        fill the thread pool and wait for their own steps cannot block each other.
        """
        self.begin()
        self._done.wait()
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
            self._attempt.count_beside(-1)
            self._done.set()

    def begin_in(self, pool: threads.Pool) -> None:
        """Run the step as soon as a thread of the pool is free."""
        pool.submit(self.begin)
