"""What the tables hold, as records that cross the seam."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal, TypeAlias, TypeVar

import attrs
from typing_extensions import TypeForm

from .codec import codec_of

T = TypeVar("T")

Attributes: TypeAlias = Mapping[str, str | int | float | bool]
StepStatus: TypeAlias = Literal["success", "error"]


class Status(StrEnum):
    """Where a workflow stands."""

    DELAYED = "delayed"
    """Its `run_at` lies in the future."""
    ENQUEUED = "enqueued"
    """Ready for a worker."""
    RUNNING = "running"
    """Owned by a worker."""
    WAITING = "waiting"
    """Suspended in a durable wait; in no worker's memory."""
    SUCCESS = "success"
    ERROR = "error"
    CANCELLED = "cancelled"
    PARKED = "parked"
    """Set aside for a person; `resume` brings it back."""

    @property
    def final(self) -> bool:
        """Whether it will never change again. A parked workflow is not final."""
        return self in _FINAL


_FINAL = frozenset({Status.SUCCESS, Status.ERROR, Status.CANCELLED})
ENDED = _FINAL | {Status.PARKED}
"""The statuses in which nobody but a person changes a workflow."""


@attrs.frozen(kw_only=True)
class WorkflowRecord:
    """One workflow as the database has it. The `…_json` texts are as stored."""

    id: str
    name: str
    status: Status
    queue: str
    priority: int
    run_at: datetime
    input_json: str | None
    output_json: str | None
    error_json: str | None
    error_message: str | None
    owner: str | None
    epoch: int
    recoveries: int
    strikes: int
    wake: int
    """Grows with all that comes for it from others: messages, ends, events."""
    parent_id: str | None
    detached: bool
    """The end of its parent is none of its business."""
    timeout: timedelta | None
    deadline: datetime | None
    cancel_requested_at: datetime | None
    cancel_reason: str | None
    """Set with `cancel_requested_at`; may be empty."""
    code_version: str | None
    attributes: Attributes
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None


# A value that nobody changes. A frozen class would take twice as long to make, for each step.
@attrs.define(kw_only=True, unsafe_hash=True)
class StepRecord:
    """One recorded step: what happened at (workflow, branch, number), for good.

    `kind` says what recorded it: `step` for a user's step, else the verb
    (`sleep`, `now`). A user's step has a name of the user's, a verb its own.
    """

    workflow_id: str
    branch: str
    seq: int
    name: str
    kind: str
    status: StepStatus
    output_json: str | None
    error_json: str | None
    error_message: str | None
    attempts: int
    started_at: datetime
    completed_at: datetime
    epoch: int

    @property
    def size(self) -> int:
        """How many characters of text it carries."""
        return len(self.output_json or "") + len(self.error_json or "")

    def output(self, type: TypeForm[T], /) -> T:
        """What the step returned, as `type`.

        Raises:
            SerializationError: the step failed, or its output is no `type`.
        """
        return codec_of(type).load(self.output_json)


@attrs.frozen(kw_only=True)
class Wait:
    """The absolute due time of a durable wait, written when it was first reached."""

    workflow_id: str
    branch: str
    seq: int
    kind: str
    due: datetime
    epoch: int

    @property
    def size(self) -> int:
        """How many characters of text it carries: none."""
        return 0


@attrs.frozen(kw_only=True)
class Message:
    """Something sent to a workflow. The first with an id counts, for each workflow.

    `position` grows with each message of its sender.
    """

    id: str
    workflow_id: str
    topic: str
    body_json: str | None
    sender: str
    position: int

    @property
    def size(self) -> int:
        """How many characters of text it carries."""
        return len(self.body_json or "")


@attrs.frozen(kw_only=True)
class History:
    """Everything recorded of one workflow; both lists ordered by (branch, seq)."""

    workflow_id: str
    steps: Sequence[StepRecord]
    waits: Sequence[Wait]
