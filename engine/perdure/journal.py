"""Group commit: everything the workflows of a worker want written, in one transaction.

One thread takes what has been added since its last flush and hands it to
`backend.commit`; what arrives meanwhile forms the next flush, and so does what those
record whom the last one has let go on: they get a turn first. Nobody waits on a
timer. There is one journal per worker and it is first in, first out: when a flush
is durable, so is everything added before it.

A batch that the database refuses is halved until the culprit stands alone; only its
workflow fails. An operation of an attempt that has been lost is never written.
"""

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

import attrs

from . import threads
from .attempt import Attempt
from .backend import RECORDED, Backend, Batch, Committed, NotYours, Transition
from .errors import BackendRefused
from .failure import Failure
from .flush import Flush
from .model import Status, StepRecord, Wait
from .outage import GivenUp, Outage
from .room import portions
from .streams import Item
from .transit import Inscription, Receipt, Record

log = logging.getLogger("perdure")

Entry: TypeAlias = tuple[Attempt, Record | Transition]


@attrs.define(eq=False)
class Journal:
    """The one writer of a worker.

    `on_ended` is told, after each flush, which attempts are through; `on_fenced` when
    the database says that the worker is dead; `on_written` of each answer that may
    concern others: wake-ups were written, or a workflow did not stay suspended; and
    whether items of streams were written.
    """

    backend: Backend
    worker_id: str
    on_ended: Callable[[Sequence[Attempt]], None]
    on_fenced: Callable[[], None]
    on_written: Callable[[Committed, bool], None]
    _lock: threading.Lock = attrs.field(factory=threading.Lock, init=False, repr=False)
    _added: threading.Condition = attrs.field(init=False, repr=False)
    _open: Flush[Entry] = attrs.field(init=False, repr=False)
    _closing: bool = attrs.field(default=False, init=False)
    _resting: bool = attrs.field(default=False, init=False)
    """The writer waits for something to write."""
    _given_up: threading.Event = attrs.field(factory=threading.Event, init=False, repr=False)
    _thread: threading.Thread = attrs.field(init=False, repr=False)
    _outage: Outage = attrs.field(factory=lambda: Outage("write checkpoints"), init=False)

    def __attrs_post_init__(self) -> None:
        self._added = threading.Condition(self._lock)
        self._open = Flush(self._lock)
        self._thread = threads.start(self._run, name="journal")

    # -------------------------------------------------- what workflows call

    def record(self, attempt: Attempt, what: Record) -> None:
        """Add something that the code of a workflow has done."""
        # As `finish`, and no call to share it: that is a twentieth of a step's time on the loop.
        with self._lock:
            attempt.newest = flush = self._open
            flush.records.append((attempt, what))
            if self._resting:
                self._added.notify()

    def finish(self, attempt: Attempt, transition: Transition) -> None:
        """Add the end of an attempt."""
        with self._lock:
            attempt.newest = flush = self._open
            flush.endings.append((attempt, transition))
            if self._resting:
                self._added.notify()

    # ----------------------------------------------------- what worker calls

    def close(self, patience: float | None) -> bool:
        """Write what is there and end; False if it took longer than `patience` seconds."""
        with self._lock:
            self._closing = True
            self._added.notify()
        self._thread.join(patience)
        return not self._thread.is_alive()

    def give_up(self) -> None:
        """Write nothing more: the worker is dead, or its process ends."""
        self._given_up.set()
        with self._lock:
            self._closing = True
            self._added.notify()

    # ------------------------------------------------------------ the writer

    def _run(self) -> None:
        while (flush := self._take()) is not None:
            self._put(flush)
            flush.give_turn()

    def _put(self, flush: Flush[Entry]) -> None:
        """Write what is in it, and let go of whom that holds: a writer may rest for long."""
        items = flush.records + flush.endings
        sizes = [what.size for _, what in items]
        for portion in portions(items, sizes, self.backend.capabilities):
            self._write(portion)
        ended = [item[0] for item in flush.endings if not _void(item)]
        flush.finish(followed=not self._open.empty)
        if ended:
            self.on_ended(ended)

    def _take(self) -> Flush[Entry] | None:
        with self._lock:
            while self._open.empty:
                if self._closing:
                    self._open.done = True  # what a ghost still adds holds nobody up
                    return None
                self._resting = True
                self._added.wait()
                self._resting = False
            flush, self._open = self._open, Flush(self._lock)
            return flush

    def _write(self, items: Sequence[Entry]) -> None:
        """Write one batch; halve it if the database refuses."""
        items = [item for item in items if item[0].spoilt is None or not _void(item)]
        if self._given_up.is_set():
            return self._lose(items)
        batch = _batch(items)
        try:
            answer = self._outage.ride_out(
                lambda: self.backend.commit(self.worker_id, batch), self._given_up
            )
        except GivenUp:
            self._lose(items)
        except BackendRefused as error:
            self._refused(items, error)
        except Exception:  # a bug must not end the one writer: the lease's loss cleans up
            log.exception("worker %s cannot write checkpoints and gives up", self.worker_id)
            self._fenced(items)
        else:
            if answer.fenced:
                self._fenced(items)
            else:
                self._settle(items, answer)
                if answer.wakeups or batch.items or Status.ENQUEUED in answer.transitions:
                    self.on_written(answer, bool(batch.items))

    def _refused(self, items: Sequence[Entry], error: BackendRefused) -> None:
        if len(items) > 1:
            middle = len(items) // 2
            self._write(items[:middle])
            self._write(items[middle:])
            return
        attempt, operation = items[0]
        log.error("the database refuses a record of %s: %s", attempt.id, error)
        if isinstance(operation, Transition):
            if operation.status is not Status.PARKED:
                self._write([(attempt, _refusal(operation, error))])
            return
        attempt.spoil(error)

    def _fenced(self, items: Sequence[Entry]) -> None:
        self._lose(items)
        if not self._given_up.is_set():
            self.give_up()
            self.on_fenced()

    def _lose(self, items: Iterable[Entry]) -> None:
        for attempt, _ in items:
            attempt.lose()

    def _settle(self, items: Sequence[Entry], answer: Committed) -> None:
        """Abandon the attempts whose operations were not taken as they are."""
        answers: list[Any] = [*answer.steps, *answer.waits]
        if answers.count(RECORDED) == len(answers):
            return
        records = [item for item in items if not isinstance(item[1], Transition)]
        for (attempt, _), said in zip(_ordered(records), answers, strict=True):
            if said != RECORDED:
                _diverged(attempt, said)


def _batch(items: Sequence[Entry]) -> Batch:
    parts: dict[type, list[Any]] = {kind: [] for kind in _KINDS}
    for _, operation in items:
        parts[type(operation)].append(operation)
    receipts: list[Receipt] = parts[Receipt]
    inscriptions: list[Inscription] = parts[Inscription]
    return Batch(
        steps=parts[StepRecord]
        + [*(one.step for one in receipts), *(one.step for one in inscriptions)],
        waits=parts[Wait],
        transitions=parts[Transition],
        consumptions=[receipt.consumption for receipt in receipts],
        items=parts[Item] + [one.item for one in inscriptions],
    )


_KINDS = (StepRecord, Receipt, Inscription, Wait, Item, Transition)
"""The answers come in this order; the last two have none, or one of their own."""


def _ordered(records: Sequence[Entry]) -> list[Entry]:
    """Those that are answered, in the order of the answers."""
    kinds = _KINDS[:4]
    return [item for kind in kinds for item in records if isinstance(item[1], kind)]


def _diverged(attempt: Attempt, said: object) -> None:
    """Another epoch recorded this step, or owns the workflow: a new attempt must replay."""
    log.warning("%s has moved on without this worker (%r)", attempt.id, said)
    if isinstance(said, NotYours):
        attempt.lose()
    else:
        attempt.release()


def _void(item: Entry) -> bool:
    """A record of the attempt was refused, and this is not the ending that says so."""
    attempt, operation = item
    return attempt.spoilt is not None and operation is not attempt.spoilt


def _refusal(transition: Transition, error: BackendRefused) -> Transition:
    failure = Failure.of(error)
    return Transition(
        workflow_id=transition.workflow_id,
        epoch=transition.epoch,
        status=Status.ERROR if transition.status is Status.SUCCESS else Status.PARKED,
        error_json=failure.dump(),
        error_message=failure.message,
    )
