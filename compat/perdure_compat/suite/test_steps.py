"""Steps: recorded once, for good, and read back as they were written."""

from datetime import datetime, timedelta

import pytest

from perdure import backend as seam
from perdure.backend import NOT_YOURS, RECORDED, AlreadyRecorded, Backend, Batch, NotYours, Recorded
from perdure.errors import BackendRefused
from perdure.model import Status
from perdure_compat.promise import promise

from .races import dealt, together
from .records import (
    HIGHEST,
    MOMENTS,
    WHEN,
    claim,
    end,
    finish,
    join,
    kept,
    own,
    record,
    step,
    steps_of,
    wait,
    waits_of,
)
from .texts import JSON_TEXTS, MAY_REFUSE, TEXTS, labelled

TEXTS_RETURN = promise(seam, "Texts come back as they went in.")
FIRST_WINS = promise(Backend.commit, "The first record of a step wins for good.")
STEP_AGAIN = promise(
    Backend.commit,
    "a step that is there under the operation's epoch is `Recorded`, under another epoch "
    "`AlreadyRecorded`",
)
GUARDED = promise(
    Backend.commit,
    "an operation is written only if its workflow is running, owned by the worker, under "
    "the operation's epoch.",
)
NOT_THE_CALLER_S = promise(NotYours, "Nothing was written: the workflow is no longer the caller's.")
TWICE = promise(
    Backend.commit,
    "Where it has a step or a wait twice under one epoch, the first in its order is "
    "written, and both are `Recorded`.",
)
WAIT_AGAIN = promise(
    Backend.commit,
    "a wait that is there under that epoch or an earlier one is `Recorded`, and its first "
    "due time stays",
)


def _handed_over(backend: Backend) -> None:
    """Leave workflow w with b, at epoch 2, after a had it at epoch 1."""
    finish(backend, "a", end("w", Status.ENQUEUED))
    assert [one.epoch for one in claim(backend, "b")] == [2]


@promise(Recorded, "It is there, under the caller's epoch: written now or by an earlier try.")
@TEXTS_RETURN
def test_a_step_is_recorded_as_it_was_given(backend: Backend) -> None:
    join(backend, "a")
    own(backend, "a", "w")
    good = step("w", 1, attempts=3, kind="now", branch="2.1")
    bad = step(
        "w",
        2,
        status="error",
        output_json=None,
        error_json='{"type": "E"}',
        error_message="no",
    )
    answer = record(backend, "a", good, bad)
    assert (answer.fenced, list(answer.steps)) == (False, [RECORDED, RECORDED])
    assert steps_of(backend, "w") == [bad, good]


@FIRST_WINS
@promise(seam, "the primary key of a step decides who recorded it.")
def test_the_first_record_of_a_step_wins_for_good(backend: Backend) -> None:
    join(backend, "a")
    own(backend, "a", "w")
    first = step("w", output_json="1")
    record(backend, "a", first)
    second = step("w", output_json="2", name="other", attempts=9)
    assert list(record(backend, "a", second).steps) == [RECORDED]
    assert steps_of(backend, "w") == [first]


@STEP_AGAIN
@promise(AlreadyRecorded, "Another epoch recorded this step first; `record` is what counts.")
@FIRST_WINS
def test_a_step_of_an_earlier_owner_is_told_with_its_record(backend: Backend) -> None:
    join(backend, "a", "b")
    own(backend, "a", "w")
    first = step("w", output_json='{"by" : "a"}')
    record(backend, "a", first)
    _handed_over(backend)
    later = step("w", output_json='{"by" : "b"}', epoch=2)
    fresh = step("w", 2, epoch=2)
    answer = record(backend, "b", later, fresh)
    assert list(answer.steps) == [AlreadyRecorded(first), RECORDED]
    assert steps_of(backend, "w") == [first, fresh]


@promise(Backend.commit, "A repeat gives the same answers as the first time")
@STEP_AGAIN
def test_a_late_repeat_of_an_earlier_owner_is_still_recorded(backend: Backend) -> None:
    """It is there under the epoch that asks, whoever owns the workflow now."""
    join(backend, "a", "b")
    own(backend, "a", "w")
    first = step("w")
    record(backend, "a", first)
    _handed_over(backend)
    assert list(record(backend, "a", first).steps) == [RECORDED]
    assert steps_of(backend, "w") == [first]


@GUARDED
@NOT_THE_CALLER_S
@pytest.mark.parametrize("epoch", [0, 1, 3])
def test_a_step_of_another_epoch_is_not_recorded(backend: Backend, epoch: int) -> None:
    join(backend, "a")
    own(backend, "a", "w")
    finish(backend, "a", end("w", Status.ENQUEUED))
    claim(backend, "a")
    assert list(record(backend, "a", step("w", epoch=epoch)).steps) == [NOT_YOURS]
    assert steps_of(backend, "w") == []


@GUARDED
@NOT_THE_CALLER_S
def test_a_step_of_another_s_workflow_is_not_recorded(backend: Backend) -> None:
    join(backend, "a", "b")
    own(backend, "a", "w")
    assert list(record(backend, "b", step("w")).steps) == [NOT_YOURS]
    assert steps_of(backend, "w") == []


@GUARDED
@promise(
    seam,
    "**Guards, not timing.** Every write is conditional on the state it expects (owner, "
    "epoch, status)",
)
@pytest.mark.parametrize("status", [Status.SUCCESS, Status.PARKED, Status.ENQUEUED])
def test_a_step_of_what_no_longer_runs_is_not_recorded(backend: Backend, status: Status) -> None:
    join(backend, "a")
    own(backend, "a", "w")
    finish(backend, "a", end("w", status))
    assert list(record(backend, "a", step("w")).steps) == [NOT_YOURS]
    assert steps_of(backend, "w") == []


@TWICE
@FIRST_WINS
def test_of_a_step_twice_in_one_batch_the_first_is_written(backend: Backend) -> None:
    join(backend, "a")
    own(backend, "a", "w")
    twice = [step("w", seq, output_json=f"[{n}]") for seq in range(30, 0, -1) for n in range(3)]
    for _ in range(2):
        assert list(record(backend, "a", *twice).steps) == [RECORDED] * 90
    assert steps_of(backend, "w") == [step("w", seq, output_json="[0]") for seq in range(1, 31)]


@GUARDED
@STEP_AGAIN
@pytest.mark.parametrize("epochs", [(1, 2), (2, 1)])
def test_a_step_twice_under_two_epochs_is_answered_to_each(
    backend: Backend, epochs: tuple[int, int]
) -> None:
    """Only the epoch that the workflow has got can write it."""
    join(backend, "a")
    own(backend, "a", "w")
    finish(backend, "a", end("w", Status.ENQUEUED))
    claim(backend, "a")
    mine = step("w", epoch=2)
    answers = {1: AlreadyRecorded(mine), 2: RECORDED}
    for _ in range(2):
        told = record(backend, "a", *[step("w", epoch=epoch) for epoch in epochs]).steps
        assert list(told) == [answers[epoch] for epoch in epochs]
    assert steps_of(backend, "w") == [mine]


@MAY_REFUSE
def test_the_numbers_of_a_step_may_be_as_large_as_any(backend: Backend) -> None:
    join(backend, "a")
    own(backend, "a", "w")
    given = [step("w", seq, attempts=HIGHEST) for seq in (0, HIGHEST)]
    assert list(record(backend, "a", *given).steps) == [RECORDED] * 2
    assert steps_of(backend, "w") == given


@GUARDED
def test_a_step_of_an_unknown_workflow_is_not_recorded(backend: Backend) -> None:
    join(backend, "a")
    assert list(record(backend, "a", step("ghost")).steps) == [NOT_YOURS]
    assert steps_of(backend, "ghost") == []


@promise(Backend.history, "Steps and waits are ordered by (branch, seq), branches byte by byte.")
def test_steps_are_ordered_by_branch_then_number(backend: Backend) -> None:
    join(backend, "a")
    own(backend, "a", "w")
    order = [
        step("w", seq, branch=branch)
        for branch in ("", "1", "1.1", "10", "2", "2.1")
        for seq in (1, 2, 10, 300)
    ]
    record(backend, "a", *reversed(order))
    assert steps_of(backend, "w") == order


@TEXTS_RETURN
@pytest.mark.parametrize("text", labelled(TEXTS))
def test_texts_of_a_step_come_back_as_they_went_in(backend: Backend, text: str) -> None:
    join(backend, "a")
    own(backend, "a", "w")
    given = step("w", name=text, kind=text[:20], error_message=text)
    record(backend, "a", given)
    assert steps_of(backend, "w") == [given]


@TEXTS_RETURN
@pytest.mark.parametrize("text", labelled(JSON_TEXTS))
def test_outcomes_of_a_step_come_back_as_they_went_in(backend: Backend, text: str) -> None:
    join(backend, "a")
    own(backend, "a", "w")
    given = step("w", output_json=text, error_json=text)
    record(backend, "a", given)
    assert steps_of(backend, "w") == [given]


@TEXTS_RETURN
def test_no_outcome_is_not_the_same_as_null(backend: Backend) -> None:
    join(backend, "a")
    own(backend, "a", "w")
    given = [step("w", 1, output_json=None), step("w", 2, output_json="null")]
    record(backend, "a", *given)
    assert [one.output_json for one in steps_of(backend, "w")] == [None, "null"]


@promise(
    seam,
    "Times that come in and out are aware UTC with microseconds (milliseconds where the "
    "database has no more)",
)
@pytest.mark.parametrize("moment", MOMENTS, ids=str)
def test_times_come_back_in_utc_with_microseconds(backend: Backend, moment: datetime) -> None:
    """Or with the milliseconds below, where a database has no more."""
    join(backend, "a")
    own(backend, "a", "w")
    backend.commit(
        "a",
        Batch(
            steps=[step("w", started_at=moment, completed_at=moment)],
            waits=[wait("w", 2, due=moment)],
        ),
    )
    (found,) = steps_of(backend, "w")
    (reached,) = waits_of(backend, "w")
    for read in (found.started_at, found.completed_at, reached.due):
        assert read in kept(moment)
        assert read.utcoffset() == timedelta(0)


@FIRST_WINS
@promise(seam, "the primary key of a step decides who recorded it.")
def test_recorders_of_one_step_agree_on_what_was_recorded(backend: Backend, rival: Backend) -> None:
    join(backend, "a")
    own(backend, "a", "w")
    for seq in range(1, 11):
        given = [step("w", seq, output_json=f"[{n}]") for n in range(4)]
        answers = together(
            lambda hand: list(record(hand[0], "a", hand[1]).steps),
            dealt(given, backend, rival),
        )
        assert answers == [[RECORDED]] * 4
        assert steps_of(backend, "w")[-1] in given
    assert [one.seq for one in steps_of(rival, "w")] == list(range(1, 11))


@WAIT_AGAIN
def test_a_wait_is_kept_with_its_first_due_time(backend: Backend) -> None:
    join(backend, "a", "b")
    own(backend, "a", "w")
    first = wait("w", due=WHEN)
    late = wait("w", due=WHEN + timedelta(days=1))
    assert list(backend.commit("a", Batch(waits=[first])).waits) == [RECORDED]
    assert list(backend.commit("a", Batch(waits=[late])).waits) == [RECORDED]
    _handed_over(backend)
    later = wait("w", due=WHEN + timedelta(days=2), epoch=2)
    assert list(backend.commit("b", Batch(waits=[later])).waits) == [RECORDED]
    assert waits_of(backend, "w") == [first]


@TWICE
def test_of_a_wait_twice_in_one_batch_the_first_is_written(backend: Backend) -> None:
    join(backend, "a")
    own(backend, "a", "w")
    dues = [WHEN + timedelta(days=day) for day in (5, 1, 9)]
    twice = [wait("w", seq, due=due) for seq in range(30, 0, -1) for due in dues]
    for _ in range(2):
        assert list(backend.commit("a", Batch(waits=twice)).waits) == [RECORDED] * 90
    assert waits_of(backend, "w") == [wait("w", seq, due=dues[0]) for seq in range(1, 31)]


@GUARDED
@WAIT_AGAIN
@pytest.mark.parametrize("epochs", [(1, 2), (2, 1)])
def test_a_wait_twice_under_two_epochs_is_answered_to_each(
    backend: Backend, epochs: tuple[int, int]
) -> None:
    join(backend, "a")
    own(backend, "a", "w")
    finish(backend, "a", end("w", Status.ENQUEUED))
    claim(backend, "a")
    answers = {1: NOT_YOURS, 2: RECORDED}
    for _ in range(2):
        twice = [wait("w", epoch=epoch) for epoch in epochs]
        told = backend.commit("a", Batch(waits=twice)).waits
        assert list(told) == [answers[epoch] for epoch in epochs]
    assert waits_of(backend, "w") == [wait("w", epoch=2)]


@GUARDED
@NOT_THE_CALLER_S
def test_a_wait_of_what_is_not_one_s_own_is_not_recorded(backend: Backend) -> None:
    join(backend, "a", "b")
    own(backend, "a", "w")
    given = [wait("w"), wait("w", 2, epoch=2), wait("ghost")]
    assert list(backend.commit("b", Batch(waits=given)).waits) == [NOT_YOURS] * 3
    assert list(backend.commit("a", Batch(waits=given[1:])).waits) == [NOT_YOURS] * 2
    assert waits_of(backend, "w") == []


@promise(Backend.history, "Steps and waits are ordered by (branch, seq), branches byte by byte.")
def test_waits_are_ordered_by_branch_then_number(backend: Backend) -> None:
    join(backend, "a")
    own(backend, "a", "w")
    order = [wait("w", seq, branch=b) for b in ("", "10", "2") for seq in (2, 10)]
    backend.commit("a", Batch(waits=order[::-1]))
    assert waits_of(backend, "w") == order


@promise(Backend.commit, "the database will never take this batch; nothing of it was written")
@promise(Batch, "What one worker wants written, all of it or nothing.")
@MAY_REFUSE
@pytest.mark.parametrize("poison", ["\ud800", "nul\0byte"], ids=["surrogate", "nul"])
@pytest.mark.parametrize("field", ["name", "output_json", "error_message"])
def test_a_batch_with_a_step_that_is_refused_writes_nothing(
    backend: Backend, field: str, poison: str
) -> None:
    """A value is refused with all of its batch, or comes back as it went in."""
    join(backend, "a")
    own(backend, "a", "w", "v")
    bad = step("w", 2, **{field: poison})
    batch = Batch(steps=[step("w"), bad, step("w", 3)], transitions=[end("v")])
    try:
        backend.commit("a", batch)
    except BackendRefused:
        assert steps_of(backend, "w") == []
        assert list(record(backend, "a", step("w"), step("w", 3)).steps) == [RECORDED] * 2
        assert list(finish(backend, "a", end("v")).transitions) == [Status.SUCCESS]
    else:
        assert steps_of(backend, "w") == list(batch.steps)
