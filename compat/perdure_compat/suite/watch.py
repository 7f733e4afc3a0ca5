"""What must hold whatever happens: the invariants, judged by what a backend shows."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TypeAlias

import attrs

from perdure.backend import (
    AlreadyRecorded,
    Batch,
    Claimed,
    Committed,
    Lane,
    Recorded,
    StepAnswer,
)
from perdure.model import History, Status, StepRecord, Wait, WorkflowRecord
from perdure.streams import Item

MOVES: Mapping[Status, set[Status]] = {
    Status.DELAYED: {Status.ENQUEUED, Status.CANCELLED},
    Status.ENQUEUED: {Status.RUNNING, Status.CANCELLED},
    Status.RUNNING: {
        Status.SUCCESS,
        Status.ERROR,
        Status.CANCELLED,
        Status.PARKED,
        Status.ENQUEUED,
        Status.WAITING,
        Status.DELAYED,
    },
    Status.WAITING: {Status.ENQUEUED},
    Status.PARKED: {Status.ENQUEUED, Status.CANCELLED},
    Status.SUCCESS: set(),
    Status.ERROR: set(),
    Status.CANCELLED: set(),
}
"""Where a workflow can be one verb later, if it is elsewhere."""

SUSPECT = 2
"""From so many strikes on, a claim has to ask for it."""

Key: TypeAlias = tuple[str, str, int]
Entry: TypeAlias = StepRecord | Wait | Item
"""What an owner records for good."""


@attrs.frozen(kw_only=True)
class Sight:
    """Everything that a backend shows of some workflows."""

    workflows: Mapping[str, WorkflowRecord] = attrs.field(factory=dict[str, WorkflowRecord])
    steps: Mapping[Key, StepRecord] = attrs.field(factory=dict[Key, StepRecord])
    waits: Mapping[Key, Wait] = attrs.field(factory=dict[Key, Wait])
    items: Mapping[Key, Item] = attrs.field(factory=dict[Key, Item])

    @classmethod
    def of(
        cls,
        workflows: Sequence[WorkflowRecord],
        histories: Sequence[History],
        items: Sequence[Item] = (),
    ) -> "Sight":
        """What was loaded, by key; nothing may be there twice."""
        steps = [step for history in histories for step in history.steps]
        waits = [wait for history in histories for wait in history.waits]
        sight = cls(
            workflows={one.id: one for one in workflows},
            steps={key_of(step): step for step in steps},
            waits={key_of(wait): wait for wait in waits},
            items={key_of(item): item for item in items},
        )
        assert len(sight.workflows) == len(workflows), "one row for each id"
        assert len(sight.steps) == len(steps), "one record for each (workflow, branch, number)"
        assert len(sight.waits) == len(waits), "one wait for each (workflow, branch, number)"
        assert len(sight.items) == len(items), "one item for each (workflow, stream, offset)"
        return sight


def key_of(each: Entry) -> Key:
    """Where a record stands."""
    if isinstance(each, Item):
        return (each.workflow_id, each.stream, each.offset)
    return (each.workflow_id, each.branch, each.seq)


def judge_span(before: Sight, after: Sight) -> None:
    """Any number of verbs were called in between: was that a legal change?"""
    assert before.workflows.keys() <= after.workflows.keys(), "no workflow disappears"
    for found in after.workflows.values():
        owned = found.owner is not None
        assert owned == (found.status is Status.RUNNING), "an owner if and only if it runs"
        ended = found.completed_at is not None
        assert ended == found.status.final, "a time of completion if and only if it has ended"
        if there := before.workflows.get(found.id):
            _judge_course(there, found)
    _judge_lasting(before.steps, after.steps, before)
    _judge_lasting(before.waits, after.waits, before)
    _judge_lasting(before.items, after.items, before)


def _judge_course(before: WorkflowRecord, after: WorkflowRecord) -> None:
    counted = attrs.evolve(before, wake=after.wake)
    assert counted == after or not before.status.final, "the end is the end"
    for name in _LASTING:
        assert getattr(after, name) == getattr(before, name), f"{name} is for good"
    assert before.started_at in (None, after.started_at), "the first start is for good"
    assert after.epoch >= before.epoch, "epochs never fall"
    assert after.wake >= before.wake, "what was counted never vanishes"
    asked = (before.cancel_requested_at, before.cancel_reason)
    now_asked = (after.cancel_requested_at, after.cancel_reason)
    assert asked in (now_asked, (None, None)), "the first request counts"
    assert after.recoveries >= before.recoveries, "recoveries never fall"
    assert after.strikes <= after.recoveries, "no strike without a recovery"


_LASTING = (
    "name",
    "queue",
    "priority",
    "input_json",
    "parent_id",
    "detached",
    "timeout",
    "code_version",
    "attributes",
    "created_at",
)


def _judge_lasting(before: Mapping[Key, Entry], after: Mapping[Key, Entry], world: Sight) -> None:
    for key, there in before.items():
        assert after.get(key) == there, "what was recorded never changes or disappears"
    for key in after.keys() - before.keys():
        found = world.workflows.get(key[0])
        assert after[key].epoch >= (found.epoch if found else 1), "an epoch that is over records"


def judge(before: Sight, after: Sight) -> None:
    """One verb was called in between, which may do less than many."""
    for found in after.workflows.values():
        if found.id in before.workflows:
            _judge_move(before.workflows[found.id], found)
        else:
            assert (found.status, found.epoch) in _BORN, "a new workflow waits to be claimed"
    _judge_records(before.steps, after.steps, before)
    _judge_records(before.waits, after.waits, before)
    _judge_records(before.items, after.items, before)


_BORN = {(Status.ENQUEUED, 0), (Status.DELAYED, 0)}


def _judge_move(before: WorkflowRecord, after: WorkflowRecord) -> None:
    if before.status is after.status:
        assert _heard(before, after) == after, "what does not move does not change"
        return
    assert after.status in MOVES[before.status], f"{before.status} never becomes {after.status}"
    raised = 1 if after.status is Status.RUNNING else 0
    assert after.epoch == before.epoch + raised, "one epoch more for each claim, and else none"
    recovered = after.recoveries - before.recoveries
    taken = before.status is Status.RUNNING and after.status in _RECOVERED
    assert recovered in ({0, 1} if taken else {0}), "one recovery for each death of an owner"
    assert after.strikes in _strikes(before, after, recovered=recovered), "strikes by the rules"


def _heard(before: WorkflowRecord, after: WorkflowRecord) -> WorkflowRecord:
    """The same, with what others may tell of: wake-ups and a request, which makes it due."""
    asked = after.cancel_requested_at != before.cancel_requested_at
    return attrs.evolve(
        before,
        wake=after.wake,
        cancel_requested_at=after.cancel_requested_at,
        cancel_reason=after.cancel_reason,
        run_at=after.run_at if asked else before.run_at,
    )


_RECOVERED = {Status.ENQUEUED, Status.DELAYED, Status.PARKED}


def _strikes(before: WorkflowRecord, after: WorkflowRecord, *, recovered: int) -> set[int]:
    """How many there may be after one move."""
    if recovered:
        return {1, before.strikes + 1}
    resumed = before.status is Status.PARKED
    return {0} if resumed and after.status is Status.ENQUEUED else {before.strikes}


def _judge_records(before: Mapping[Key, Entry], after: Mapping[Key, Entry], world: Sight) -> None:
    for key in after.keys() - before.keys():
        owned = world.workflows.get(key[0])
        assert owned, "only a workflow has records"
        assert owned.status is Status.RUNNING, "only what runs is recorded"
        assert after[key].epoch == owned.epoch, "an epoch that is over records nothing"


@attrs.define
class Handed:
    """Who was ever given which epoch of a workflow."""

    _given: dict[tuple[str, int], str] = attrs.field(factory=dict[tuple[str, int], str])

    _unheard: set[str] = attrs.field(factory=set[str])

    def note(self, worker_id: str, claimed: Sequence[Claimed] | None) -> None:
        """One more claim was answered; None: nobody heard the answer."""
        if claimed is None:
            self._unheard.add(worker_id)
        for one in claimed or ():
            key = (one.id, one.epoch)
            assert key not in self._given, "no (workflow, epoch) is handed out twice"
            self._given[key] = worker_id

    def to(self, worker_id: str) -> list[str]:
        """The workflows that a worker was ever told to be its own."""
        return sorted({key[0] for key, owner in self._given.items() if owner == worker_id})

    def judge(self, sight: Sight) -> None:
        """Whoever owns a workflow was told so by a claim, under this epoch."""
        for one in sight.workflows.values():
            if one.owner in self._unheard:
                self._given.setdefault((one.id, one.epoch), one.owner)
            if one.owner is not None:
                assert self._given.get((one.id, one.epoch)) == one.owner, "an owner was told"


def judge_idle(before: Sight, lanes: Sequence[Lane], *, suspects: bool) -> None:
    """A live worker was given nothing, though nobody else claims."""
    for one in before.workflows.values():
        asked = Lane(one.queue, one.name) in lanes and (one.strikes >= SUSPECT) == suspects
        due = one.status is Status.ENQUEUED
        assert not (asked and due), "an empty answer means that nothing was due"


def judge_settled(after: Sight, *, now: datetime) -> None:
    """Everything was done that a healthy worker does."""
    for one in after.workflows.values():
        timed = one.status in (Status.DELAYED, Status.WAITING)
        later = timed and one.run_at > now
        assert one.status.final or later, "everything ends once the faults stop"


def judge_author(worker_id: str, before: Sight, after: Sight) -> None:
    """A worker wrote in between: only what it owns has changed."""
    news = (
        *(after.steps.keys() - before.steps.keys()),
        *(after.waits.keys() - before.waits.keys()),
        *(after.items.keys() - before.items.keys()),
    )
    changed = {key[0] for key in news} | {
        key for key, one in after.workflows.items() if one != before.workflows.get(key)
    }
    for key in changed:
        assert before.workflows[key].owner == worker_id, "only the owner writes"


def judge_answers(batch: Batch, told: Committed, after: Sight) -> None:
    """Whether the answers to a batch are true."""
    for step, answer in zip(batch.steps, told.steps, strict=True):
        _judge_step(step, answer, after.steps.get(key_of(step)))
    for wait, answer in zip(batch.waits, told.waits, strict=True):
        there = key_of(wait) in after.waits
        assert there or not isinstance(answer, Recorded), "recorded means there"
    for to, moved in zip(batch.transitions, told.transitions, strict=True):
        if isinstance(moved, Status):
            found = after.workflows[to.workflow_id]
            assert (found.status, found.epoch) == (moved, to.epoch), "the status that it has"
            back = (to.status, moved) == (Status.WAITING, Status.ENQUEUED)
            assert back or moved is to.status, "the status that was asked for, or the queue"


def _judge_step(step: StepRecord, answer: StepAnswer, there: StepRecord | None) -> None:
    if isinstance(answer, Recorded):
        assert there is not None, "recorded means there"
        assert there.epoch == step.epoch, "recorded means under one's own epoch"
    elif isinstance(answer, AlreadyRecorded):
        assert answer.record == there, "what another epoch recorded"
        assert answer.record.epoch != step.epoch, "another epoch's record"
    else:
        assert there is None, "a step that is there is told"
