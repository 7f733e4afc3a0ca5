"""The seam: everything the engine asks of a database.

A backend is a class whose constructor takes `(url, *, namespace)` and does no
I/O; an entry point in the group `perdure.backends`, named like the URL's scheme,
makes it known. The docstrings below are the specification, and the conformance
suite (`perdure_compat`) is the judge.

Rules for every verb:

- **One verb is one transaction** (or says where it is two) and is **safe to
  repeat**: after a lost answer the engine calls it again with the same
  arguments. Only `claim` is different: it raises `OutcomeUnknown`, and the
  engine calls `reconcile`.
- **Batch first.** Sequences come in any order; answers say which is which. Nothing
  to do (an empty sequence or batch, a limit of 0) is no error.
- **Thread-safe.** Every thread may call every verb; the backend keeps the
  connections. A verb holds none when it returns.
- **An expected refusal is a value.** Exceptions are for what nobody can plan for:
  `BackendUnavailable` (nothing happened, or the verb is safe to repeat),
  `OutcomeUnknown`, `SchemaError`, and `BackendRefused` for a value or statement
  that the database will never accept. A backend retries what its database calls
  transient (serialization failures, deadlocks, a busy lock) a bounded number of
  times, and lost connections for a few seconds at most; the engine does the rest.
- **Guards, not timing.** Every write is conditional on the state it expects
  (owner, epoch, status); the primary key of a step decides who recorded it.
- **The database's clock** decides leases and due times. Times that come in and
  out are aware UTC with microseconds (milliseconds where the database has no
  more); durations are `timedelta`, of a hundred years at most.
- **Death is declared**, by `leave` or `reap`, never by time alone. Until then a
  worker is live, also when its lease is over: it renews, claims and commits. Only
  `service` asks for a lease that holds. Who never joined is treated as dead.
- Texts come back as they went in. Ids compare byte by byte. A database may
  refuse a NUL character, half of a surrogate pair, an id of more than 512 bytes,
  a whole number of more than 32 bits, and an operation of more text than a call
  should carry.

States of a workflow and who may move it:

    delayed ──wake──► enqueued ──claim──► running ──commit──► success | error | cancelled
                      ▲      ▲               │               | parked | enqueued
    waiting ──wake────┘      └reap, reconcile┘               | waiting
    parked ──resume──► enqueued;   delayed, enqueued, waiting, parked ──cancel──► cancelled

A workflow leaves a live owner only through that owner's own `commit` (or its own
`reconcile`); a dead one's only through `reap`. Whatever others want of a running
workflow is a request that its owner reads.

No wake-up is lost. What happens for another workflow (a message to it, the end of
its child, the end or an event of a workflow that it has subscribed to) is written
together with a wake-up for it, in one transaction. `wake` applies wake-ups in a
transaction of its own, later: it adds them to the workflow's count, and enqueues the
workflow if it waits for that count. Who suspends a workflow says how far it had
counted when it looked last, and is sent back if more has come since.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta

from .exchange import (
    NOT_YOURS,
    RECORDED,
    AlreadyRecorded,
    Batch,
    Capabilities,
    Claimed,
    Committed,
    Consumption,
    Existing,
    Lane,
    NotYours,
    Peer,
    Pulse,
    Query,
    Reaped,
    Recorded,
    Recovery,
    SchemaVersion,
    Service,
    StepAnswer,
    Submission,
    Transition,
    TransitionAnswer,
    WorkerInfo,
)
from .guest import Guest, Guests
from .mail import (
    SENT,
    EventKey,
    Mail,
    Published,
    Refused,
    SendAnswer,
    Sent,
    Sight,
    Subscription,
    Watch,
)
from .model import History, Message, Status, WorkflowRecord
from .streams import Item, Reading, Streams
from .wakeups import News, Wakeups

__all__ = [
    "NOT_YOURS",
    "RECORDED",
    "SENT",
    "AlreadyRecorded",
    "Backend",
    "Batch",
    "Capabilities",
    "Claimed",
    "Committed",
    "Consumption",
    "EventKey",
    "Existing",
    "Guest",
    "Item",
    "Lane",
    "Message",
    "News",
    "NotYours",
    "Peer",
    "Published",
    "Pulse",
    "Query",
    "Reading",
    "Reaped",
    "Recorded",
    "Recovery",
    "Refused",
    "SchemaVersion",
    "SendAnswer",
    "Sent",
    "Service",
    "Sight",
    "StepAnswer",
    "Submission",
    "Subscription",
    "Transition",
    "TransitionAnswer",
    "Wakeups",
    "Watch",
    "WorkerInfo",
]


class Backend(Mail, Streams, Guests, ABC):
    """A database that holds workflows, hands them out and keeps their checkpoints."""

    capabilities: Capabilities = Capabilities()

    @property
    @abstractmethod
    def where(self) -> str:
        """The database in words for messages: scheme, host, port, name; no password."""

    # ---------------------------------------------------------------- schema

    @abstractmethod
    def schema_version(self) -> SchemaVersion:
        """Which revision the tables have.

        Also checks that the server is the one that the URL's scheme names.

        Raises:
            ConfigurationError: it is another kind of server, or too old.
        """

    @abstractmethod
    def migrate(self) -> None:
        """Create the tables, or bring them to this code's revision.

        Any number of processes may migrate at once, and one may be killed half
        way: calling again finishes the work. Data stays.

        Raises:
            SchemaError: the tables are newer than this code.
        """

    @abstractmethod
    def migration_sql(self) -> str:
        """The statements that `migrate` runs on an empty database, as a script."""

    def wakeups(self) -> Wakeups | None:
        """How processes tell each other of news; None where there is nothing but polling.

        For each call a new one: it belongs to who asked, who closes it.
        """
        return None

    @abstractmethod
    def close(self) -> None:
        """Close all connections. Calling any verb opens them again."""

    # --------------------------------------------------------------- workers

    @abstractmethod
    def join(self, worker: WorkerInfo, *, lease: timedelta) -> bool:
        """Make a worker known, alive until `lease` from now.

        Joining again under the same id replaces what it serves and renews its
        lease. A lease below zero is over at once. The names served are remembered
        for good (`service`). False: the worker is dead, and nothing was changed;
        its id does not come back until `reap` forgets it, a day later at least.
        """

    @abstractmethod
    def heartbeat(self, worker_id: str, *, lease: timedelta) -> Pulse | None:
        """Renew a lease to `lease` from now, even if it has run out already.

        None: the worker is dead (or was never there); nothing was changed. The
        beat grows with each heartbeat of the worker and each joining, no other's.
        """

    @abstractmethod
    def leave(self, worker_id: str) -> None:
        """Declare oneself dead. What the worker still owns is for `reap`.

        Declaring death waits for writes of that worker in flight or makes them
        fail, here as in `reap`. Nothing happens if it is dead or was never there.
        """

    @abstractmethod
    def reap(
        self,
        witnessed: Sequence[Peer],
        *,
        margin: timedelta,
        recovery: Recovery,
        limit: int,
    ) -> Reaped:
        """Declare expired workers dead and return dead workers' workflows to the queue.

        Two transactions. The first declares each of `witnessed` dead whose `beat`
        is unchanged and whose lease ended more than `margin` ago. The second
        takes up to `limit` running workflows from workers that are dead (these,
        earlier ones, or rows that no longer exist): owner None, recoveries + 1,
        strikes and status as `Recovery` says; an `error_message` explains a
        parking. Which of them first is the backend's choice; the engine calls again
        while the limit was reached.

        Declaring death waits for writes of that worker in flight or makes them
        fail: once it is dead, no commit or claim of its takes effect. A worker
        whose row is locked is passed over, never waited for. Workers dead for
        more than a day that own nothing are forgotten, some at each call: the
        next to join under such an id is a new one.
        """

    @abstractmethod
    def service(self, name: str, queue: str) -> Service:
        """Whether a workflow name was ever served, and whether a live worker serves it.

        On that queue, now, and under a lease that is not over: one that can be
        expected to claim such a workflow soon.
        """

    # ------------------------------------------------------------- workflows

    @abstractmethod
    def submit(self, submissions: Sequence[Submission]) -> Sequence[Existing]:
        """Write workflows that are not there yet; name those that were.

        All or nothing. An id that existed is left untouched and comes back as it
        is, ended or not; after a lost answer that includes the caller's own. Due
        in the future means `delayed`, else `enqueued`. A new one belongs to nobody,
        at epoch 0. Ids within one call are distinct.
        """

    @abstractmethod
    def claim(
        self, worker_id: str, lanes: Sequence[Lane], *, limit: int, suspects: bool = False
    ) -> Sequence[Claimed]:
        """Take up to `limit` due, enqueued workflows of these lanes: running, owner, epoch + 1.

        In the order (priority, run_at, id) over all lanes together where nobody
        else claims, unless the capability `ordered_claims` is missing. `suspects`
        takes those with two strikes or more, and only those; without it they are
        left alone. Workflows of other lanes cost nothing. A dead worker gets none. Two
        claims never return the same (id, epoch). The first start of a workflow is kept;
        at that first claim its deadline becomes now + `timeout`, if it has one and no
        earlier deadline.
        Fewer than `limit` mean that no more were due, where nobody else claims and nothing
        fails.

        Raises:
            OutcomeUnknown: workflows may have been claimed without an answer.
        """

    @abstractmethod
    def commit(self, worker_id: str, batch: Batch) -> Committed:
        """Write a worker's steps, waits and transitions: the journal's one verb.

        One transaction. Nothing is written if the worker is dead; an operation is
        written only if its workflow is running, owned by the worker, under the
        operation's epoch. The first record of a step wins for good. Steps and
        waits of a workflow may share the batch with its transition, of which a
        batch has one at most. Where it has a step or a wait twice under one epoch,
        the first in its order is written, and both are `Recorded`. A message is consumed
        with the step that takes it, if this call writes that step.

        A transition to `waiting` is never refused to an owner: the workflow goes back
        to `enqueued`, due at once, if its count of wake-ups has reached `wake_at`, or if it is
        asked to cancel and the transition does not know. The answer tells. Where
        `run_at` is None, time never wakes it.

        Items of streams are written in their workflow's name as steps are, and have no answer.

        A workflow that ends (not one that is parked) leaves a wake-up for its parent,
        if it has one, and one for each workflow that has subscribed to it. A step of kind
        `event` leaves one for each subscriber, too.

        A repeat gives the same answers as the first time: a step that is there
        under the operation's epoch is `Recorded`, under another epoch
        `AlreadyRecorded`; a wait that is there under that epoch or an earlier one is
        `Recorded`, and its first due time stays; a transition that took effect
        answers with its status as long as the workflow stands there, or, suspended, is
        back in the queue. So it is for a worker that has died since; `fenced` tells it.

        Raises:
            BackendRefused: the database will never take this batch; nothing of it
                was written, and the journal looks for the culprit by halving.
        """

    @abstractmethod
    def reconcile(self, worker_id: str, known: Collection[str]) -> Sequence[str]:
        """Return to the queue what the table gives to a worker that does not know of it.

        `known` is every id that the worker runs, taken before the call and with
        none of its claims in flight. Strikes and recoveries stay. Answers with
        the ids released. A dead worker's workflows are for `reap`: it releases
        none, and changes nothing.
        """

    @abstractmethod
    def wake(self, *, limit: int) -> int:
        """Do what is due for workflows that nobody runs; the engine calls again while it was much.

        Three transactions, each for up to `limit`. The first applies wake-ups: it adds
        them to the counts of their workflows, whatever state these are in, and enqueues
        those that wait for that count, due at once at the latest. Workflows that are
        locked at the moment are passed over, never waited for; their wake-ups
        stay. Those for a workflow that does not exist are dropped.

        The second enqueues delayed or waiting workflows that are due, the earliest due
        first, where nobody else wakes. They keep their `run_at`, by which they stand in
        line.

        The third cancels workflows whose deadline is over, that have not ended and are
        not asked to cancel, as `cancel` does; the reason names the deadline.

        Answers with the largest number of the three.
        """

    @abstractmethod
    def cancel(self, ids: Collection[str], *, reason: str) -> Mapping[str, Status]:
        """Ask for the end of workflows; the status of each after it, unknown ids left out.

        One that nobody runs and that never ran, or is parked, is `cancelled` at once, and
        wakes its parent and subscribers as any end does. One that ran before is enqueued,
        due at once, so that its code can clean up. One that runs stays with its owner, who
        reads the request. One that has ended stays as it is. The first request counts:
        its time and reason stay. May be a transaction for each.
        """

    @abstractmethod
    def requests(self, worker_id: str) -> Mapping[str, str]:
        """The workflows that this worker runs and that are asked to cancel, each with the reason."""

    @abstractmethod
    def load(self, ids: Collection[str], *, only_ended: bool = False) -> Sequence[WorkflowRecord]:
        """The workflows with these ids, in any order; unknown ids are left out.

        `only_ended` leaves out what is neither final nor parked.
        """

    @abstractmethod
    def find(self, query: Query) -> Sequence[WorkflowRecord]:
        """A page of workflows, newest first: ordered by (created_at, id), descending.

        Never longer than the query's limit.
        """

    @abstractmethod
    def resume(self, id: str, *, epoch: int) -> Status | None:
        """Put a parked workflow that is still at `epoch` back into the queue.

        Strikes start again at none, recoveries stay; its error is cleared. Answers
        with the status after the call, None for an unknown id; a repeat changes
        nothing, and neither does a call for one that is not parked.
        """

    @abstractmethod
    def history(self, ids: Collection[str]) -> Sequence[History]:
        """What is recorded of these workflows; one without any record may be left out.

        So may an unknown id. Steps and waits are ordered by (branch, seq), branches
        byte by byte.
        """
