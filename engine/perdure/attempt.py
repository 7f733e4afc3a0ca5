"""The running workflow: where it is, what is recorded of it, whether it may go on.

An `Attempt` is one run of one workflow under one epoch. It ends exactly once, with
a `Transition` to write or, when the workflow is no longer this worker's, with
nothing. From then on every call of its code is refused: what is still running of it
is a ghost whose results are dropped.
"""

import asyncio
import contextlib
import logging
import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from datetime import UTC, datetime
from typing import Any, TypeAlias

import attrs

from .backend import Claimed, Transition
from .cancellation import Cancellation
from .definition import StepDefinition, WorkflowDefinition
from .failure import Failure
from .flush import Flush
from .host import Host
from .inbox import Inbox
from .model import History, Status, StepRecord
from .rest import Rest
from .streams import Item
from .transit import Inscription, Record
from .vigil import Vigil

log = logging.getLogger("perdure")


class Abandoned(asyncio.CancelledError):
    """Unwinds the code of an attempt that has ended; never caught by `except Exception`."""


Undo: TypeAlias = tuple[StepDefinition, Callable[[], Any]]
"""A step that undoes something, and its body."""

_MAKING = threading.Lock()
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


def _nothing() -> None:
    """Nobody is there to be told."""


@attrs.define(eq=False)
class Attempt:
    """One run of one workflow under one epoch."""

    claim: Claimed
    definition: WorkflowDefinition
    host: "Host[Attempt]"
    steps: Mapping[tuple[str, int], StepRecord]
    dues: Mapping[tuple[str, int], datetime]
    id: str
    epoch: int
    seen: int
    """How far its wake-ups were counted when somebody looked for it last."""
    latest: datetime = _LONG_AGO
    """When the last of its steps was completed."""
    newest: Flush[Any] | None = None
    """The last flush that carries a record of this workflow; set by the recorder."""
    bodies: set[object] = attrs.field(factory=set[object])
    """The tries of steps that run now."""
    strike: Callable[[], None] = attrs.field(default=_nothing)
    """Tells the code of an async workflow, on its loop, that it is cancelled."""
    errand: "Future[None] | None" = None
    """A request to cancel on its way to its children, which its end waits for."""
    until: datetime | None = None
    """If it ended by being suspended: when it is due again."""
    task: "asyncio.Task[None] | None" = None
    """The root task of an async workflow while its code runs."""
    tasks: "set[asyncio.Task[Any]]" = attrs.field(factory=set["asyncio.Task[Any]"])
    """The tasks that the workflow started and that have not ended."""
    home: int = 0
    """The thread in which the workflow's code runs."""
    # What few workflows have is made when it is asked for: each makes an attempt.
    _items: int = 0
    _inbox: Inbox | None = None
    _rest: Rest | None = None
    _children: set[str] | None = None
    _undo: list[Undo] | None = None
    _cancellation: Cancellation | None = None
    ended: bool = False
    spoilt: Transition | None = None
    """The end that replaces all others, because the database refused a record."""
    _interrupt: threading.Event | None = None
    _lock: threading.Lock = attrs.field(factory=threading.Lock, repr=False)

    @classmethod
    def of(
        cls,
        claim: Claimed,
        definition: WorkflowDefinition,
        host: "Host[Attempt]",
        history: History | None,
    ) -> "Attempt":
        """A new attempt with what is recorded so far."""
        steps = {(s.branch, s.seq): s for s in history.steps} if history else {}
        dues = {(w.branch, w.seq): w.due for w in history.waits} if history else {}
        attempt = cls(claim, definition, host, steps, dues, claim.id, claim.epoch, claim.wake)
        if claim.cancel_reason is not None:
            attempt.cancellation.reason = claim.cancel_reason
        if steps:
            attempt.latest = max(step.completed_at for step in steps.values())
        return attempt

    def now(self) -> datetime:
        """The time, and never before that of a step: what is later tells by it."""
        now = self.host.now()
        if now < self.latest:
            return self.latest
        self.latest = now
        return now

    def may_begin(self) -> bool:
        """Whether a body may begin now; False means: not yet, or the workflow is cancelled.

        Raises:
            Abandoned: never again in this attempt.
        """
        if self.host.draining:
            self.release()
        if self.ended:
            raise Abandoned
        asked = self._cancellation
        return (asked is None or not asked.pending) and self.host.holds_lease()

    def record(self, what: Record) -> None:
        """Send what the code has done on its way."""
        if self.ended:
            raise Abandoned
        self.host.recorder.record(self, what)

    def write(self, item: Item, step: StepRecord | None) -> None:
        """Send an item of a stream on its way, behind all that it has written before.

        Its offset counts from the one that it has. `step` is written with it.
        """
        with self._lock:
            item.offset += self._items
            self._items += 1
            self.record(item if step is None else Inscription(step, item))

    @property
    def cancellation(self) -> Cancellation:
        """What it knows of a request to end it."""
        if self._cancellation is None:
            with _MAKING:
                self._cancellation = self._cancellation or Cancellation()
        return self._cancellation

    @property
    def rest(self) -> Rest:
        """Its waits."""
        if self._rest is None:
            with _MAKING:
                self._rest = self._rest or Rest(weakref.ref(self))
        return self._rest

    @property
    def undo(self) -> list[Undo]:
        """The steps that undo it if it fails, the oldest first."""
        self._undo = self._undo if self._undo is not None else []
        return self._undo

    @property
    def children(self) -> set[str]:
        """The workflows that it has started: their ends wake it without a subscription."""
        self._children = self._children if self._children is not None else set()
        return self._children

    @property
    def inbox(self) -> Inbox:
        """The messages that have come for it; few workflows have any."""
        with self._lock:
            if self._inbox is None:
                self._inbox = Inbox()
            return self._inbox

    # ------------------------------------------------------------------- ends

    def finish(
        self,
        status: Status,
        *,
        output_json: str | None = None,
        failure: Failure | None = None,
    ) -> None:
        """End with what is to be written; the first end counts."""
        if self._end():
            self.host.recorder.finish(self, self._ending(status, output_json, failure))

    def _ending(
        self, status: Status, output_json: str | None = None, failure: Failure | None = None
    ) -> Transition:
        return Transition(
            workflow_id=self.id,
            epoch=self.epoch,
            status=status,
            output_json=output_json,
            error_json=failure.dump() if failure else None,
            error_message=failure.message if failure else None,
        )

    def fail(self, error: BaseException) -> None:
        """End with an error, or as cancelled if that is what unwound the code."""
        if self.cancellation.struck and isinstance(error, asyncio.CancelledError):
            self.finish(Status.CANCELLED)
        else:
            self.finish(Status.ERROR, failure=Failure.of(error))

    def park(self, error: BaseException) -> None:
        """End, set aside for a person."""
        self.finish(Status.PARKED, failure=Failure.of(error))

    def release(self) -> None:
        """End, back to the queue: another attempt goes on from the last record."""
        self.finish(Status.ENQUEUED)

    def suspend(self, vigils: Sequence[Vigil], seen: int) -> None:
        """End, out of memory: another attempt goes on when one of the waits is over."""
        missing = [vigil.missing for vigil in vigils if not vigil.timer]
        if self._end():
            self.until = min((vigil.due for vigil in vigils if vigil.due), default=None)
            ending = attrs.evolve(
                self._ending(Status.WAITING),
                run_at=self.until,
                wake_at=seen + min(missing) if missing else None,
                cancelling=self.cancellation.known,
            )
            self.host.recorder.finish(self, ending)

    def lose(self) -> None:
        """End without a word: the workflow is no longer this worker's."""
        if self._end():
            self.host.ended(self)

    def spoil(self, error: BaseException) -> None:
        """End with an error, even if another end is on its way: it builds on a lost record."""
        self.spoilt = self._ending(Status.ERROR, None, Failure.of(error))
        self._end()
        self.host.recorder.finish(self, self.spoilt)

    def _end(self) -> bool:
        with self._lock:
            first, self.ended = not self.ended, True
        if first:
            self.interrupt()
        return first

    # ------------------------------------------------------------ interruption

    def interrupt(self) -> None:
        """Wake whatever of the workflow's code is waiting, so that it can unwind."""
        if self._interrupt is not None:
            self._interrupt.set()
        if self.task is not None:
            self._on_loop(self.cancel_tasks)
        elif not self.definition.is_async and self._rest is not None:
            self._rest.disturb()

    def unwound(self) -> None:
        """The code of an async workflow has come to its end."""
        self.task = None
        self.strike = _nothing

    def cancel_tasks(self) -> None:
        """Cancel the root task, if it still runs, and whatever it started."""
        for task in (self.task, *self.tasks):
            if task is not None:
                task.cancel()

    def pause(self, seconds: float) -> None:
        """Block a sync workflow for that long.

        Raises:
            Abandoned: the attempt has ended meanwhile.
        """
        with self._lock:
            if self._interrupt is None:
                self._interrupt = threading.Event()
        if self.ended or self._interrupt.wait(seconds):
            raise Abandoned

    def ask_to_cancel(self, reason: str) -> None:
        """Somebody wants the workflow to end: its code hears of it, now if it waits."""
        with self._lock:
            first = self.cancellation.reason is None
            self.cancellation.reason = reason if first else self.cancellation.reason
        if first:
            self.press()

    def run_out(self) -> None:
        """The time to clean up after a request to cancel is over."""
        if self.ended:
            return
        late = TimeoutError("cleaning up after a request to cancel took too long")
        log.error("%s: %s", self.id, late)
        if self.undo:
            self.park(late)
        else:
            self.finish(Status.CANCELLED)

    def press(self) -> None:
        """If a request to cancel is pending, see that the code hears of it."""
        if self.ended or not self.cancellation.pending:
            return
        if self.definition.is_async:
            self._on_loop(self.strike)
        else:
            self.rest.disturb()

    def look_around(self) -> None:
        """Have it leave memory, if it can; from any thread."""
        if self.definition.is_async:
            self._on_loop(self.rest.look)
        else:
            self.rest.look()

    def _on_loop(self, call: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed, so nothing waits
            self.host.loop.call_soon_threadsafe(call)
