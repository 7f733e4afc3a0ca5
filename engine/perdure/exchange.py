"""What goes over the seam to a backend, and what comes back."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Self, TypeAlias

import attrs

from .model import Attributes, Status, StepRecord, Wait, WorkflowRecord
from .streams import Item


@attrs.frozen(kw_only=True)
class Capabilities:
    """How databases differ, as far as the engine wants to know."""

    time_ordered_ids: bool = True
    """Generated ids should grow with time (B-tree) rather than be random (ranges)."""
    max_batch: int = 1000
    """The most operations one call should carry."""
    max_text: int = 4_000_000
    """The most characters of text one call should carry, unless one operation alone has more."""
    # The default has 16 megabytes at most in UTF-8, quotes escaped. A CockroachDB that is set up
    # as usual takes no more at once (`sql.conn.max_read_buffer_message_size`).
    clock_skew: timedelta = timedelta(0)
    """How far the clocks that serve `now()` may be apart: a margin for leases of others."""
    embedded: bool = False
    """A file or memory of this machine, which the engine sets up itself where it is empty."""
    missing: Mapping[str, str] = attrs.field(factory=dict[str, str])
    """What it leaves out of the promises, and why, by the name that the conformance suite has for it.

    `guests`: it writes in transactions of callers. `ordered_claims`: a lone worker is
    served in order. `processes`: other processes of the machine reach the same data.
    `sql_script`: `migration_sql` is a script that somebody could run. The suite refuses
    names it does not know.
    """


@attrs.frozen(kw_only=True)
class SchemaVersion:
    """The revision in the database beside the one this code wants.

    `current` is None where there are no tables; `known` is False for a revision
    that this code has never heard of, so one from a newer Perdure.
    """

    current: str | None
    wanted: str
    known: bool


@attrs.frozen(kw_only=True)
class WorkerInfo:
    """A worker that joins. `names` and `queues` are what it serves."""

    id: str
    host: str
    pid: int
    code_version: str | None
    names: Sequence[str]
    queues: Sequence[str]


@attrs.frozen(kw_only=True)
class Peer:
    """A live worker, so one that is not dead. `beat` grows with each heartbeat."""

    worker_id: str
    beat: int
    lease_until: datetime


@attrs.frozen(kw_only=True)
class Pulse:
    """The answer to a heartbeat, from one moment."""

    now: datetime
    """The database's clock."""
    peers: Sequence[Peer]
    """All workers that are not dead, the caller included, whatever their leases say."""
    next_due: datetime | None
    """When `wake` has something to do: the earliest due time of a delayed or waiting workflow,
    or deadline of one that has not ended and is not asked to cancel; None if there is neither."""
    orphans: bool
    """Whether a running workflow belongs to a worker that is dead or forgotten."""
    outbox: bool
    """Whether wake-ups have been written that nobody has applied yet."""


@attrs.frozen(kw_only=True)
class Recovery:
    """What becomes of a dead worker's workflows.

    A workflow without progress since its last claim gets one more strike, one
    with progress counts from one again. Two strikes make it a suspect, which
    waits `backoff` times 2^(strikes - 2), at most 2^20; `max_strikes` park it.
    """

    max_strikes: int
    backoff: timedelta


@attrs.frozen(kw_only=True)
class Reaped:
    """Who was declared dead, and how each of their workflows went on."""

    workers: Sequence[str]
    workflows: Mapping[str, Status]


SOON = timedelta(minutes=1)
"""What is due later than that is learned from heartbeats, and need not be told or remembered."""


@attrs.define(kw_only=True)
class Submission:
    """A workflow to start. At most one of `delay` and `run_at` is set."""

    id: str
    name: str
    input_json: str
    queue: str = "default"
    priority: int = 0
    """The lowest comes first."""
    delay: timedelta | None = None
    run_at: datetime | None = None
    attributes: Attributes = attrs.field(factory=dict[str, str | int | float | bool])
    code_version: str | None = None
    parent_id: str | None = None
    """The workflow that starts it, and is woken by its end."""
    detached: bool = False
    timeout: timedelta | None = None
    """How long after its first claim its deadline is, unless that comes earlier."""
    deadline: datetime | None = None
    fresh: bool = False
    """Its id was made for it, so that nothing is there yet unless an answer was lost.

    A hint: what is there all the same is told as ever.
    """

    @property
    def size(self) -> int:
        """How many characters of text it carries."""
        size = len(self.input_json)
        if self.attributes:
            size += sum(len(f"{key}{value}") for key, value in self.attributes.items())
        return size

    def due_in(self, now: datetime) -> timedelta | None:
        """How long it has to wait, as far as a clock that says `now` can tell."""
        return self.run_at - now if self.run_at else self.delay


@attrs.frozen(kw_only=True)
class Existing:
    """A workflow that was there before the submission."""

    id: str
    name: str
    input_json: str | None
    parent_id: str | None


@attrs.frozen
class Lane:
    """A queue and the name of a workflow: what a claim asks for."""

    queue: str
    name: str


# As `StepRecord`: not frozen, because each workflow makes one.
@attrs.define(kw_only=True, unsafe_hash=True)
class Claimed:
    """A workflow that is now the claimer's, under `epoch`."""

    id: str
    name: str
    queue: str
    input_json: str | None
    epoch: int
    strikes: int
    wake: int
    """How far its wake-ups had been counted: what came before can be looked up."""
    parent_id: str | None
    deadline: datetime | None
    cancel_reason: str | None
    """None: nobody has asked to cancel it."""
    created_at: datetime

    @classmethod
    def of(cls, workflow: WorkflowRecord) -> Self:
        """What a claim tells of a workflow, as it stands after it."""
        told: dict[str, Any] = {one.name: getattr(workflow, one.name) for one in attrs.fields(cls)}
        return cls(**told)


@attrs.define(kw_only=True, unsafe_hash=True)
class Transition:
    """The owner lets go of a workflow.

    `status` is `success`, `error` or `cancelled` (the end), `parked` (`error_…` says
    why), `enqueued` (back to the queue as it was, strikes unchanged, due at once), or
    `waiting` (suspended). The last three fields are for `waiting` alone.
    """

    workflow_id: str
    epoch: int
    status: Status
    output_json: str | None = None
    error_json: str | None = None
    error_message: str | None = None
    run_at: datetime | None = None
    """When time wakes it; None: never; its record shows the beginning of the last day of the year 9999."""
    wake_at: int | None = None
    """The count of its wake-ups that wakes it; None: none does."""
    cancelling: bool = False
    """Its owner knows that it is asked to cancel, and does not suspend it in ignorance."""

    @property
    def size(self) -> int:
        """How many characters of text it carries."""
        return len(self.output_json or "") + len(self.error_json or "")


@attrs.frozen(kw_only=True)
class Consumption:
    """The step at (workflow, branch, number) of the same batch takes this message."""

    workflow_id: str
    branch: str
    seq: int
    epoch: int
    message_id: str


@attrs.frozen(kw_only=True)
class Batch:
    """What one worker wants written, all of it or nothing."""

    steps: Sequence[StepRecord] = ()
    waits: Sequence[Wait] = ()
    transitions: Sequence[Transition] = ()
    consumptions: Sequence[Consumption] = ()
    """At most one for each of the steps."""
    items: Sequence[Item] = ()
    """Of streams; each is there after the call, or its workflow is not the worker's."""


@attrs.frozen
class Recorded:
    """It is there, under the caller's epoch: written now or by an earlier try."""


@attrs.frozen
class AlreadyRecorded:
    """Another epoch recorded this step first; `record` is what counts."""

    record: StepRecord


@attrs.frozen
class NotYours:
    """Nothing was written: the workflow is no longer the caller's."""


RECORDED = Recorded()
NOT_YOURS = NotYours()
StepAnswer: TypeAlias = Recorded | AlreadyRecorded | NotYours
TransitionAnswer: TypeAlias = Status | NotYours


@attrs.frozen(kw_only=True)
class Committed:
    """One answer for each operation of a batch, in the batch's order."""

    fenced: bool
    """The worker is dead in the database's eyes: nothing was written by this call."""
    steps: Sequence[StepAnswer]
    waits: Sequence[Recorded | NotYours]
    transitions: Sequence[TransitionAnswer]
    wakeups: bool
    """Whether this call has written wake-ups for other workflows, which `wake` applies."""


@attrs.frozen(kw_only=True)
class Query:
    """Which workflows to find; None asks nothing of that column.

    `attributes` asks for each given key to have the given value; 1, "1" and true are
    three. `after` is the (created_at, id) of the last record of the page before.
    """

    name: str | None = None
    statuses: Collection[Status] | None = None
    queue: str | None = None
    attributes: Attributes | None = None
    parent_id: str | None = None
    after: tuple[datetime, str] | None = None
    limit: int = 100

    @classmethod
    def of(
        cls,
        name: str | None,
        status: Status | Iterable[Status] | None,
        queue: str | None,
        attributes: Attributes | None,
        parent_id: str | None = None,
    ) -> Self:
        """The query of somebody who asks for one status or for several."""
        statuses = [status] if isinstance(status, Status) else status
        listed = None if statuses is None else tuple(Status(one) for one in statuses)
        return cls(
            name=name, statuses=listed, queue=queue, attributes=attributes, parent_id=parent_id
        )


@attrs.frozen(kw_only=True)
class Service:
    """Whether anybody serves a name: `known` if ever, `live` if now, on that queue.

    Live is here who is not dead and whose lease is not over.
    """

    known: bool
    live: bool
