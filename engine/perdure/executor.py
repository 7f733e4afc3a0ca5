"""Running claimed workflows: rebuild the call, run the code, hand its end to the journal."""

import asyncio
import contextvars
import threading
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import attrs

from .attempt import Attempt
from .backend import Claimed
from .branch import Branch
from .context import BRANCH, workflow_branch
from .courier import Courier
from .definition import WorkflowDefinition
from .errors import InvalidArguments, SerializationError
from .host import Recorder
from .lease import Lease
from .lookout import Lookout
from .loop import EventLoop, root_task
from .model import History, Status
from .saga import unwind
from .script import AWAITING, BLOCKING, Waits, drive
from .threads import Pool
from .vigil import Vigil

CLEANING_UP = 300.0
"""Seconds that the code of a cancelled workflow gets to clean up, in one worker's memory."""


class Swallowed(UserWarning):
    """Workflow code has caught what was to unwind it."""


@attrs.define(eq=False)
class Executor:
    """The workflows of one worker that run now."""

    concurrency: int
    threads: int
    lease: Lease
    events: EventLoop
    pool: Pool
    on_room: Callable[[bool], None]
    """Told when workflows are through, and whether a suspect was among them."""
    linger: float = 1.0
    """Seconds that a durable wait stays in memory."""
    desk: Any = None
    """What the handles of workflows started by workflows ask."""
    recorder: Recorder[Attempt] = attrs.field(init=False)
    courier: Courier = attrs.field(init=False)
    lookout: Lookout = attrs.field(init=False)
    loop: asyncio.AbstractEventLoop = attrs.field(init=False)
    holds_lease: Callable[[], bool] = attrs.field(init=False)
    now: Callable[[], datetime] = attrs.field(init=False)
    draining: bool = attrs.field(default=False, init=False)
    _running: dict[str, Attempt] = attrs.field(factory=dict[str, Attempt], init=False)
    _sync: int = attrs.field(default=0, init=False)
    _suspect: Attempt | None = attrs.field(default=None, init=False)
    _changed: threading.Condition = attrs.field(factory=threading.Condition, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        # Not as properties: each step asks for all of them.
        self.loop = self.events.loop
        self.holds_lease, self.now = self.lease.held, self.lease.now

    # -------------------------------------------- the host of its workflows

    def ended(self, attempt: Attempt) -> None:
        self.forget([attempt])

    def watch(self, attempt: Attempt, vigil: Vigil) -> None:
        if not vigil.timer:
            self.lookout.watch(attempt)

    def struck(self, attempt: Attempt) -> None:
        reason = attempt.cancellation.reason or ""
        attempt.errand = self.courier.cancel_children(attempt.id, reason)
        self.loop.call_soon_threadsafe(self.loop.call_later, CLEANING_UP, attempt.run_out)

    def crowded(self) -> bool:
        return 2 * len(self._running) > self.concurrency

    def attempts(self, ids: Iterable[str]) -> list[Attempt]:
        """Those of these workflows that run here."""
        with self._changed:
            return [attempt for one in ids if (attempt := self._running.get(one))]

    # ------------------------------------------------------------ its books

    def known(self) -> set[str]:
        """The ids of all workflows that this worker knows to be its own."""
        with self._changed:
            return set(self._running)

    def room(self, *, is_async: bool) -> int:
        """How many more workflows of a colour there is room for."""
        with self._changed:
            free = self.concurrency - len(self._running)
            return max(0, free if is_async else min(free, self.threads - self._sync))

    def has_suspect(self) -> bool:
        """Whether a workflow runs that is suspected of killing its workers."""
        return self._suspect is not None

    def wait_for_room(self, seconds: float) -> None:
        """Return when half of the places are free, or after so many seconds."""
        with self._changed:
            self._changed.wait_for(
                lambda: 2 * len(self._running) <= self.concurrency or self.draining,
                seconds,
            )

    def idle(self, seconds: float | None) -> bool:
        """Wait until nothing runs; False if something still does after so many seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._running, seconds)

    def forget(self, attempts: Sequence[Attempt]) -> None:
        """These are through: their end is durable, or somebody else's business."""
        with self._changed:
            suspect = self._suspect in attempts
            for attempt in attempts:
                if self._running.get(attempt.id) is attempt:
                    del self._running[attempt.id]
                    self._sync -= not attempt.definition.is_async
            if suspect:
                self._suspect = None
            self._changed.notify_all()
        self.on_room(suspect)

    # ------------------------------------------------------------- starting

    def begin(
        self,
        claimed: Iterable[tuple[Claimed, WorkflowDefinition]],
        histories: Mapping[str, History],
        *,
        suspect: bool = False,
    ) -> None:
        """Run these workflows."""
        begun = [
            (self._attempt(claim, definition, histories), claim.input_json)
            for claim, definition in claimed
        ]
        self._enter([attempt for attempt, _ in begun], suspect=suspect)
        awaited: list[tuple[Attempt, list[Any], dict[str, Any]]] = []
        for attempt, text in begun:
            try:
                args, kwargs = attempt.definition.load(text)
            except (InvalidArguments, SerializationError) as error:
                attempt.fail(error)
            except Exception as error:  # noqa: BLE001 (the code is wrong, not the input)
                attempt.park(error)
            else:
                if attempt.definition.is_async:
                    awaited.append((attempt, args, kwargs))
                else:
                    self._begin_sync(attempt, args, kwargs)
        if awaited:
            self.loop.call_soon_threadsafe(self._begin_async, awaited)

    def _attempt(
        self, claim: Claimed, definition: WorkflowDefinition, histories: Mapping[str, History]
    ) -> Attempt:
        return Attempt.of(claim, definition, self, histories.get(claim.id))

    def _enter(self, attempts: Sequence[Attempt], *, suspect: bool) -> None:
        with self._changed:
            for attempt in attempts:
                self._running[attempt.id] = attempt
                self._sync += not attempt.definition.is_async
                if suspect:
                    self._suspect = attempt

    def _begin_sync(self, attempt: Attempt, args: list[Any], kwargs: dict[str, Any]) -> None:
        context = contextvars.Context()
        context.run(BRANCH.set, Branch(attempt))
        self.pool.begin(lambda: context.run(self._run, attempt, args, kwargs))

    def _begin_async(self, awaited: list[tuple[Attempt, list[Any], dict[str, Any]]]) -> None:
        for attempt, args, kwargs in awaited:
            attempt.task = root_task(attempt, self._arun(attempt, args, kwargs))

    # -------------------------------------------------------------- running

    def _run(self, attempt: Attempt, args: list[Any], kwargs: dict[str, Any]) -> None:
        if not self._may_start(attempt):
            return
        try:
            value = attempt.definition.fn(*args, **kwargs)
            _tell_swallowed(attempt)
            _succeed(attempt, value)
        except BaseException as error:  # noqa: BLE001 (it is the workflow's outcome)
            drive(_fail(attempt, error, BLOCKING))

    async def _arun(self, attempt: Attempt, args: list[Any], kwargs: dict[str, Any]) -> None:
        if not self._may_start(attempt):
            return
        try:
            value = await attempt.definition.fn(*args, **kwargs)
            attempt.unwound()
            _tell_swallowed(attempt)
            _succeed(attempt, value)
        except BaseException as error:  # noqa: BLE001 (it is the workflow's outcome)
            if attempt.tasks:
                attempt.cancel_tasks()
            await _fail(attempt, error, AWAITING)
            attempt.unwound()
        if attempt.tasks:
            attempt.cancel_tasks()

    def _may_start(self, attempt: Attempt) -> bool:
        """Whether the code may begin at all; this thread is its home then."""
        attempt.home = threading.get_ident()
        if self.draining:
            attempt.release()
        return not attempt.ended

    # ------------------------------------------------------------- stopping

    def drain(self) -> None:
        """Let no body begin; put back into the queue what is in none."""
        self.draining = True
        for attempt in self._snapshot():
            if not attempt.bodies:
                attempt.release()
        with self._changed:
            self._changed.notify_all()

    def release(self) -> None:
        """Put everything back into the queue, bodies or not."""
        for attempt in self._snapshot():
            attempt.release()

    def abandon(self) -> None:
        """Drop everything: it is no longer this worker's."""
        for attempt in self._snapshot():
            attempt.lose()

    def _snapshot(self) -> list[Attempt]:
        with self._changed:
            return list(self._running.values())


def _tell_swallowed(attempt: Attempt) -> None:
    """Warn, once for each workflow, whoever catches what unwinds it: its code ran on as a ghost."""
    if attempt.ended:
        warnings.warn(
            f"{attempt.definition.name} went on after it had left memory: something in it catches "
            f"BaseException or CancelledError and does not raise it again. What it did since is "
            f"not recorded; it goes on from its last record",
            Swallowed,
            stacklevel=1,
        )


async def _fail(attempt: Attempt, error: BaseException, waits: Waits) -> None:
    """Undo what is to be undone, and end with the error.

    Raises:
        BaseException: what undoing it was interrupted by, if the attempt has ended.
    """
    if attempt.undo and not attempt.ended:
        try:
            await unwind(attempt, workflow_branch("undo"), waits)
        except Exception as problem:  # noqa: BLE001 (a step may fail in any way)
            error.add_note(f"Undoing it failed: {problem!r}")
            attempt.park(error)
        except BaseException:  # noqa: BLE001 (suspended, lost, or cancelled while undoing)
            await _fail(attempt, error, waits)
    if attempt.errand is not None and not attempt.ended:
        try:
            await waits.answer(attempt.errand)
        except asyncio.CancelledError:  # the worker leaves, and nobody has told the children
            attempt.release()
    attempt.fail(error)


def _succeed(attempt: Attempt, value: Any) -> None:
    try:
        text = attempt.definition.result.dump(value)
    except SerializationError as problem:
        raise SerializationError(f"the result of {attempt.definition.name}: {problem}") from problem
    attempt.finish(Status.SUCCESS, output_json=text)
