"""Submission: any number of submissions of an id start one workflow, as it was given."""

from datetime import datetime, timedelta

import pytest

from perdure import backend as seam
from perdure.backend import Backend, Capabilities, Existing, Query, Submission
from perdure.clock import LONGEST
from perdure.errors import BackendRefused
from perdure.model import Attributes, Status
from perdure_compat.promise import promise

from .races import dealt, together
from .records import (
    HIGHEST,
    LOWEST,
    MOMENTS,
    WHEN,
    end,
    finish,
    get,
    ids,
    job,
    join,
    kept,
    own,
    scrambled,
    submit,
)
from .texts import IDS, JSON_TEXTS, MAY_REFUSE, TEXTS, bulky, labelled

SOON = timedelta(seconds=10)

DUE = promise(Backend.submit, "Due in the future means `delayed`, else `enqueued`.")
UNTOUCHED = promise(
    Backend.submit,
    "An id that existed is left untouched and comes back as it is, ended or not; after a "
    "lost answer that includes the caller's own.",
)
WRITES = promise(Backend.submit, "Write workflows that are not there yet; name those that were.")
TEXTS_RETURN = promise(seam, "Texts come back as they went in.")
FRESH = promise(Submission, "A hint: what is there all the same is told as ever.")
BATCHES = promise(seam, "**Batch first.** Sequences come in any order; answers say which is which.")

SUPPOSED = pytest.mark.parametrize("fresh", [False, True], ids=["any", "fresh"])
"""Whether the submitter says that its ids are new."""


@promise(Backend.submit, "A new one belongs to nobody, at epoch 0.")
@DUE
def test_a_submission_is_enqueued_and_belongs_to_nobody(backend: Backend) -> None:
    submit(backend, "w")
    found = get(backend, "w")
    assert found.status is Status.ENQUEUED
    assert (found.owner, found.epoch, found.recoveries, found.strikes) == (
        None,
        0,
        0,
        0,
    )
    assert (found.output_json, found.error_json, found.error_message) == (
        None,
        None,
        None,
    )
    assert (found.parent_id, found.detached, found.wake) == (None, False, 0)
    assert (found.timeout, found.deadline) == (None, None)
    assert (found.cancel_requested_at, found.cancel_reason) == (None, None)
    assert (found.started_at, found.completed_at) == (None, None)
    assert (found.queue, found.priority, found.code_version) == ("default", 0, None)
    assert found.attributes == {}
    assert abs(found.run_at - found.created_at) < SOON


@UNTOUCHED
@FRESH
@promise(Existing, "A workflow that was there before the submission.")
@promise(seam, "**An expected refusal is a value.**")
@SUPPOSED
def test_an_id_that_existed_is_left_untouched_and_told(backend: Backend, *, fresh: bool) -> None:
    submit(backend, "w")
    before = get(backend, "w")
    other = job("w", name="other", input_json="[2]", priority=7, queue="q", fresh=fresh)
    assert list(backend.submit([other])) == [
        Existing(id="w", name="work", input_json='["w"]', parent_id=None)
    ]
    assert get(backend, "w") == before


@UNTOUCHED
@promise(seam, "after a lost answer the engine calls it again with the same arguments.")
@promise(
    Submission, "Its id was made for it, so that nothing is there yet unless an answer was lost."
)
@SUPPOSED
def test_a_repeat_after_a_lost_answer_tells_the_caller_s_own(
    backend: Backend, *, fresh: bool
) -> None:
    jobs = [job("a", fresh=fresh), job("b", fresh=fresh, input_json=' {"spaced" : 1} ')]
    assert list(backend.submit(jobs)) == []
    assert {one.id: one.input_json for one in backend.submit(jobs)} == {
        "a": '["a"]',
        "b": ' {"spaced" : 1} ',
    }


@UNTOUCHED
def test_a_workflow_that_has_ended_still_holds_its_id(backend: Backend) -> None:
    join(backend, "a")
    own(backend, "a", "w")
    finish(backend, "a", end("w"))
    assert [one.id for one in backend.submit([job("w")])] == ["w"]
    assert get(backend, "w").status is Status.SUCCESS


@promise(Submission, "The workflow that starts it")
@promise(Existing, "A workflow that was there before the submission.")
def test_a_child_is_told_with_its_parent(backend: Backend) -> None:
    """Of whoever submitted it first, whether that is there or not."""
    submit(backend, "w", parent_id="nobody", detached=True)
    found = get(backend, "w")
    assert (found.parent_id, found.detached) == ("nobody", True)
    told = backend.submit([job("w", parent_id="other")])
    assert [one.parent_id for one in told] == ["nobody"]
    assert get(backend, "w") == found


@WRITES
@FRESH
@SUPPOSED
def test_the_new_ones_among_the_old_are_written(backend: Backend, *, fresh: bool) -> None:
    submit(backend, "b", "d")
    batch = [job(one, input_json="[1]", fresh=fresh) for one in ("a", "b", "c", "d", "e")]
    assert sorted(one.id for one in backend.submit(batch)) == ["b", "d"]
    found = {one.id: one.input_json for one in backend.load(["a", "b", "c", "d", "e"])}
    assert found == {"a": "[1]", "b": '["b"]', "c": "[1]", "d": '["d"]', "e": "[1]"}


@promise(seam, "Nothing to do (an empty sequence or batch, a limit of 0) is no error.")
def test_nothing_to_submit_is_no_error(backend: Backend) -> None:
    assert list(backend.submit([])) == []


@promise(Backend.submit, "All or nothing.")
@promise(seam, "`BackendRefused` for a value or statement that the database will never accept.")
@MAY_REFUSE
@pytest.mark.parametrize("poison", ["\ud800", "nul\0byte"], ids=["surrogate", "nul"])
@pytest.mark.parametrize("field", ["id", "name", "input_json"])
def test_a_batch_that_is_refused_leaves_nothing(backend: Backend, field: str, poison: str) -> None:
    """A value is refused with all of its batch, or comes back as it went in."""
    bad = {"id": "bad", "name": "work", "input_json": "[]"} | {field: poison}
    try:
        backend.submit([job("good"), job(bad.pop("id"), **bad), job("well")])
    except BackendRefused:
        assert list(backend.load(["good", "well"])) == []
    else:
        assert len(backend.load(["good", "well"])) == 2
        found = get(backend, poison if field == "id" else "bad")
        assert poison in (found.id, found.name, found.input_json)


@DUE
@promise(seam, "**The database's clock** decides leases and due times.")
@promise(seam, "durations are `timedelta`, of a hundred years at most.")
@pytest.mark.parametrize("delay", [timedelta(hours=3), LONGEST], ids=str)
def test_a_delay_is_counted_from_the_database_s_now(backend: Backend, delay: timedelta) -> None:
    submit(backend, "w", delay=delay)
    found = get(backend, "w")
    assert found.status is Status.DELAYED
    assert abs(found.run_at - found.created_at - delay) < SOON


@DUE
def test_a_time_in_the_future_delays(backend: Backend) -> None:
    due = WHEN + timedelta(days=10_000)
    submit(backend, "w", run_at=due)
    assert (get(backend, "w").status, get(backend, "w").run_at) == (Status.DELAYED, due)


@DUE
def test_a_time_in_the_past_enqueues(backend: Backend) -> None:
    submit(backend, "w", run_at=WHEN)
    assert (get(backend, "w").status, get(backend, "w").run_at) == (
        Status.ENQUEUED,
        WHEN,
    )


@promise(
    seam,
    "Times that come in and out are aware UTC with microseconds (milliseconds where the "
    "database has no more)",
)
@pytest.mark.parametrize("moment", MOMENTS, ids=str)
def test_a_due_time_comes_back_in_utc_with_microseconds(backend: Backend, moment: datetime) -> None:
    """Or with the milliseconds below, where a database has no more."""
    submit(backend, "w", run_at=moment)
    read = get(backend, "w").run_at
    assert read in kept(moment)
    assert read.utcoffset() == timedelta(0)


@MAY_REFUSE
@pytest.mark.parametrize("priority", [LOWEST, -1, 0, HIGHEST])
def test_a_priority_comes_back_as_it_went_in(backend: Backend, priority: int) -> None:
    submit(backend, "w", priority=priority)
    assert get(backend, "w").priority == priority


@DUE
@pytest.mark.parametrize("delay", [timedelta(0), timedelta(seconds=-5), -LONGEST], ids=str)
def test_no_delay_enqueues(backend: Backend, delay: timedelta) -> None:
    submit(backend, "w", delay=delay)
    found = get(backend, "w")
    assert found.status is Status.ENQUEUED
    assert abs(found.run_at - found.created_at - delay) < SOON


@TEXTS_RETURN
@MAY_REFUSE
@pytest.mark.parametrize("text", labelled(IDS))
def test_ids_come_back_as_they_went_in(backend: Backend, text: str) -> None:
    submit(backend, text, name=text, queue=text)
    found = get(backend, text)
    assert (found.id, found.name, found.queue) == (text, text, text)
    assert [one.id for one in backend.submit([job(text)])] == [text]


@promise(seam, "Ids compare byte by byte.")
def test_ids_compare_byte_by_byte(backend: Backend) -> None:
    alike = ["a", "A", "a ", " a", "é", "e\u0301", "\u0131", "i", "ß", "ss"]
    submit(backend, *alike)
    assert sorted(ids(backend.load(alike))) == sorted(alike)


@TEXTS_RETURN
@pytest.mark.parametrize("text", labelled(JSON_TEXTS))
def test_an_input_comes_back_as_it_went_in(backend: Backend, text: str) -> None:
    submit(backend, "w", input_json=text)
    assert get(backend, "w").input_json == text
    assert [one.input_json for one in backend.submit([job("w")])] == [text]


@TEXTS_RETURN
@pytest.mark.parametrize("text", labelled(TEXTS))
def test_texts_come_back_as_they_went_in(backend: Backend, text: str) -> None:
    attributes: Attributes = {"text": text, f"k{text[:100]}": "v"}
    submit(backend, "w", code_version=text, attributes=attributes)
    found = get(backend, "w")
    assert found.code_version == text
    assert found.attributes == attributes


@promise(
    Query,
    '`attributes` asks for each given key to have the given value; 1, "1" and true are three.',
)
def test_attributes_keep_their_types(backend: Backend) -> None:
    attributes: Attributes = {
        "text": "1",
        "whole": 1,
        "large": 2**53 + 1,
        "broken": 1.0,
        "small": -0.1,
        "yes": True,
        "no": False,
        "none": "",
    }
    submit(backend, "w", attributes=attributes)
    found = get(backend, "w").attributes
    assert found == attributes
    assert {key: type(one) for key, one in found.items()} == {
        key: type(one) for key, one in attributes.items()
    }


@promise(Capabilities, "The most operations one call should carry.")
@WRITES
@BATCHES
def test_as_many_as_a_batch_may_carry_go_at_once(backend: Backend) -> None:
    many = [f"w{n}" for n in range(backend.capabilities.max_batch)]
    submit(backend, *scrambled(many))
    assert sorted(ids(backend.load(many))) == sorted(many)
    assert len(backend.submit([job(one) for one in many])) == len(many)


@promise(Capabilities, "The most characters of text one call should carry")
@WRITES
def test_a_submission_may_carry_as_much_text_as_the_backend_says(backend: Backend) -> None:
    text = bulky(backend.capabilities.max_text // 4)
    submit(backend, *"abcd", input_json=text)
    assert {one.input_json for one in backend.load("abcd")} == {text}


@promise(
    Capabilities,
    "The most characters of text one call should carry, unless one operation alone has more.",
)
@MAY_REFUSE
def test_one_of_more_text_than_that_comes_back_or_is_refused(backend: Backend) -> None:
    text = "x" * (5 * backend.capabilities.max_text)
    try:
        submit(backend, "w", input_json=f'"{text}"')
    except BackendRefused:
        assert list(backend.load(["w"])) == []
    else:
        assert get(backend, "w").input_json == f'"{text}"'
    submit(backend, "v")


@UNTOUCHED
@FRESH
@promise(seam, "**Thread-safe.** Every thread may call every verb")
@SUPPOSED
def test_submitters_of_one_id_agree_who_was_first(
    backend: Backend, rival: Backend, *, fresh: bool
) -> None:
    for turn in range(5):
        jobs = [job(f"w{turn}", input_json=f"[{n}]", fresh=fresh) for n in range(6)]
        answers = together(
            lambda hand: list(hand[0].submit([hand[1]])), dealt(jobs, backend, rival)
        )
        won = [j for j, told in zip(jobs, answers, strict=True) if not told]
        assert len(won) == 1
        assert {one.input_json for told in answers for one in told} == {won[0].input_json}
        assert get(backend, f"w{turn}").input_json == won[0].input_json


@BATCHES
@WRITES
@FRESH
@SUPPOSED
def test_overlapping_batches_in_any_order_write_each_id_once(
    backend: Backend, rival: Backend, *, fresh: bool
) -> None:
    every = [f"w{n}" for n in range(200)]
    orders = [every, every[::-1], scrambled(every), scrambled(every)[::-1]]
    told = together(
        lambda hand: len(hand[0].submit([job(one, fresh=fresh) for one in hand[1]])),
        dealt(orders, backend, rival),
    )
    assert sum(len(every) - existed for existed in told) == len(every)
    assert len(backend.load(every)) == len(every)
