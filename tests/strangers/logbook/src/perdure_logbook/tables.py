"""What the lines of a log add up to, and how records become a line.

A line is a transaction: a checksum, and the records that it puts into the tables.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias, get_args
from zlib import crc32

import attrs

from perdure.errors import BackendRefused
from perdure.model import History, Status, StepRecord, Wait, WorkflowRecord

from .mailbox import Mailbox, MailRecord
from .workers import Worker

FORMAT = "2"
OLDER = "1"
"""Before there was mail. Its lines are read as if nothing had ever come."""
READABLE = (None, OLDER, FORMAT)
Place: TypeAlias = tuple[str, int]
"""Where in its workflow a step or a wait stands: branch and number."""


@attrs.frozen
class Format:
    """How the lines are written: the first record of each log."""

    version: str


@attrs.frozen
class Definition:
    """The name of a workflow that was served once."""

    name: str


@attrs.frozen
class Forgotten:
    """A worker that has been dead for long and owns nothing."""

    id: str


Record: TypeAlias = (
    Format | Definition | Worker | Forgotten | WorkflowRecord | StepRecord | Wait | MailRecord
)
_KINDS: Mapping[str, type[Record]] = {one.__name__: one for one in get_args(Record)}
_TIMES = frozenset(
    {
        "lease_until",
        "dead_at",
        "run_at",
        "deadline",
        "cancel_requested_at",
        "created_at",
        "started_at",
        "completed_at",
        "due",
    }
)
_MICROSECOND = timedelta(microseconds=1)
_SINCE_OLDER: Mapping[str, Any] = {
    "wake": 0,
    "detached": False,
    "timeout": None,
    "deadline": None,
    "cancel_requested_at": None,
    "cancel_reason": None,
}


@attrs.define(eq=False)
class Tables:
    """What every process that has read the same lines has in its memory."""

    format: str | None = None
    puts: int = 0
    definitions: dict[str, Definition] = attrs.field(factory=dict[str, Definition])
    workers: dict[str, Worker] = attrs.field(factory=dict[str, Worker])
    workflows: dict[str, WorkflowRecord] = attrs.field(factory=dict[str, WorkflowRecord])
    steps: dict[str, dict[Place, StepRecord]] = attrs.field(
        factory=dict[str, dict[Place, StepRecord]]
    )
    waits: dict[str, dict[Place, Wait]] = attrs.field(factory=dict[str, dict[Place, Wait]])
    mailbox: Mailbox = attrs.field(factory=Mailbox)

    def step(self, like: StepRecord) -> StepRecord | None:
        """What stands in this place."""
        return self.steps.get(like.workflow_id, {}).get((like.branch, like.seq))

    def wait(self, like: Wait) -> Wait | None:
        """What stands in this place."""
        return self.waits.get(like.workflow_id, {}).get((like.branch, like.seq))

    def put(self, record: Record) -> None:
        """Let the record stand in its table, in place of the one that had its key."""
        self.puts += 1
        match record:
            case WorkflowRecord():
                self.workflows[record.id] = record
            case StepRecord():
                self.steps.setdefault(record.workflow_id, {})[record.branch, record.seq] = record
            case Wait():
                self.waits.setdefault(record.workflow_id, {})[record.branch, record.seq] = record
            case Worker():
                self.workers[record.id] = record
            case Forgotten():
                self.workers.pop(record.id, None)
            case Definition():
                self.definitions[record.name] = record
            case Format():
                self.format = record.version
            case _:
                self.mailbox.put(record)

    def history(self, workflow_id: str) -> History:
        """What is recorded of a workflow, in the order of its places."""
        steps, waits = self.steps.get(workflow_id, {}), self.waits.get(workflow_id, {})
        return History(
            workflow_id=workflow_id,
            steps=[steps[place] for place in sorted(steps)],
            waits=[waits[place] for place in sorted(waits)],
        )

    def records(self) -> Iterator[Record]:
        """The fewest records that add up to these tables."""
        if self.format is not None:
            yield Format(self.format)
        for table in (self.definitions, self.workers, self.workflows):
            yield from table.values()
        for steps in self.steps.values():
            yield from steps.values()
        for waits in self.waits.values():
            yield from waits.values()
        yield from self.mailbox.records()


def line_of(records: Sequence[Record]) -> bytes:
    """The line that puts these records.

    Raises:
        BackendRefused: a text has no UTF-8, which is all that JSON is made of.
    """
    rows = [[type(one).__name__, attrs.asdict(one)] for one in records]
    text = json.dumps(rows, ensure_ascii=False, default=_plain)
    try:
        written = text.encode()
    except UnicodeEncodeError as error:
        raise BackendRefused(f"a log cannot hold it: {error}") from error
    return b"%08x %s\n" % (crc32(written), written)


def _plain(value: datetime | timedelta) -> str | int:
    return value.isoformat() if isinstance(value, datetime) else value // _MICROSECOND


def records_of(line: bytes) -> list[Record] | None:
    """What a line without its end puts; None if it is not as it was written."""
    checksum, _, written = line.partition(b" ")
    if checksum != b"%08x" % crc32(written):
        return None
    return [_record(kind, fields) for kind, fields in json.loads(written)]


def _record(kind: str, fields: dict[str, Any]) -> Record:
    for name in _TIMES & fields.keys():
        if fields[name] is not None:
            fields[name] = datetime.fromisoformat(fields[name]).astimezone(UTC)
    if kind == WorkflowRecord.__name__:
        fields = {**_SINCE_OLDER, **fields, "status": Status(fields["status"])}
        timeout = fields["timeout"]
        fields["timeout"] = None if timeout is None else timeout * _MICROSECOND
    return _KINDS[kind](**fields)
