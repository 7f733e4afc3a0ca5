"""Daemon threads, alone and in pools.

The standard library's executor joins its threads when the interpreter exits, so
that one step that hangs would keep a drained worker alive for ever.
"""

import contextlib
import threading
from collections import deque
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
    """At most `size` daemon threads, started when needed.

    One at a time comes for work, and sends for another if there is more: many that
    were woken at once would only take the interpreter from each other.
    """

    size: int
    name: str
    _work: deque[Work] = attrs.field(factory=deque[Work], init=False)
    _idle: list[threading.Lock] = attrs.field(factory=list[threading.Lock], init=False)
    """What those that have nothing to do wait for, who came last at the end."""
    _threads: int = attrs.field(default=0, init=False)
    _coming: bool = attrs.field(default=False, init=False)
    _closed: bool = attrs.field(default=False, init=False)
    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False, repr=False)

    def submit(self, fn: Callable[[], R]) -> Future[R]:
        """What `fn` returns, once a thread has been free to run it."""
        future: Future[R] = Future()
        self.begin(lambda: _settle(future, fn))
        return future

    def begin(self, fn: Callable[[], object]) -> None:
        """Run `fn`, which raises nothing, as soon as a thread is free."""
        with self._lock:
            self._work.append(fn)
            self._send_for_one()

    def close(self) -> None:
        """Let the threads end when their work is done."""
        with self._lock:
            self._closed = True
            while self._idle:
                self._idle.pop().release()

    def _send_for_one(self) -> None:
        if self._coming or not self._work:
            return
        if self._idle:
            self._idle.pop().release()
        elif self._threads < self.size:
            start(self._run, name=f"{self.name}-{self._threads + 1}")
            self._threads += 1
        else:
            return
        self._coming = True

    def _run(self) -> None:
        gate = threading.Lock()
        gate.acquire()
        while not self._over():
            while (work := self._take(gate)) is not None:
                work()
            gate.acquire()

    def _over(self) -> bool:
        """Whether who comes is no longer needed."""
        with self._lock:
            self._coming = False
            return self._closed and not self._work

    def _take(self, gate: threading.Lock) -> Work | None:
        """The next work; if there is none the gate opens when there is, or at the end."""
        with self._lock:
            if self._work:
                work = self._work.popleft()
                self._send_for_one()
                return work
            if self._closed:
                gate.release()
            else:
                self._idle.append(gate)
            return None


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
