"""A batch on its way into the database: what travels of it, as parameters of statements."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar

import attrs

from perdure.backend import Batch, Consumption, Transition
from perdure.model import Status, StepRecord, Wait
from perdure.streams import Item

from . import claims, messages, singles, steps, streams
from .commits import CONSUMPTIONS, EVENTS, ITEMS, STEPS, TRANSITIONS, WAITS
from .dialect import Dialect, Fields

Key: TypeAlias = tuple[str, str, int]
Row: TypeAlias = tuple[object, ...]
R = TypeVar("R", StepRecord, Wait, Item)


@attrs.frozen
class Part:
    """One kind of operation: what its parameters are called, its columns, and which travel if plain."""

    name: str
    fields: Fields
    few: Fields = ()


_PARTS: Mapping[str, Part] = {
    CONSUMPTIONS: Part("consumption", messages.CONSUMPTION),
    EVENTS: Part("publisher", steps.ID),
    STEPS: Part("step", steps.STEP, steps.UNPLAIN),
    WAITS: Part("wait", steps.WAIT),
    ITEMS: Part("item", streams.ITEM),
    TRANSITIONS: Part("transition", claims.TRANSITION, claims.SUCCESS),
}


_LONE = {STEPS, WAITS, ITEMS, TRANSITIONS}
"""What may travel as parameters of its own: the planner has only one way to its workflow."""


@attrs.define
class Prepared:
    """A batch as parameters, by part: made once, before a transaction keeps others waiting."""

    worker_id: str
    batch: Batch
    executions: Mapping[str, Sequence[dict[str, Any]]]
    plain: bool
    """All steps are as most are: only the rest of their columns is there."""
    successes: bool
    """All transitions are to success: nor is more there than that wants."""
    alone: bool
    """No part has a second row, and all travel in one statement."""
    told: bool = False
    """An earlier try has left wake-ups, though what followed it failed."""


def prepare(dialect: Dialect, worker_id: str, batch: Batch) -> Prepared:
    """Encode a batch.

    Raises:
        BackendRefused: something in it cannot be stored.
    """
    # Who takes a message is told more of its step than that it was written.
    plain = bool(batch.steps) and not batch.consumptions and all(map(_is_plain, batch.steps))
    successes = bool(batch.transitions) and all(map(_is_success, batch.transitions))
    events = {step.workflow_id for step in batch.steps if step.kind == "event" and not plain}
    given: dict[str, Sequence[Row]] = {
        CONSUMPTIONS: [_consumption(each) for each in batch.consumptions],
        EVENTS: [(each,) for each in sorted(events)],
        STEPS: list(map(_rest if plain else _step, _firsts(batch.steps, key_of))),
        WAITS: [_wait(wait) for wait in _firsts(batch.waits, key_of)],
        ITEMS: [_item(each) for each in _firsts(batch.items, _offset)],
        TRANSITIONS: list(map(_success if successes else _transition, batch.transitions)),
    }
    few = {STEPS: plain, TRANSITIONS: successes}
    there = {name: rows for name, rows in given.items() if rows}
    alone = (
        dialect.fused and there.keys() <= _LONE and max(map(len, there.values()), default=0) == 1
    )
    each = singles.each if alone else dialect.each
    executions = {
        name: each(part.name, part.few if few.get(name) else part.fields, there[name])
        for name, part in _PARTS.items()
        if name in there
    }
    for one in itertools.chain.from_iterable(executions.values()):
        one["me"] = worker_id
    return Prepared(worker_id, batch, executions, plain, successes, alone)


def key_of(record: StepRecord | Wait) -> Key:
    """What tells a step or a wait from all others."""
    return (record.workflow_id, record.branch, record.seq)


def _firsts(given: Sequence[R], key: Callable[[R], Key]) -> Sequence[R]:
    """One for each key and epoch: a statement does not say which of two it inserts."""
    if len({key(each) for each in given}) == len(given):
        return given
    firsts: dict[tuple[Key, int], R] = {}
    for each in given:
        firsts.setdefault((key(each), each.epoch), each)
    return list(firsts.values())


def _step(step: StepRecord) -> tuple[object, ...]:
    return (
        step.workflow_id,
        step.branch,
        step.seq,
        step.name,
        step.kind,
        step.status,
        step.output_json,
        step.error_json,
        step.error_message,
        step.attempts,
        step.started_at,
        step.completed_at,
        step.epoch,
    )


def _is_plain(step: StepRecord) -> bool:
    return (
        step.kind == "step"
        and step.status == "success"
        and not step.branch
        and step.attempts == 1
        and step.error_json is None
        and step.error_message is None
    )


def _rest(step: StepRecord) -> tuple[object, ...]:
    return (
        step.workflow_id,
        step.seq,
        step.name,
        step.output_json,
        step.started_at,
        step.completed_at,
        step.epoch,
    )


def _wait(wait: Wait) -> tuple[object, ...]:
    return (wait.workflow_id, wait.branch, wait.seq, wait.kind, wait.due, wait.epoch)


def _transition(each: Transition) -> tuple[object, ...]:
    return (
        each.workflow_id,
        each.epoch,
        str(each.status),
        each.output_json,
        each.error_json,
        each.error_message,
        each.run_at,
        each.wake_at,
        each.cancelling,
    )


def _is_success(each: Transition) -> bool:
    return (
        each.status is Status.SUCCESS
        and each.error_json is None
        and each.error_message is None
        and each.run_at is None
        and each.wake_at is None
    )


def _success(each: Transition) -> tuple[object, ...]:
    return (each.workflow_id, each.epoch, each.output_json)


def _item(each: Item) -> tuple[object, ...]:
    return (
        each.workflow_id,
        each.stream,
        each.offset,
        each.place,
        each.attempt,
        each.value_json,
        each.closes,
        each.epoch,
    )


def _offset(item: Item) -> Key:
    return (item.workflow_id, item.stream, item.offset)


def _consumption(each: Consumption) -> tuple[object, ...]:
    return (each.workflow_id, each.branch, each.seq, each.epoch, each.message_id)
