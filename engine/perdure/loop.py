"""The worker's event loop: a thread of its own, tasks with branches, a watchdog."""

import asyncio
import contextvars
import logging
import os
import sys
import threading
import traceback
import warnings
from collections.abc import Coroutine
from types import FrameType
from typing import Any

import attrs

from . import clock, threads
from .attempt import Attempt
from .branch import Branch
from .context import BRANCH, STEP
from .errors import BlockingCall

log = logging.getLogger("perdure")

LOOP_THREADS: set[int] = set()
"""The threads of this process that run a worker's event loop."""
if hasattr(os, "register_at_fork"):  # a child has none of its parent's threads, but may reuse ids
    os.register_at_fork(after_in_child=LOOP_THREADS.clear)
BLOCKED = 1.0
"""Seconds without a turn after which the loop counts as blocked."""


class NonDeterministic(UserWarning):
    """A construct whose outcome is not recorded and may differ at a replay."""


@attrs.define(eq=False)
class EventLoop:
    """An event loop in a daemon thread."""

    loop: asyncio.AbstractEventLoop = attrs.field(factory=asyncio.new_event_loop)
    _thread: threading.Thread | None = attrs.field(default=None, init=False)
    _stopping: bool = attrs.field(default=False, init=False)
    _turn: float = attrs.field(default=0.0, init=False)
    _asked: bool = attrs.field(default=False, init=False)
    _warned: bool = attrs.field(default=False, init=False)

    def begin(self) -> None:
        """Start the thread."""
        self.loop.set_task_factory(make_task)  # type: ignore[arg-type]  # the loop passes coroutines only
        self._turn = clock.monotonic()
        self._thread = threads.start(self._run, name="loop")

    def run(self, work: Coroutine[Any, Any, object], patience: float) -> None:
        """Run a coroutine to its end, from another thread; TimeoutError if it takes longer."""
        asyncio.run_coroutine_threadsafe(work, self.loop).result(patience)

    def end(self) -> None:
        """Stop the loop; what still runs on it is dropped."""
        self._stopping = True
        self.loop.call_soon_threadsafe(self.loop.stop)
        if self._thread is not None:
            self._thread.join(1.0)

    def watch(self) -> None:
        """Warn, once each time, if the loop has had no turn for too long; call it regularly."""
        if not self._asked:
            self._asked = True
            self._turn = clock.monotonic()
            self.loop.call_soon_threadsafe(self._turned)
        elif clock.monotonic() - self._turn > BLOCKED and not self._warned:
            self._warned = True
            log.warning(
                "the event loop has been blocked for %.1f s; everything async waits for:\n%s",
                clock.monotonic() - self._turn,
                self._stack(),
            )

    def _turned(self) -> None:
        self._asked = self._warned = False

    def _stack(self) -> str:
        frames = sys._current_frames()  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # documented as the way to see another thread
        frame = frames.get(self._thread.ident or 0) if self._thread else None
        return "".join(traceback.format_stack(frame, limit=8)) if frame else ""

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        LOOP_THREADS.add(threading.get_ident())
        while not self._stopping:
            try:
                self.loop.run_forever()
            except (SystemExit, KeyboardInterrupt):
                log.exception("a task of a workflow tried to end the process")
        LOOP_THREADS.discard(threading.get_ident())
        self.loop.close()


def refuse_on_loop(verb: str) -> None:
    """Refuse a blocking verb on a worker's event loop.

    Raises:
        BlockingCall: this is such a loop.
    """
    if threading.get_ident() in LOOP_THREADS:
        noun, _, name = verb.rpartition(".")
        raise BlockingCall(
            f"{verb} would block the event loop that runs the workflows: await {noun}.a{name}(…)"
        )


def make_task(
    loop: asyncio.AbstractEventLoop,
    coro: Coroutine[Any, Any, Any],
    *,
    context: contextvars.Context | None = None,
    **options: Any,
) -> "asyncio.Task[Any]":
    """Make a task; one made by workflow code gets a branch of its own, in creation order."""
    branch = BRANCH.get(None)
    if branch is None or STEP.get(None) is not None:
        return asyncio.Task(coro, loop=loop, context=context, **options)
    _warn_of_the_unsteady(branch)
    context = context if context is not None else contextvars.copy_context()
    line = branch.fork()
    context.run(BRANCH.set, line)
    task: asyncio.Task[Any] = asyncio.Task(coro, loop=loop, context=context, **options)
    tasks = branch.attempt.tasks
    tasks.add(task)
    line.begin()

    def ended(task: "asyncio.Task[Any]") -> None:
        tasks.discard(task)
        line.end()

    task.add_done_callback(ended)
    return task


def root_task(attempt: Attempt, coro: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
    """The task in which the code of an async workflow runs; its branch is the root."""
    context, root = contextvars.Context(), Branch(attempt)
    context.run(BRANCH.set, root)
    task = asyncio.Task(coro, loop=attempt.host.loop, context=context)

    def strike() -> None:
        if attempt.cancellation.pending and not attempt.ended:
            attempt.cancellation.unwinding = True
            root.strike()
            task.cancel()

    attempt.strike = strike
    return task


def _warn_of_the_unsteady(branch: Branch) -> None:
    """Name what makes tasks in an order, or a number, that is not the same at every replay."""
    frame: FrameType | None = sys._getframe(2)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # no other way to see who makes the task
    for _ in range(6):
        if frame is None or frame.f_code in _UNSTEADY:
            break
        frame = frame.f_back
    reason = _UNSTEADY.get(frame.f_code) if frame is not None else None
    if reason is not None:
        warnings.warn(f"{branch.attempt.id}: {reason}", NonDeterministic, stacklevel=4)


_UNSTEADY = {
    asyncio.wait_for.__code__: (
        "asyncio.wait_for numbers steps differently in Python 3.11 and 3.12; use asyncio.timeout"
    ),
    asyncio.as_completed.__code__: (
        "asyncio.as_completed numbers the steps of coroutines differently each time; "
        "make tasks of them first, or use perdure.afirst"
    ),
}
