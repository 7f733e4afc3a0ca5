"""Matching what the code asks for with what is recorded: pure decisions."""

from typing import Any

from .codec import Codec
from .errors import NonDeterminism
from .failure import Failure
from .model import StepRecord


def match(record: StepRecord, *, name: str, kind: str) -> None:
    """Check that the recorded step is the one that the code asks for.

    Raises:
        NonDeterminism: it is another; the message shows both.
    """
    if (record.name, record.kind) != (name, kind):
        raise NonDeterminism(
            f"{record.workflow_id} has changed under its history: at "
            f"{position(record.branch, record.seq)} the record says {record.kind} "
            f"{record.name!r}, the code asks for {kind} {name!r}. Bring back the code that "
            f"wrote the record, then: perdure resume {record.workflow_id}"
        )


def outcome(record: StepRecord, result: Codec[Any]) -> Any:
    """What the step returned; raises what it raised."""
    if record.status == "error":
        raise Failure.load(record.error_json).exception()
    return result.load(record.output_json)


def position(branch: str, seq: int) -> str:
    """A step's place in words: `step 3`, or `step 2 of branch 1.2`."""
    return f"step {seq} of branch {branch}" if branch else f"step {seq}"
