"""Steps: recorded once, for good, and read back as they were written."""

from datetime import UTC, datetime, timedelta

import pytest

from perdure.backend import NOT_YOURS, RECORDED, AlreadyRecorded, Backend, Batch
from perdure.errors import BackendRefused
from perdure.model import Status

from .races import dealt, together
from .records import (
    WHEN,
    claim,
    end,
    finish,
    join,
    own,
    record,
    step,
    steps_of,
    wait,
    waits_of,
)
from .texts import JSON_TEXTS, TEXTS, labelled


def _handed_over(backend: Backend) -> None:
    """Leave workflow w with b, at epoch 2, after a had it at epoch 1."""
    finish(backend, "a", end("w", Status.ENQUEUED))
    assert [one.epoch for one in claim(backend, "b")] == [2]


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


def test_the_first_record_of_a_step_wins_for_good(backend: Backend) -> None:
    join(backend, "a")
    own(backend, "a", "w")
    first = step("w", output_json="1")
    record(backend, "a", first)
    second = step("w", output_json="2", name="other", attempts=9)
    assert list(record(backend, "a", second).steps) == [RECORDED]
    assert steps_of(backend, "w") == [first]


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


def test_a_late_repeat_of_an_earlier_owner_is_still_recorded(backend: Backend) -> None:
    """It is there under the epoch that asks, whoever owns the workflow now."""
    join(backend, "a", "b")
    own(backend, "a", "w")
    first = step("w")
    record(backend, "a", first)
    _handed_over(backend)
    assert list(record(backend, "a", first).steps) == [RECORDED]
    assert steps_of(backend, "w") == [first]


@pytest.mark.parametrize("epoch", [0, 1, 3])
def test_a_step_of_another_epoch_is_not_recorded(backend: Backend, epoch: int) -> None:
    join(backend, "a")
    own(backend, "a", "w")
    finish(backend, "a", end("w", Status.ENQUEUED))
    claim(backend, "a")
    assert list(record(backend, "a", step("w", epoch=epoch)).steps) == [NOT_YOURS]
    assert steps_of(backend, "w") == []


def test_a_step_of_another_s_workflow_is_not_recorded(backend: Backend) -> None:
    join(backend, "a", "b")
    own(backend, "a", "w")
    assert list(record(backend, "b", step("w")).steps) == [NOT_YOURS]
    assert steps_of(backend, "w") == []


@pytest.mark.parametrize("status", [Status.SUCCESS, Status.PARKED, Status.ENQUEUED])
def test_a_step_of_what_no_longer_runs_is_not_recorded(backend: Backend, status: Status) -> None:
    join(backend, "a")
    own(backend, "a", "w")
    finish(backend, "a", end("w", status))
    assert list(record(backend, "a", step("w")).steps) == [NOT_YOURS]
    assert steps_of(backend, "w") == []


def test_a_step_of_an_unknown_workflow_is_not_recorded(backend: Backend) -> None:
    join(backend, "a")
    assert list(record(backend, "a", step("ghost")).steps) == [NOT_YOURS]
    assert steps_of(backend, "ghost") == []


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


@pytest.mark.parametrize("text", labelled(TEXTS))
def test_texts_of_a_step_come_back_as_they_went_in(backend: Backend, text: str) -> None:
    join(backend, "a")
    own(backend, "a", "w")
    given = step("w", name=text, kind=text[:20], error_message=text)
    record(backend, "a", given)
    assert steps_of(backend, "w") == [given]


@pytest.mark.parametrize("text", labelled(JSON_TEXTS))
def test_outcomes_of_a_step_come_back_as_they_went_in(backend: Backend, text: str) -> None:
    join(backend, "a")
    own(backend, "a", "w")
    given = step("w", output_json=text, error_json=text)
    record(backend, "a", given)
    assert steps_of(backend, "w") == [given]


def test_no_outcome_is_not_the_same_as_null(backend: Backend) -> None:
    join(backend, "a")
    own(backend, "a", "w")
    given = [step("w", 1, output_json=None), step("w", 2, output_json="null")]
    record(backend, "a", *given)
    assert [one.output_json for one in steps_of(backend, "w")] == [None, "null"]


@pytest.mark.parametrize(
    "moment",
    [
        datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
        datetime(2026, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
        datetime(1969, 7, 20, 20, 17, 40, 1, tzinfo=UTC),
        datetime(2999, 1, 1, tzinfo=UTC),
    ],
    ids=str,
)
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
    coarse = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    for read in (found.started_at, found.completed_at, reached.due):
        assert read in (moment, coarse)
        assert read.utcoffset() == timedelta(0)


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


def test_a_wait_of_what_is_not_one_s_own_is_not_recorded(backend: Backend) -> None:
    join(backend, "a", "b")
    own(backend, "a", "w")
    given = [wait("w"), wait("w", 2, epoch=2), wait("ghost")]
    assert list(backend.commit("b", Batch(waits=given)).waits) == [NOT_YOURS] * 3
    assert list(backend.commit("a", Batch(waits=given[1:])).waits) == [NOT_YOURS] * 2
    assert waits_of(backend, "w") == []


def test_waits_are_ordered_by_branch_then_number(backend: Backend) -> None:
    join(backend, "a")
    own(backend, "a", "w")
    order = [wait("w", seq, branch=b) for b in ("", "10", "2") for seq in (2, 10)]
    backend.commit("a", Batch(waits=order[::-1]))
    assert waits_of(backend, "w") == order


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
