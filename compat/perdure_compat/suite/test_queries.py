"""Queries: loading, finding, reading histories, and bringing the parked back."""

from datetime import timedelta
from typing import Any

import pytest

from perdure import backend as seam
from perdure.backend import Backend, Batch, Query, Recovery
from perdure.model import Attributes, Status, WorkflowRecord
from perdure_compat.promise import promise

from .races import together, until
from .records import (
    AT_ONCE,
    claim,
    end,
    finish,
    get,
    ids,
    job,
    join,
    own,
    record,
    step,
    submit,
    wait,
)

LOADS = promise(
    Backend.load, "The workflows with these ids, in any order; unknown ids are left out."
)
NOTHING_TO_DO = promise(
    seam, "Nothing to do (an empty sequence or batch, a limit of 0) is no error."
)
ASKS = promise(Query, "Which workflows to find; None asks nothing of that column.")
ATTRIBUTES = promise(
    Query,
    '`attributes` asks for each given key to have the given value; 1, "1" and true are three.',
)
RESUMES = promise(
    Backend.resume, "Put a parked workflow that is still at `epoch` back into the queue."
)


def found(backend: Backend, query: Query) -> list[str]:
    """The ids of a page, sorted."""
    return sorted(ids(backend.find(query)))


def _one_of_each(backend: Backend) -> dict[str, Status]:
    """A workflow in each state that a workflow can be in, by its id."""
    join(backend, "a")
    own(backend, "a", "success", "error", "parked", "running")
    finish(backend, "a", end("success"), end("error", Status.ERROR))
    finish(backend, "a", end("parked", Status.PARKED))
    submit(backend, "enqueued")
    submit(backend, "delayed", delay=timedelta(hours=1))
    names = ["success", "error", "parked", "running", "enqueued", "delayed"]
    return {name: Status(name) for name in names}


@LOADS
@NOTHING_TO_DO
def test_load_leaves_out_what_is_unknown(backend: Backend) -> None:
    submit(backend, "v", "w")
    assert sorted(ids(backend.load(["w", "ghost", "v", "V"]))) == ["v", "w"]
    assert list(backend.load([])) == []
    assert list(backend.load(["ghost"])) == []


@LOADS
def test_load_tells_the_status_of_each(backend: Backend) -> None:
    every = _one_of_each(backend)
    assert {one.id: one.status for one in backend.load(list(every))} == every


@promise(Backend.load, "`only_ended` leaves out what is neither final nor parked.")
def test_load_may_leave_out_what_has_not_ended(backend: Backend) -> None:
    every = _one_of_each(backend)
    ended = backend.load(list(every), only_ended=True)
    assert sorted(ids(ended)) == ["error", "parked", "success"]


@LOADS
def test_load_may_ask_for_many(backend: Backend) -> None:
    every = [f"it's {n}" for n in range(1000)]
    submit(backend, *every)
    assert sorted(ids(backend.load(set(every)))) == sorted(every)


@ASKS
def test_find_without_a_question_finds_all(backend: Backend) -> None:
    every = _one_of_each(backend)
    assert found(backend, Query()) == sorted(every)


@ASKS
def test_find_by_status(backend: Backend) -> None:
    every = _one_of_each(backend)
    for one, status in every.items():
        assert found(backend, Query(statuses=[status])) == [one]
    two = {Status.DELAYED, Status.ERROR}
    assert found(backend, Query(statuses=two)) == ["delayed", "error"]
    assert found(backend, Query(statuses=[])) == []
    assert found(backend, Query(statuses=[Status.WAITING])) == []


@ASKS
def test_find_by_name_and_queue(backend: Backend) -> None:
    pairs = [(n, q) for n in ("n", "N", "n%") for q in ("q", "Q", "_")]
    backend.submit([job(f"{n}{q}", name=n, queue=q) for n, q in pairs])
    assert found(backend, Query(name="n")) == ["nQ", "n_", "nq"]
    assert found(backend, Query(queue="_")) == ["N_", "n%_", "n_"]
    assert found(backend, Query(name="n", queue="q")) == ["nq"]
    assert found(backend, Query(name="n", queue="q", statuses=[Status.RUNNING])) == []


@ASKS
def test_find_by_parent(backend: Backend) -> None:
    submit(backend, "w")
    submit(backend, "c", "d", parent_id="w")
    submit(backend, "e", parent_id="W")
    assert found(backend, Query(parent_id="w")) == ["c", "d"]
    assert found(backend, Query(parent_id="w", name="other")) == []
    assert found(backend, Query(parent_id="c")) == []


ODD_KEYS = ["a.b", 'a"b', "$", "[0]", "a'b", "%", "", "日本", "{a,b}", "a\\b", "NULL"]


@ATTRIBUTES
@pytest.mark.parametrize("key", ODD_KEYS)
def test_find_by_an_attribute_of_any_name(backend: Backend, key: str) -> None:
    submit(backend, "yes", attributes={key: "v", "other": "x"})
    submit(backend, "other value", attributes={key: "V"})
    submit(backend, "other key", attributes={"k": "v", "v": key})
    submit(backend, "without")
    assert found(backend, Query(attributes={key: "v"})) == ["yes"]


@ATTRIBUTES
@pytest.mark.parametrize("value", ["1", 1, 1.5, True, False, "", "%", "true", "é'\"\\"])
def test_find_by_an_attribute_of_any_type(backend: Backend, value: Any) -> None:
    """The value is the same only if its type is: 1, "1" and true are three."""
    others = ["1", 1, 1.5, True, False, "", "%", "true", "é'\"\\", 0, "0", "false"]
    backend.submit([job(repr(one), attributes={"k": one}) for one in others])
    assert found(backend, Query(attributes={"k": value})) == [repr(value)]


@ATTRIBUTES
def test_find_asks_for_all_attributes_at_once(backend: Backend) -> None:
    given: list[Attributes] = [{"a": 1, "b": "x"}, {"a": 1}, {"b": "x"}, {}]
    backend.submit([job(f"w{n}", attributes=one) for n, one in enumerate(given)])
    assert found(backend, Query(attributes={"a": 1, "b": "x"})) == ["w0"]
    assert found(backend, Query(attributes={"a": 1})) == ["w0", "w1"]
    assert found(backend, Query(attributes={})) == ["w0", "w1", "w2", "w3"]


def _pages(backend: Backend, limit: int) -> list[list[WorkflowRecord]]:
    pages: list[list[WorkflowRecord]] = []
    after = None
    while page := list(backend.find(Query(name="work", limit=limit, after=after))):
        pages.append(page)
        after = (page[-1].created_at, page[-1].id)
    return pages


@promise(
    Backend.find, "A page of workflows, newest first: ordered by (created_at, id), descending."
)
@promise(Query, "`after` is the (created_at, id) of the last record of the page before.")
def test_pages_follow_each_other_newest_first(backend: Backend) -> None:
    """Workflows of one submission may share their time; then the id decides."""
    join(backend, "clock")
    for batch in range(4):
        submit(backend, *[f"{name}{batch}" for name in ("B", "a", "é", "日", "b")])
        submit(backend, f"noise{batch}", name="other")
        _a_moment_later(backend, f"noise{batch}")
    pages = _pages(backend, 3)
    assert [len(page) for page in pages] == [3] * 6 + [2]
    every = [one for page in pages for one in page]
    order = sorted(every, key=lambda one: (one.created_at, one.id.encode()), reverse=True)
    assert ids(every) == ids(order)
    assert len(set(ids(every))) == 20
    assert [int(one.id[-1]) for one in every] == sorted([0, 1, 2, 3] * 5, reverse=True)


def _a_moment_later(backend: Backend, workflow_id: str) -> None:
    """Wait until the database's clock is past the time of a workflow."""
    created = get(backend, workflow_id).created_at

    def past() -> bool:
        pulse = backend.heartbeat("clock", lease=timedelta(hours=1))
        return pulse is not None and pulse.now > created + timedelta(milliseconds=1)

    until(past)


@NOTHING_TO_DO
@promise(Backend.find, "Never longer than the query's limit.")
def test_a_page_without_room_is_empty(backend: Backend) -> None:
    submit(backend, "w")
    assert list(backend.find(Query(limit=0))) == []


@promise(Backend.find, "Never longer than the query's limit.")
def test_a_page_is_no_longer_than_its_limit(backend: Backend) -> None:
    submit(backend, *[f"w{n}" for n in range(120)])
    assert len(backend.find(Query())) == 100
    assert len(backend.find(Query(limit=7))) == 7


@promise(
    Backend.history,
    "What is recorded of these workflows; one without any record may be left out. So may "
    "an unknown id.",
)
@NOTHING_TO_DO
def test_histories_of_many_come_in_one_call(backend: Backend) -> None:
    join(backend, "a")
    own(backend, "a", "v", "w", "empty", "unasked")
    record(backend, "a", step("v"), step("w", 2), step("w", 1), step("unasked"))
    backend.commit("a", Batch(waits=[wait("w", 3)]))
    told = {one.workflow_id: one for one in backend.history(["w", "v", "empty", "ghost"])}
    assert set(told) - {"empty", "ghost"} == {"v", "w"}
    assert (list(told["v"].steps), list(told["v"].waits)) == ([step("v")], [])
    assert list(told["w"].steps) == [step("w", 1), step("w", 2)]
    assert list(told["w"].waits) == [wait("w", 3)]
    for one in set(told) - {"v", "w"}:
        assert (list(told[one].steps), list(told[one].waits)) == ([], [])
    assert list(backend.history([])) == []


def _park(backend: Backend) -> None:
    own(backend, "a", "w")
    why = end("w", Status.PARKED, error_json="{}", error_message="the code changed")
    finish(backend, "a", why)


@RESUMES
@promise(Backend.resume, "its error is cleared.")
def test_resume_puts_a_parked_workflow_back_into_the_queue(backend: Backend) -> None:
    join(backend, "a")
    _park(backend)
    assert backend.resume("w", epoch=1) is Status.ENQUEUED
    back = get(backend, "w")
    assert (back.status, back.owner, back.epoch) == (Status.ENQUEUED, None, 1)
    assert (back.error_json, back.error_message, back.completed_at) == (
        None,
        None,
        None,
    )
    assert [(one.id, one.epoch) for one in claim(backend, "a")] == [("w", 2)]


@promise(
    Backend.resume,
    "Answers with the status after the call, None for an unknown id; a repeat changes nothing",
)
@RESUMES
def test_a_repeated_resume_changes_nothing(backend: Backend) -> None:
    join(backend, "a")
    _park(backend)
    backend.resume("w", epoch=1)
    before = get(backend, "w")
    assert backend.resume("w", epoch=1) is Status.ENQUEUED
    assert get(backend, "w") == before
    claim(backend, "a")
    assert backend.resume("w", epoch=1) is Status.RUNNING
    finish(backend, "a", end("w", Status.PARKED, epoch=2, error_message="again"))
    before = get(backend, "w")
    assert backend.resume("w", epoch=1) is Status.PARKED
    assert get(backend, "w") == before


@promise(Backend.resume, "Strikes start again at none, recoveries stay; its error is cleared.")
def test_resume_clears_the_strikes_and_keeps_the_recoveries(backend: Backend) -> None:
    join(backend, "a", "b")
    own(backend, "a", "w")
    backend.leave("a")
    once = Recovery(max_strikes=1, backoff=AT_ONCE)
    backend.reap([], margin=AT_ONCE, recovery=once, limit=1)
    assert backend.resume("w", epoch=1) is Status.ENQUEUED
    back = get(backend, "w")
    assert (back.strikes, back.recoveries, back.error_message) == (0, 1, None)
    assert ids(claim(backend, "b")) == ["w"]


@promise(
    Backend.resume,
    "Answers with the status after the call, None for an unknown id; a repeat changes "
    "nothing, and neither does a call for one that is not parked.",
)
def test_resume_leaves_alone_what_is_not_parked(backend: Backend) -> None:
    every = _one_of_each(backend)
    del every["parked"]
    before = {one.id: one for one in backend.load(list(every))}
    for one, status in every.items():
        assert backend.resume(one, epoch=before[one].epoch) is status
    assert {one.id: one for one in backend.load(list(every))} == before
    assert backend.resume("ghost", epoch=0) is None


@RESUMES
@promise(Backend.resume, "a repeat changes nothing")
def test_resumes_at_once_are_one(backend: Backend, rival: Backend) -> None:
    join(backend, "a")
    _park(backend)
    told = together(lambda b: b.resume("w", epoch=1), [backend, rival] * 2)
    assert told == [Status.ENQUEUED] * 4
    assert [one.epoch for one in claim(backend, "a")] == [2]
