"""When two answers say the same, though two clocks and two databases gave them."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

import attrs

from perdure.backend import Claimed
from perdure.mail import Sight
from perdure.model import Status, WorkflowRecord

R = TypeVar("R", WorkflowRecord, Claimed, Sight)

ASKED = "asked by a test"
"""How the reasons begin that are not a backend's own."""
APART = timedelta(seconds=20)
"""How far two readings of the same moment may lie apart; what differs on purpose does by more."""


def alike(one: Any, other: Any) -> bool:
    """Whether two values are equal, all times in them more or less."""
    if one == other:
        return True
    if isinstance(one, datetime) and isinstance(other, datetime):
        return abs(one - other) < APART
    left, right = _parts(one), _parts(other)
    if left is None or right is None:
        return False
    return left.keys() == right.keys() and all(alike(left[key], right[key]) for key in left)


def _parts(value: Any) -> Mapping[Any, Any] | None:
    """What a record or a collection is made of, by name, key or place; None for what is one."""
    kind: Any = value.__class__
    if attrs.has(kind):
        return {field.name: getattr(value, field.name) for field in attrs.fields(kind)} | {0: kind}
    # Asked of the class: the value stays Any, and with it all that is inside.
    if issubclass(kind, Mapping):
        return dict(value)
    if issubclass(kind, Sequence) and not issubclass(kind, str):
        items: list[Any] = list(value)
        return dict(enumerate(items))
    return None


def worded(workflow: WorkflowRecord, *, ours: str) -> WorkflowRecord:
    """The workflow without the words with which a backend explains what it did by itself.

    They are its own business, as long as there are any; `ours` are the test's words.
    """
    said = reasoned(workflow)
    if workflow.status not in _EXPLAINED or workflow.error_message == ours:
        return said
    why = "explained" if workflow.error_message else None
    return attrs.evolve(said, error_json=None, error_message=why)


_EXPLAINED = {Status.PARKED, Status.CANCELLED}


def reasoned(record: R) -> R:
    """The record without the words with which a backend names a deadline."""
    reason = reason_of(record.cancel_reason)
    return record if reason == record.cancel_reason else attrs.evolve(record, cancel_reason=reason)


def reason_of(said: str | None) -> str | None:
    """A reason of the test's, or that there is one."""
    return said if not said or said.startswith(ASKED) else "explained"
