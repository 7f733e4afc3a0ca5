"""The running workflow: where it is, what is recorded of it, whether it may go on.

An `Attempt` is one run of one workflow under one epoch. It ends exactly once, with
a `Transition` to write or, when the workflow is no longer this worker's, with
nothing. From then on every call of its code is refused: what is still running of it
is a ghost whose results are dropped.

A `Branch` numbers the steps of one line of execution. The root is `''`; each
asyncio task started in a workflow gets a branch of its own, named in creation order.
"""

import asyncio
import contextlib
import threading
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

import attrs

from .backend import Transition
from .definition import WorkflowDefinition
from .errors import NonDeterminism
from .failure import Failure
from .history import match
from .model import History, Status, StepRecord, Wait
from .threads import Pool


class Abandoned(asyncio.CancelledError):
    """Unwinds the code of an attempt that has ended; never caught by `except Exception`."""


class Flush(Protocol):
    """A group of records on its way to the database."""

    @property
    def done(self) -> bool: ...
    def wait(self) -> None:
        """Block until it is durable, or lost."""

    def arrival(self, loop: asyncio.AbstractEventLoop) -> "asyncio.Future[None]":
        """The same, to await on that loop."""
        ...


class Recorder(Protocol):
    """Takes records on their way; the attempt's `newest` is the flush that carries them."""

    def record(self, attempt: "Attempt", what: StepRecord | Wait) -> None: ...
    def finish(self, attempt: "Attempt", transition: Transition) -> None: ...


class Host(Protocol):
    """What a worker offers to the workflows that it runs."""

    @property
    def recorder(self) -> Recorder: ...
    @property
    def pool(self) -> Pool:
        """Threads for sync steps and workflows."""
        ...

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop of async steps and workflows."""
        ...

    @property
    def draining(self) -> bool:
        """No body may begin any more; what is not in one goes back to the queue."""
        ...

    def holds_lease(self) -> bool:
        """Whether, by this process's own clock, the worker is surely alive for others."""
        ...

    def now(self) -> datetime:
        """The wall clock, corrected by what the database's clock says."""
        ...

    def ended(self, attempt: "Attempt") -> None:
        """The attempt has ended without any transition to write."""

    def rests(self, attempt: "Attempt") -> None:
        """Nothing of the attempt runs but a long wait."""


@attrs.define(eq=False)
class Branch:
    """One line of execution in an attempt, and its counters."""

    attempt: "Attempt"
    path: str = ""
    seq: int = 0
    children: int = 0
    draws: int = 0

    def draw(self) -> "Slot":
        """The next step's place."""
        self.seq += 1
        return Slot(self.attempt, self.path, self.seq)

    def fork(self) -> "Branch":
        """The branch of the next concurrent line."""
        self.children += 1
        path = f"{self.path}.{self.children}" if self.path else str(self.children)
        return Branch(self.attempt, path)

    def draw_random(self) -> str:
        """A seed that is the same on every replay, and different at each call."""
        self.draws += 1
        return f"{self.attempt.id}\0{self.path}\0{self.draws}"


@attrs.define(eq=False)
class Slot:
    """The place of one step: an attempt, a branch, a number."""

    attempt: "Attempt"
    branch: str
    seq: int

    @property
    def key(self) -> str:
        """Names the step for the outside world; the same at every try and every replay."""
        place = f"{self.branch}:{self.seq}" if self.branch else str(self.seq)
        return f"{self.attempt.id}#{place}"

    def recorded(self, *, name: str, kind: str) -> StepRecord | None:
        """What is recorded here, if it is what the code asks for.

        Raises:
            Abandoned: it is something else; the workflow is parked.
        """
        record = self.attempt.steps.get((self.branch, self.seq))
        if record is not None:
            try:
                match(record, name=name, kind=kind)
            except NonDeterminism as error:
                self.attempt.park(error)
                raise Abandoned from error
        return record

    def due(self) -> datetime | None:
        """When the wait here is over, if it was reached before."""
        return self.attempt.dues.get((self.branch, self.seq))


@attrs.define(eq=False)
class Attempt:
    """One run of one workflow under one epoch."""

    id: str
    epoch: int
    created_at: datetime
    definition: WorkflowDefinition
    host: Host
    steps: Mapping[tuple[str, int], StepRecord]
    dues: Mapping[tuple[str, int], datetime]
    newest: Flush | None = None
    """The last flush that carries a record of this workflow; set by the recorder."""
    bodies: set[object] = attrs.field(factory=set[object])
    """The tries of steps that run now."""
    beside: int = 0
    """How many submitted steps have not ended."""
    until: datetime | None = None
    """If it ended by being suspended: when it is due again."""
    task: "asyncio.Task[None] | None" = None
    """The root task of an async workflow while its code runs."""
    tasks: "set[asyncio.Task[Any]]" = attrs.field(factory=set["asyncio.Task[Any]"])
    """The tasks that the workflow started and that have not ended."""
    home: int = 0
    """The thread in which the workflow's code runs."""
    ended: bool = False
    spoilt: Transition | None = None
    """The end that replaces all others, because the database refused a record."""
    _interrupt: threading.Event | None = None
    _lock: threading.Lock = attrs.field(factory=threading.Lock, repr=False)

    @classmethod
    def of(
        cls,
        *,
        id: str,
        epoch: int,
        created_at: datetime,
        definition: WorkflowDefinition,
        host: Host,
        history: History | None,
    ) -> "Attempt":
        """A new attempt with what is recorded so far."""
        steps = {(s.branch, s.seq): s for s in history.steps} if history else {}
        dues = {(w.branch, w.seq): w.due for w in history.waits} if history else {}
        return cls(id, epoch, created_at, definition, host, steps, dues)

    def settled(self) -> bool:
        """Whether all records of this workflow so far are durable."""
        return self.newest is None or self.newest.done

    def count_beside(self, by: int) -> None:
        """A submitted step comes (+1) or has ended (-1)."""
        with self._lock:
            self.beside += by

    def alone(self) -> bool:
        """Whether the code that asks is all that runs of this workflow."""
        if self.definition.is_async:
            return not self.tasks and asyncio.current_task() is self.task
        return self.beside == 0

    def may_begin(self) -> bool:
        """Whether a body may begin now; False means: not yet, the lease is in doubt.

        Raises:
            Abandoned: never again in this attempt.
        """
        if self.host.draining:
            self.release()
        if self.ended:
            raise Abandoned
        return self.host.holds_lease()

    def record(self, what: StepRecord | Wait) -> None:
        """Send a step's record, or a wait's due time, on its way."""
        if self.ended:
            raise Abandoned
        self.host.recorder.record(self, what)

    # ------------------------------------------------------------------- ends

    def finish(
        self,
        status: Status,
        *,
        output_json: str | None = None,
        failure: Failure | None = None,
        until: datetime | None = None,
    ) -> None:
        """End with what is to be written; the first end counts."""
        if self._end():
            self.until = until
            self.host.recorder.finish(self, self._ending(status, output_json, failure, until))

    def _ending(
        self,
        status: Status,
        output_json: str | None,
        failure: Failure | None,
        until: datetime | None,
    ) -> Transition:
        return Transition(
            workflow_id=self.id,
            epoch=self.epoch,
            status=status,
            output_json=output_json,
            error_json=failure.dump() if failure else None,
            error_message=failure.message if failure else None,
            run_at=until,
        )

    def fail(self, error: BaseException) -> None:
        """End with an error."""
        self.finish(Status.ERROR, failure=Failure.of(error))

    def park(self, error: BaseException) -> None:
        """End, set aside for a person."""
        self.finish(Status.PARKED, failure=Failure.of(error))

    def release(self) -> None:
        """End, back to the queue: another attempt goes on from the last record."""
        self.finish(Status.ENQUEUED)

    def suspend(self, until: datetime) -> None:
        """End, out of memory until then: another attempt goes on.

        Raises:
            Abandoned: always.
        """
        self.finish(Status.WAITING, until=until)
        raise Abandoned

    def lose(self) -> None:
        """End without a word: the workflow is no longer this worker's."""
        if self._end():
            self.host.ended(self)

    def spoil(self, error: BaseException) -> None:
        """End with an error, even if another end is on its way: it builds on a lost record."""
        self.spoilt = self._ending(Status.ERROR, None, Failure.of(error), None)
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
            with contextlib.suppress(RuntimeError):  # the loop is closed, so nothing waits
                self.host.loop.call_soon_threadsafe(self.cancel_tasks)

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
