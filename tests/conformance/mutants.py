"""Wrong backends, each of which breaks one promise, and the test of the suite that says so."""

from collections.abc import Collection, Sequence
from typing import Any

import attrs

from perdure.backend import NOT_YOURS, Backend, Batch, Committed, Existing, Submission
from perdure.errors import BackendUnavailable, OutcomeUnknown
from perdure_backends.sql import claims, steps, workers, workflows
from perdure_backends.sqlite import SqliteBackend

from .changes import does, says, under_its_own_scheme
from .forgetful import FORGETFUL
from .mutant import Mutant

_DEAD = " AND workers.dead_at IS NULL"


def _each_alone(right: Any, self: Backend, worker_id: str, batch: Batch) -> Committed:
    """Every operation is a transaction of its own."""
    told = [right(self, worker_id, Batch(steps=[one])) for one in batch.steps]
    told += [right(self, worker_id, Batch(waits=[one])) for one in batch.waits]
    told += [right(self, worker_id, Batch(transitions=[one])) for one in batch.transitions]
    told = told or [right(self, worker_id, batch)]
    return Committed(
        fenced=any(one.fenced for one in told),
        steps=[answer for one in told for answer in one.steps],
        waits=[answer for one in told for answer in one.waits],
        transitions=[answer for one in told for answer in one.transitions],
        wakeups=any(one.wakeups for one in told),
    )


def _last_first(right: Any, self: Backend, worker_id: str, batch: Batch) -> Committed:
    """Steps are written in the wrong order, so that the last of two wins."""
    told: Committed = right(self, worker_id, attrs.evolve(batch, steps=batch.steps[::-1]))
    return attrs.evolve(told, steps=told.steps[::-1])


def _again(right: Any, self: Backend, work: Any, **how: bool) -> Any:
    """After a lost answer everything is done once more."""
    return right(self, work, **(how | {"repeatable": True}))


def _nothing_happened(right: Any, self: Backend, *args: Any, **how: Any) -> Any:
    """No answer counts as no effect."""
    try:
        return right(self, *args, **how)
    except OutcomeUnknown as error:
        raise BackendUnavailable(error.where, error.reason) from error


def _says_nothing(right: Any, self: Backend, jobs: Sequence[Submission]) -> Sequence[Existing]:
    """What was there is nobody's business."""
    right(self, jobs)
    return []


def _never_releases(right: Any, self: Backend, worker_id: str, known: Collection[str]) -> list[str]:
    """A claim whose answer was lost stays lost."""
    del right, self, worker_id, known
    return []


def _beside(right: Any, self: Backend, connection: object, work: Any) -> Any:
    """SQLite has one writer at a time: the caller's own transaction must not be one."""
    del right, connection
    return work(self)


def _begins_nothing(right: Any, self: Backend, session: Any, driver: Any) -> None:
    del right, self, session, driver


def _forgets_its_own(right: Any, self: Backend, worker_id: str, batch: Batch) -> Committed:
    """A repeat is told that the workflow is no longer its own."""
    before = {
        one.id for one in self.load([to.workflow_id for to in batch.transitions]) if one.owner
    }
    told: Committed = right(self, worker_id, batch)
    moved = [
        answer if to.workflow_id in before else NOT_YOURS
        for to, answer in zip(batch.transitions, told.transitions, strict=True)
    ]
    return attrs.evolve(told, transitions=moved)


_FINISH_EPOCH = " AND workflows.epoch = CAST(:transition_epoch AS BIGINT)"
_FINISH_GUARD = (
    f"workflows.owner = CAST(:me AS TEXT){_FINISH_EPOCH} AND workflows.status = 'running'"
)
_NOTHING = " ON CONFLICT DO NOTHING"
_OVERWRITES_STEP = (
    " ON CONFLICT (workflow_id, branch, step_seq) DO UPDATE SET output = excluded.output"
)

_HARNESS = "perdure_backends.testing.harness:SqliteHarness"

MUTANTS = [
    Mutant(
        name="no-fence",
        wrong="a commit does not ask whether its worker lives",
        change=says(workers.fenced, _DEAD),
        noun="commit",
        caught_by="test_a_dead_worker_records_nothing",
    ),
    Mutant(
        name="no-epoch",
        wrong="a step is written under any epoch",
        change=says(steps.record, " AND workflows.epoch = CAST(:step_epoch AS BIGINT)"),
        noun="commit",
        caught_by="test_answers_stand_in_the_order_of_the_batch",
    ),
    Mutant(
        name="no-owner",
        wrong="a step is written by whoever knows the epoch",
        change=says(steps.record, "workflows.owner = CAST(:me AS TEXT) AND "),
        noun="commit",
        caught_by="test_answers_stand_in_the_order_of_the_batch",
    ),
    Mutant(
        name="finish-without-guard",
        wrong="a workflow that is no longer the writer's is ended all the same",
        change=says(claims.let_go, _FINISH_GUARD, "1"),
        noun="commit",
        caught_by="test_what_has_ended_never_changes",
    ),
    Mutant(
        name="success-without-guard",
        wrong="a workflow that is no longer the writer's succeeds all the same",
        change=says(claims.succeed, _FINISH_GUARD, "1"),
        noun="commit",
        caught_by="test_only_the_owner_moves_a_workflow",
    ),
    Mutant(
        name="success-without-epoch",
        wrong="a success is written under any epoch",
        change=says(claims.succeed, _FINISH_EPOCH),
        noun="commit",
        caught_by="test_an_old_epoch_moves_nothing_even_of_the_same_owner",
    ),
    Mutant(
        name="finish-without-epoch",
        wrong="an end is written under any epoch",
        change=says(claims.let_go, _FINISH_EPOCH),
        noun="commit",
        caught_by="test_an_old_epoch_moves_nothing_even_of_the_same_owner",
    ),
    Mutant(
        name="step-upsert",
        wrong="the last record of a step wins",
        change=says(steps.record, _NOTHING, _OVERWRITES_STEP),
        noun="steps",
        caught_by="test_the_first_record_of_a_step_wins_for_good",
    ),
    Mutant(
        name="last-of-batch-wins",
        wrong="of the same step twice in a batch the last wins",
        change=does("commit", _last_first),
        noun="steps",
        caught_by="test_of_a_step_twice_in_one_batch_the_first_is_written",
    ),
    Mutant(
        name="due-moves",
        wrong="a wait that is reached again gets a new due time",
        change=says(
            steps.wait,
            _NOTHING,
            " ON CONFLICT (workflow_id, branch, step_seq) DO UPDATE SET due = excluded.due",
        ),
        noun="steps",
        caught_by="test_a_wait_is_kept_with_its_first_due_time",
    ),
    Mutant(
        name="each-alone",
        wrong="the operations of a batch are transactions of their own",
        change=does("commit", _each_alone),
        noun="commit",
        caught_by="test_a_batch_with_a_transition_that_is_refused_writes_nothing",
    ),
    Mutant(
        name="forgets-its-own",
        wrong="a transition that is repeated is answered as if it had not taken effect",
        change=does("commit", _forgets_its_own),
        noun="commit",
        caught_by="test_a_repeated_transition_answers_as_the_first_time",
    ),
    Mutant(
        name="unfenced-claim",
        wrong="a dead worker may claim",
        change=says(claims.take_ids, _DEAD),
        noun="death",
        caught_by="test_a_zombie_changes_nothing",
    ),
    Mutant(
        name="claim-ignores-due",
        wrong="what is delayed is claimed before its time",
        change=says(
            claims.candidates,
            "status = 'enqueued' AND workflows.strikes < 2 AND workflows.run_at <=",
            "status IN ('enqueued', 'delayed') AND workflows.strikes < 2 AND '' <=",
        ),
        noun="claims",
        caught_by="test_what_is_due_in_the_future_is_not_handed_out",
    ),
    Mutant(
        name="claim-ignores-priority",
        wrong="a queue is served in the order of its due times alone",
        change=says(claims.candidates, "ORDER BY workflows.priority, ", "ORDER BY "),
        noun="claims",
        caught_by="test_claims_follow_priority_then_due_time_then_id_over_all_lanes",
    ),
    Mutant(
        name="claim-keeps-epoch",
        wrong="a claim does not begin a new epoch",
        change=says(claims.take_ids, "epoch=(workflows.epoch + 1), "),
        noun="claims",
        caught_by="test_each_claim_raises_the_epoch_by_one",
    ),
    Mutant(
        name="claim-takes-suspects",
        wrong="suspects are claimed with the others",
        change=says(claims.candidates, " AND workflows.strikes < 2"),
        noun="recovery",
        caught_by="test_from_two_strikes_on_each_one_doubles_the_delay",
    ),
    Mutant(
        name="time-cursor",
        wrong="a claim looks at nothing older than the newest that was ever claimed",
        change=says(
            claims.candidates,
            "workflows.status = 'enqueued'",
            "workflows.status = 'enqueued' AND workflows.created_at >="
            " (SELECT coalesce(max(w.created_at), '') FROM workflows AS w WHERE w.epoch > 0)",
        ),
        noun="histories",
        caught_by="test_random_histories_are_those_of_the_reference",
    ),
    Mutant(
        name="submit-overwrites",
        wrong="a second submission replaces the first",
        change=says(
            workflows.submit,
            _NOTHING,
            " ON CONFLICT (workflow_id) DO UPDATE SET input = excluded.input",
        ),
        noun="submission",
        caught_by="test_an_id_that_existed_is_left_untouched_and_told",
    ),
    Mutant(
        name="submit-hides-existing",
        wrong="who submits again is not told what was there",
        change=does("submit", _says_nothing),
        noun="submission",
        caught_by="test_a_repeat_after_a_lost_answer_tells_the_caller_s_own",
    ),
    Mutant(
        name="reap-ignores-lease",
        wrong="a worker is declared dead before its lease is over",
        change=says(workers.declare, "workers.lease_until <", "'' <"),
        noun="death",
        caught_by="test_a_worker_with_a_valid_lease_lives",
    ),
    Mutant(
        name="reap-ignores-margin",
        wrong="a worker is declared dead as soon as its lease is over",
        change=says(workers.declare, "-CAST(:margin AS DOUBLE)", "0 * CAST(:margin AS DOUBLE)"),
        noun="death",
        caught_by="test_a_lease_counts_as_over_only_after_the_margin",
    ),
    Mutant(
        name="reap-ignores-beat",
        wrong="a heartbeat that the witness has not seen does not count",
        change=says(workers.declare, " AND workers.beat = seen.beat"),
        noun="death",
        caught_by="test_a_heartbeat_after_the_witness_looked_spares",
    ),
    Mutant(
        name="reap-forgets-an-owner",
        wrong="an old dead worker is deleted though it owns something",
        change=says(
            workers.forget,
            " AND NOT (EXISTS (SELECT workflows.workflow_id \nFROM workflows \n"
            "WHERE workflows.owner = workers.worker_id AND workflows.status = 'running'))",
        ),
        noun="death",
        caught_by="test_the_dead_are_remembered_as_long_as_they_own_something",
    ),
    Mutant(
        name="no-strikes",
        wrong="deaths without progress are not counted",
        change=says(claims.recover, "ELSE workflows.strikes + 1 END", "ELSE workflows.strikes END"),
        noun="recovery",
        caught_by="test_too_many_strikes_park_and_say_so",
    ),
    Mutant(
        name="progress-does-not-count",
        wrong="a workflow with progress is counted like one without",
        change=says(
            claims.recover,
            "IS NOT NULL) THEN 1 ELSE",
            "IS NOT NULL) THEN workflows.strikes + 1 ELSE",
        ),
        noun="recovery",
        caught_by="test_progress_starts_the_count_of_strikes_again",
    ),
    Mutant(
        name="backoff-is-constant",
        wrong="a suspect always waits the same time",
        change=says(claims.recover, "ELSE orphan.strikes - 2 END", "ELSE 0 END"),
        noun="recovery",
        caught_by="test_from_two_strikes_on_each_one_doubles_the_delay",
    ),
    Mutant(
        name="never-reconciles",
        wrong="a claim whose answer was lost stays lost",
        change=does("reconcile", _never_releases),
        noun="recovery",
        caught_by="test_reconcile_releases_exactly_what_is_not_known",
    ),
    Mutant(
        name="reconcile-takes-all",
        wrong="what a worker says that it knows is released too",
        change=says(claims.reconcile, "AND (workflows.workflow_id NOT IN", "AND ('' NOT IN"),
        noun="recovery",
        caught_by="test_reconcile_releases_exactly_what_is_not_known",
    ),
    Mutant(
        name="heartbeat-revives",
        wrong="a heartbeat brings a dead worker back",
        change=says(
            workers.renew,
            "beat=(workers.beat + 1) WHERE workers.worker_id = CAST(:me AS TEXT)" + _DEAD,
            "beat=(workers.beat + 1), dead_at=NULL WHERE workers.worker_id = CAST(:me AS TEXT)",
        ),
        noun="death",
        caught_by="test_a_zombie_changes_nothing",
    ),
    Mutant(
        name="join-revives",
        wrong="who joins again under a dead id lives",
        change=says(
            workers.arrive,
            "known = excluded.known WHERE workers.dead_at IS NULL",
            "known = excluded.known, dead_at = NULL",
        ),
        noun="workers",
        caught_by="test_dead_ids_never_come_back",
    ),
    Mutant(
        name="wake-forgets-sleepers",
        wrong="what waits is not woken, only what is delayed",
        change=says(workflows.wake, "IN ('delayed', 'waiting')", "IN ('delayed')"),
        noun="timers",
        caught_by="test_what_is_suspended_belongs_to_nobody_until_it_is_due",
    ),
    Mutant(
        name="wake-ignores-due",
        wrong="what waits is woken before its time",
        change=says(workflows.wake, "AND workflows.run_at <=", "AND '' <="),
        noun="timers",
        caught_by="test_nothing_is_woken_before_its_time",
    ),
    Mutant(
        name="resume-any-epoch",
        wrong="a resume that is late brings back what was parked again since",
        change=says(workflows.resume, " AND workflows.epoch = CAST(:epoch AS BIGINT)"),
        noun="queries",
        caught_by="test_a_repeated_resume_changes_nothing",
    ),
    Mutant(
        name="resume-anything",
        wrong="a resume restarts what is not parked",
        change=says(workflows.resume, " AND workflows.status = 'parked'"),
        noun="commit",
        caught_by="test_what_has_ended_never_changes",
    ),
    Mutant(
        name="repeats-a-claim",
        wrong="a claim whose answer was lost is made again",
        change=does("_write", _again),
        noun="faults",
        caught_by="test_a_verb_keeps_its_promise_whatever_fails_in_it[claim]",
    ),
    Mutant(
        name="unknown-is-failure",
        wrong="a commit without an answer is taken for one that failed",
        change=does("claim", _nothing_happened),
        noun="faults",
        caught_by="test_a_verb_keeps_its_promise_whatever_fails_in_it[claim]",
    ),
    Mutant(
        name="parked-is-not-ended",
        wrong="who waits for an end never hears of a parking",
        change=says(workflows.load, ", 'cancelled', 'parked')", ", 'cancelled')"),
        noun="queries",
        caught_by="test_load_may_leave_out_what_has_not_ended",
    ),
    Mutant(
        name="guest-of-its-own",
        wrong="what belongs to a caller's transaction is written beside it",
        change=does("within", _beside),
        noun="guests",
        caught_by="test_nothing_is_left_of_a_transaction_that_is_rolled_back",
    ),
    Mutant(
        name="guest-begins-nothing",
        wrong="a statement that the driver does not know for a write is committed at once",
        change=does("_begin_for", _begins_nothing),
        noun="guests",
        caught_by="test_nothing_is_left_of_a_transaction_that_is_rolled_back",
    ),
    *FORGETFUL,
]


def __getattr__(name: str) -> type[Backend]:
    """The class of a mutant, as its entry point names it."""
    for mutant in MUTANTS:
        if mutant.attribute == name:
            return under_its_own_scheme(mutant.change(SqliteBackend))
    raise AttributeError(name)


def entry_points() -> str:
    """What a package with all of them would offer."""
    lines = [
        "[perdure.backends]",
        *(f"{one.scheme} = conformance.mutants:{one.attribute}" for one in MUTANTS),
        "[perdure.compat.harness]",
        *(f"{one.scheme} = {_HARNESS}" for one in MUTANTS),
    ]
    return "\n".join(lines)
