"""Daemon threads, alone and in pools.

The standard library's executor joins its threads when the interpreter exits, so
that one step that hangs would keep a drained worker alive for ever.
"""

import contextlib
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import ParamSpec, TypeAlias, TypeVar

import attrs

P = ParamSpec("P")
R = TypeVar("R")

Work: TypeAlias = Callable[[], object]


def start(run: Callable[[], object], *, name: str) -> threading.Thread:
    """Start a daemon thread."""
    thread = threading.Thread(target=run, name=f"perdure-{name}", daemon=True)
    thread.start()
    return thread


def call(fn: Callable[[], R], *, name: str) -> Future[R]:
    """Run `fn` in a daemon thread of its own."""
    future: Future[R] = Future()
    start(lambda: _settle(future, fn), name=name)
    return future


@attrs.define(eq=False)
class Pool:
    """At most `size` daemon threads, started when needed."""

    size: int
    name: str
    _work: queue.SimpleQueue[Work | None] = attrs.field(
        factory=queue.SimpleQueue[Work | None], init=False
    )
    _threads: int = attrs.field(default=0, init=False)
    _idle: int = attrs.field(default=0, init=False)
    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False, repr=False)

    def submit(self, fn: Callable[[], R]) -> Future[R]:
        """What `fn` returns, once a thread has been free to run it."""
        future: Future[R] = Future()
        self.begin(lambda: _settle(future, fn))
        return future

    def begin(self, fn: Callable[[], object]) -> None:
        """Run `fn`, which raises nothing, as soon as a thread is free."""
        self._work.put(fn)
        with self._lock:
            if self._idle == 0 and self._threads < self.size:
                self._threads += 1
                start(self._run, name=f"{self.name}-{self._threads}")
            elif self._idle:
                self._idle -= 1

    def close(self) -> None:
        """Let the threads end when their work is done."""
        for _ in range(self._threads):
            self._work.put(None)

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            work()
            with self._lock:
                self._idle += 1


def _settle(future: Future[R], fn: Callable[[], R]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = fn()
    except BaseException as error:  # noqa: BLE001 (it reaches whoever waits, whatever it is)
        future.set_exception(error)
    else:
        with contextlib.suppress(Exception):  # nobody may have cancelled a running future
            future.set_result(result)
