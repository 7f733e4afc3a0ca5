"""What must hold whatever happens: the invariants, judged by what a backend shows."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import attrs

from perdure.backend import AlreadyRecorded, Batch, Claimed, Committed, Recorded, StepAnswer
from perdure.model import History, Status, StepRecord, Wait, WorkflowRecord

MOVES: Mapping[Status, set[Status]] = {
    Status.DELAYED: {Status.ENQUEUED},
    Status.ENQUEUED: {Status.RUNNING},
    Status.RUNNING: {
        Status.SUCCESS,
        Status.ERROR,
        Status.PARKED,
        Status.ENQUEUED,
        Status.WAITING,
        Status.DELAYED,
    },
    Status.WAITING: {Status.ENQUEUED},
    Status.PARKED: {Status.ENQUEUED},
    Status.SUCCESS: set(),
    Status.ERROR: set(),
    Status.CANCELLED: set(),
}
"""Where a workflow can be one verb later, if it is elsewhere."""

Key: TypeAlias = tuple[str, str, int]


@attrs.frozen(kw_only=True)
class Sight:
    """Everything that a backend shows of some workflows."""

    workflows: Mapping[str, WorkflowRecord] = attrs.field(factory=dict[str, WorkflowRecord])
    steps: Mapping[Key, StepRecord] = attrs.field(factory=dict[Key, StepRecord])
    waits: Mapping[Key, Wait] = attrs.field(factory=dict[Key, Wait])

    @classmethod
    def of(cls, workflows: Sequence[WorkflowRecord], histories: Sequence[History]) -> "Sight":
        """What was loaded, by key; nothing may be there twice."""
        steps = [step for history in histories for step in history.steps]
        waits = [wait for history in histories for wait in history.waits]
        sight = cls(
            workflows={one.id: one for one in workflows},
            steps={key_of(step): step for step in steps},
            waits={key_of(wait): wait for wait in waits},
        )
        assert len(sight.workflows) == len(workflows), "one row for each id"
        assert len(sight.steps) == len(steps), "one record for each (workflow, branch, number)"
        assert len(sight.waits) == len(waits), "one wait for each (workflow, branch, number)"
        return sight


def key_of(each: StepRecord | Wait) -> Key:
    """Where a record stands."""
    return (each.workflow_id, each.branch, each.seq)


def judge(before: Sight, after: Sight) -> None:
    """One verb was called in between: was that a legal change?"""
    assert before.workflows.keys() <= after.workflows.keys(), "no workflow disappears"
    for found in after.workflows.values():
        owned = found.owner is not None
        assert owned == (found.status is Status.RUNNING), "an owner if and only if it runs"
        if found.id in before.workflows:
            _judge_move(before.workflows[found.id], found)
        else:
            assert (found.status, found.epoch) in _BORN, "a new workflow waits to be claimed"
    _judge_records(before.steps, after.steps, before)
    _judge_records(before.waits, after.waits, before)


_BORN = {(Status.ENQUEUED, 0), (Status.DELAYED, 0)}


def _judge_move(before: WorkflowRecord, after: WorkflowRecord) -> None:
    if before.status is after.status:
        assert before == after, "what does not move does not change"
        return
    assert after.status in MOVES[before.status], f"{before.status} never becomes {after.status}"
    raised = 1 if after.status is Status.RUNNING else 0
    assert after.epoch == before.epoch + raised, "one epoch more for each claim, and else none"


def _judge_records(
    before: Mapping[Key, StepRecord | Wait], after: Mapping[Key, StepRecord | Wait], world: Sight
) -> None:
    for key, there in before.items():
        assert after.get(key) == there, "what was recorded never changes or disappears"
    for key in after.keys() - before.keys():
        owned = world.workflows.get(key[0])
        assert owned, "only a workflow has records"
        assert owned.status is Status.RUNNING, "only what runs is recorded"
        assert after[key].epoch == owned.epoch, "an epoch that is over records nothing"


@attrs.define
class Handed:
    """Who was ever given which epoch of a workflow."""

    _given: dict[tuple[str, int], str] = attrs.field(factory=dict[tuple[str, int], str])

    def note(self, worker_id: str, claimed: Sequence[Claimed]) -> None:
        """One more claim was answered."""
        for one in claimed:
            key = (one.id, one.epoch)
            assert key not in self._given, "no (workflow, epoch) is handed out twice"
            self._given[key] = worker_id

    def judge(self, sight: Sight) -> None:
        """Whoever owns a workflow was told so by a claim, under this epoch."""
        for one in sight.workflows.values():
            if one.owner is not None:
                assert self._given.get((one.id, one.epoch)) == one.owner, "an owner was told"


def judge_author(worker_id: str, before: Sight, after: Sight) -> None:
    """A worker wrote in between: only what it owns has changed."""
    news = (after.steps.keys() - before.steps.keys()) | (after.waits.keys() - before.waits.keys())
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
            assert (found.status, found.epoch) == (to.status, to.epoch), "the status that it has"


def _judge_step(step: StepRecord, answer: StepAnswer, there: StepRecord | None) -> None:
    if isinstance(answer, Recorded):
        assert there is not None, "recorded means there"
        assert there.epoch == step.epoch, "recorded means under one's own epoch"
    elif isinstance(answer, AlreadyRecorded):
        assert answer.record == there, "what another epoch recorded"
        assert answer.record.epoch != step.epoch, "another epoch's record"
    else:
        assert there is None, "a step that is there is told"
