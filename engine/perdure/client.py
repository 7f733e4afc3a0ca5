"""What a process asks of the database for its user: start, look, wait, resume."""

import contextlib
import itertools
import logging
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import timedelta
from uuid import uuid4

import attrs

from . import clock, ids
from .backend import Backend, Existing, Guest, Query, Submission
from .errors import (
    BackendUnavailable,
    SchemaError,
    UnknownWorkflow,
    WorkflowConflict,
    WorkflowFinished,
    WorkflowNotFound,
)
from .exchange import SOON
from .intake import Intake
from .mail import Refused, SendAnswer
from .model import History, Message, Status, WorkflowRecord
from .room import portions
from .starting import same_work
from .wakeups import News

log = logging.getLogger("perdure")

PAGE = 200
LARGEST = 1000
"""How many of what others have left one call looks at."""


@attrs.frozen
class Letter:
    """A message to send: to whom, in which topic; `key` names it, if the sender cares."""

    to: str
    topic: str
    body_json: str
    key: str | None


@attrs.define(eq=False)
class Client:
    """The calls of one engine; they share one connection, one at a time."""

    backend: Backend
    on_news: Callable[[News], None]
    """Told when there is something new to claim, or to hear."""
    _sender: str = attrs.field(factory=lambda: f"{uuid4()}")
    _positions: Iterator[int] = attrs.field(factory=lambda: itertools.count(1))
    _turn: threading.Lock = attrs.field(factory=threading.Lock, repr=False)
    _starts: Intake[Submission, Existing | None] = attrs.field(init=False, repr=False)
    _letters: Intake[Message, SendAnswer] = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        whole = self.backend.capabilities
        self._starts = Intake(self._submit, lambda one: one.id, self._turn, whole)
        self._letters = Intake(self._send, lambda one: (one.workflow_id, one.id), self._turn, whole)

    def new_id(self) -> str:
        """An id of the kind that this database likes."""
        return ids.workflow_id(time_ordered=self.backend.capabilities.time_ordered_ids)

    def start(self, submissions: Sequence[Submission], guest: Guest | None = None) -> set[str]:
        """Write workflows that are not there yet; the ids of those that are new.

        Args:
            submissions: the workflows.
            guest: writes them in a transaction of the caller's.

        Raises:
            WorkflowConflict: ids that are taken by other work; all others are started.
        """
        distinct, conflicts = _distinct(submissions)
        created = set(distinct)
        ordered = sorted(distinct.values(), key=lambda one: one.id)
        for chunk in portions(ordered, [one.size for one in ordered], self.backend.capabilities):
            existing = self._submitted(chunk) if guest is None else guest.submit(chunk)
            created.difference_update(there.id for there in existing)
            conflicts += [
                there.id for there in existing if not same_work(there, distinct[there.id])
            ]
            for news in _news(chunk) if guest is None else [News.COMING]:
                self.on_news(news)
        if conflicts:
            raise WorkflowConflict(conflicts)
        return created

    def _submitted(self, chunk: Sequence[Submission]) -> Sequence[Existing]:
        """Those that were there."""
        return [there for there in self._starts.put(chunk) if there is not None]

    def _submit(self, chunk: Sequence[Submission]) -> Sequence[Existing | None]:
        existing = {there.id: there for there in self.backend.submit(chunk)}
        return [existing.get(one.id) for one in chunk] if existing else [None] * len(chunk)

    def check_known(self, name: str, queue: str) -> None:
        """Raises UnknownWorkflow if no worker has ever served that name."""
        with self._turn:
            service = self.backend.service(name, queue)
        if not service.known:
            raise UnknownWorkflow(name)

    def load(self, id: str) -> WorkflowRecord:
        """The record of a workflow.

        Raises:
            WorkflowNotFound: there is none.
        """
        with self._turn:
            records = self.backend.load([id])
        if not records:
            raise WorkflowNotFound(id)
        return records[0]

    def history(self, id: str) -> History:
        """What is recorded of a workflow.

        Raises:
            WorkflowNotFound: there is none.
        """
        self.load(id)
        with self._turn:
            histories = self.backend.history([id])
        return histories[0] if histories else History(workflow_id=id, steps=(), waits=())

    def find(self, query: Query, limit: int | None) -> Iterator[WorkflowRecord]:
        """Workflows, newest first, read page by page."""
        for page in self.pages(query, limit):
            yield from page

    def pages(self, query: Query, limit: int | None) -> Iterator[Sequence[WorkflowRecord]]:
        """The same in pages, each of which is one read."""
        left = limit
        while left is None or left > 0:
            size = PAGE if left is None else min(PAGE, left)
            with self._turn:
                page = self.backend.find(attrs.evolve(query, limit=size))
            yield page
            if len(page) < size:
                return
            left = None if left is None else left - len(page)
            query = attrs.evolve(query, after=(page[-1].created_at, page[-1].id))

    def resume(self, id: str) -> None:
        """Put a parked workflow back into the queue; one that is under way stays as it is.

        Raises:
            WorkflowNotFound: there is none.
            WorkflowFinished: it has ended.
        """
        record = self.load(id)
        status: Status | None = record.status
        if status is Status.PARKED:
            with self._turn:
                status = self.backend.resume(id, epoch=record.epoch)
            self.on_news(News.ENQUEUED)
        if status is not None and status.final:
            raise WorkflowFinished(id, status)

    def send(self, letter: Letter, guest: Guest | None = None) -> None:
        """Send a message; one with a key that the workflow has got already is there once.

        Args:
            letter: the message.
            guest: writes it in a transaction of the caller's.

        Raises:
            WorkflowNotFound: there is no such workflow.
            WorkflowFinished: it has ended.
        """
        if guest is not None:
            self._check(letter, guest.send([self._message(letter)]))
            self.on_news(News.COMING)
            return
        self._check(letter, self._letters.put([self._message(letter)]))

    def _send(self, messages: Sequence[Message]) -> Sequence[SendAnswer]:
        answers = self.backend.send(messages)
        with contextlib.suppress(BackendUnavailable):
            self._apply()  # else whoever sends the next heartbeat does
        return answers

    def _message(self, letter: Letter) -> Message:
        position = next(self._positions)
        return Message(
            id=letter.key or f"{self._sender}:{position}",
            workflow_id=letter.to,
            topic=letter.topic,
            body_json=letter.body_json,
            sender=self._sender,
            position=position,
        )

    def _check(self, letter: Letter, answers: Sequence[SendAnswer]) -> None:
        if isinstance(answers[0], Refused):
            raise refusal(letter.to, answers[0].status)

    def cancel(self, id: str, reason: str) -> None:
        """Ask for the end of a workflow; one that is cancelled already stays as it is.

        Raises:
            WorkflowNotFound: there is no such workflow.
            WorkflowFinished: it has ended otherwise.
        """
        with self._turn:
            status = self.backend.cancel([id], reason=reason).get(id)
            if status is None or status in (Status.SUCCESS, Status.ERROR):
                raise refusal(id, status)
            if status is Status.CANCELLED:
                # Its code will not hear of it, so that nobody else tells its children.
                cancel_children(self.backend, id, reason)
            self.on_news(News.ASKED)
            self.on_news(News.ENQUEUED)
            self._apply()

    def _apply(self) -> None:
        """Apply the wake-ups that were written, and tell everybody."""
        woken = self.backend.wake(limit=LARGEST)
        self.on_news(News.SENT)
        if woken:
            self.on_news(News.ENQUEUED)

    def check_schema(self, *, migrate: bool | None) -> None:
        """Make sure that the tables are there, as this code wants them.

        Args:
            migrate: create or update them; None: create them in an empty database
                of this machine's own, and only there.

        Raises:
            SchemaError: they are not, and `migrate` does not say to make them.
        """
        version = self.backend.schema_version()
        if version.current == version.wanted:
            return
        fresh = version.current is None and self.backend.capabilities.embedded
        if migrate or (migrate is None and fresh):
            self.backend.migrate()
            return
        raise SchemaError(_schema_text(self.backend.where, version.current, known=version.known))


def cancel_children(backend: Backend, parent_id: str, reason: str) -> None:
    """Ask for the end of what a workflow has started and has not ended, but for what is detached."""
    query = Query(parent_id=parent_id, limit=LARGEST)
    while page := backend.find(query):
        ids = [one.id for one in page if not (one.detached or one.status.final)]
        if ids:
            backend.cancel(ids, reason=reason)
        query = attrs.evolve(query, after=(page[-1].created_at, page[-1].id))


def refusal(id: str, status: Status | None) -> WorkflowNotFound | WorkflowFinished:
    """Why nothing can be sent to a workflow, or asked of it."""
    return WorkflowNotFound(id) if status is None else WorkflowFinished(id, status)


def _schema_text(where: str, current: str | None, *, known: bool) -> str:
    if current is None:
        return f"{where} has no tables of Perdure's yet; run  perdure migrate"
    if known:
        return f"the tables in {where} are older than this code ({current}); run  perdure migrate"
    return (
        f"the tables in {where} are newer than this code ({current}); "
        f"run  pip install --upgrade perdure"
    )


def _distinct(
    submissions: Iterable[Submission],
) -> tuple[dict[str, Submission], list[str]]:
    """By id, and the ids given twice for different work."""
    distinct: dict[str, Submission] = {}
    conflicts: list[str] = []
    for submission in submissions:
        first = distinct.setdefault(submission.id, submission)
        if (first.name, first.input_json) != (submission.name, submission.input_json):
            conflicts.append(submission.id)
    return distinct, conflicts


def _news(submissions: Sequence[Submission]) -> set[News]:
    """What workers are told of them; of what is due much later a heartbeat tells."""
    now, news = clock.now(), set[News]()
    for delay in {one.due_in(now) for one in submissions}:
        if delay is None or delay <= timedelta(0):
            news.add(News.ENQUEUED)
        if delay is not None and delay < SOON:
            news.add(News.DELAYED)
    return news
