"""Commit: one batch, all or nothing, guarded by worker, owner and epoch."""

from itertools import cycle

import pytest

from perdure import backend as seam
from perdure.backend import (
    NOT_YOURS,
    RECORDED,
    Backend,
    Batch,
    Capabilities,
    Committed,
    NotYours,
    Transition,
    TransitionAnswer,
)
from perdure.errors import BackendRefused
from perdure.model import Status
from perdure_compat.promise import promise

from . import company
from .races import dealt, together
from .records import (
    LEASE,
    PATIENT,
    claim,
    end,
    finish,
    get,
    join,
    own,
    record,
    scrambled,
    step,
    steps_of,
    submit,
    wait,
    waits_of,
)
from .texts import MAY_REFUSE, bulky

NOTHING = {"output_json": None, "error_message": None}

REPEATS = promise(Backend.commit, "A repeat gives the same answers as the first time")
TRANSITION_AGAIN = promise(
    Backend.commit,
    "a transition that took effect answers with its status as long as the workflow stands there",
)
GUARDED = promise(
    Backend.commit,
    "an operation is written only if its workflow is running, owned by the worker, under "
    "the operation's epoch.",
)
BATCHES = promise(seam, "**Batch first.** Sequences come in any order; answers say which is which.")


@promise(Transition, "The owner lets go of a workflow.")
@promise(Transition, "`status` is `success`, `error` or `cancelled` (the end)")
def test_a_success_ends_a_workflow(backend: Backend) -> None:
    join(backend, "a")
    own(backend, "a", "w")
    answer = finish(backend, "a", end("w", output_json='{"a" : 1}'))
    assert (answer.fenced, list(answer.transitions)) == (False, [Status.SUCCESS])
    found = get(backend, "w")
    assert (found.status, found.owner, found.epoch) == (Status.SUCCESS, None, 1)
    assert (found.output_json, found.error_json) == ('{"a" : 1}', None)
    assert found.completed_at is not None
    assert found.completed_at >= found.created_at


@promise(Transition, "`status` is `success`, `error` or `cancelled` (the end)")
@pytest.mark.parametrize("status", [Status.ERROR, Status.CANCELLED])
def test_an_error_ends_a_workflow(backend: Backend, status: Status) -> None:
    join(backend, "a")
    own(backend, "a", "w")
    gone = end("w", status, error_json='{"b" : 2}', error_message="it's \\ gone")
    assert list(finish(backend, "a", gone).transitions) == [status]
    found = get(backend, "w")
    assert (found.status, found.owner, found.output_json) == (status, None, None)
    assert (found.error_json, found.error_message) == ('{"b" : 2}', "it's \\ gone")
    assert found.completed_at is not None


@promise(Transition, "`parked` (`error_…` says why)")
def test_a_parking_tells_why_and_ends_nothing(backend: Backend) -> None:
    join(backend, "a")
    own(backend, "a", "w")
    why = end("w", Status.PARKED, error_json="{}", error_message="the code changed")
    assert list(finish(backend, "a", why).transitions) == [Status.PARKED]
    found = get(backend, "w")
    assert (found.status, found.owner) == (Status.PARKED, None)
    assert (found.error_json, found.error_message) == ("{}", "the code changed")


@promise(Transition, "`enqueued` (back to the queue as it was, strikes unchanged, due at once)")
def test_a_release_puts_a_workflow_back_as_it_was(backend: Backend) -> None:
    join(backend, "a", "b")
    submit(backend, "w", priority=3, queue="default")
    before = get(backend, "w")
    claim(backend, "a")
    assert list(finish(backend, "a", end("w", Status.ENQUEUED)).transitions) == [Status.ENQUEUED]
    found = get(backend, "w")
    assert (found.status, found.owner, found.completed_at) == (Status.ENQUEUED, None, None)
    assert (found.strikes, found.recoveries, found.priority) == (0, 0, 3)
    assert (found.input_json, found.created_at) == (
        before.input_json,
        before.created_at,
    )
    assert [(one.id, one.epoch) for one in claim(backend, "b")] == [("w", 2)]


@promise(Backend.commit, "Steps and waits of a workflow may share the batch with its transition")
@REPEATS
@promise(Backend.commit, "Write a worker's steps, waits and transitions: the journal's one verb.")
def test_steps_may_share_a_batch_with_the_end_of_their_workflow(
    backend: Backend,
) -> None:
    """And a repeat gives the same answers, though the owner is gone."""
    join(backend, "a")
    own(backend, "a", "w")
    batch = Batch(steps=[step("w"), step("w", 3)], waits=[wait("w", 2)], transitions=[end("w")])
    for _ in range(3):
        answer = backend.commit("a", batch)
        assert not answer.fenced
        assert list(answer.steps) == [RECORDED, RECORDED]
        assert list(answer.waits) == [RECORDED]
        assert list(answer.transitions) == [Status.SUCCESS]
    assert steps_of(backend, "w") == list(batch.steps)


@REPEATS
@TRANSITION_AGAIN
@pytest.mark.parametrize("status", company.OUTCOMES)
def test_a_repeated_transition_answers_as_the_first_time(backend: Backend, status: Status) -> None:
    join(backend, "a")
    own(backend, "a", "w")
    transition = end("w", status, error_message="first")
    finish(backend, "a", transition)
    before = get(backend, "w")
    assert list(finish(backend, "a", transition).transitions) == [status]
    assert get(backend, "w") == before


@GUARDED
@promise(
    seam,
    "**Guards, not timing.** Every write is conditional on the state it expects (owner, "
    "epoch, status)",
)
@pytest.mark.parametrize("status", company.OUTCOMES)
def test_what_has_ended_never_changes(backend: Backend, status: Status) -> None:
    join(backend, "a", "b")
    own(backend, "a", "w")
    finish(backend, "a", end("w", output_json="1"))
    before = get(backend, "w")
    record(backend, "a", step("w"))
    finish(backend, "a", end("w", status, output_json="2", error_message="no"))
    for worker_id, epoch in (("a", 2), ("a", 0), ("b", 1), ("b", 2)):
        answer = finish(backend, worker_id, end("w", status, epoch=epoch))
        if epoch != 1:
            assert list(answer.transitions) == [NOT_YOURS]
    backend.reconcile("a", [])
    backend.leave("a")
    backend.reap([], margin=LEASE, recovery=PATIENT, limit=10)
    backend.resume("w", epoch=1)
    assert get(backend, "w") == before
    assert steps_of(backend, "w") == []


@GUARDED
@promise(NotYours, "Nothing was written: the workflow is no longer the caller's.")
@pytest.mark.parametrize("status", company.OUTCOMES)
def test_only_the_owner_moves_a_workflow(backend: Backend, status: Status) -> None:
    join(backend, "a", "b")
    own(backend, "a", "w")
    before = get(backend, "w")
    refused = [("b", 1), ("b", 2), ("a", 0), ("a", 2)]
    for worker_id, epoch in refused:
        answer = finish(backend, worker_id, end("w", status, epoch=epoch))
        assert list(answer.transitions) == [NOT_YOURS]
    assert list(finish(backend, "a", end("ghost", status)).transitions) == [NOT_YOURS]
    assert get(backend, "w") == before


@GUARDED
@pytest.mark.parametrize("status", company.OUTCOMES)
def test_an_old_epoch_moves_nothing_even_of_the_same_owner(
    backend: Backend, status: Status
) -> None:
    join(backend, "a")
    own(backend, "a", "w")
    finish(backend, "a", end("w", Status.ENQUEUED))
    claim(backend, "a")
    before = get(backend, "w")
    finish(backend, "a", end("w", status, epoch=1))
    assert get(backend, "w") == before


@promise(Backend.commit, "One transaction. Nothing is written if the worker is dead")
@promise(Committed, "The worker is dead in the database's eyes: nothing was written by this call.")
@pytest.mark.parametrize("running", [["w"], ["v", "w"]], ids=["one", "two"])
def test_a_dead_worker_records_nothing(backend: Backend, running: list[str]) -> None:
    join(backend, "a", "b")
    own(backend, "a", *running)
    before = [get(backend, one) for one in running]
    backend.leave("a")
    answer = backend.commit(
        "a",
        Batch(
            steps=[step(one) for one in running],
            waits=[wait(one, 2) for one in running],
            transitions=[end(one) for one in running],
        ),
    )
    refused = [NOT_YOURS] * len(running)
    assert answer.fenced
    assert (list(answer.steps), list(answer.waits)) == (refused, refused)
    assert list(answer.transitions) == refused
    assert [get(backend, one) for one in running] == before
    assert [(steps_of(backend, one), waits_of(backend, one)) for one in running] == [
        ([], []) for _ in running
    ]


@promise(Backend.commit, "So it is for a worker that has died since; `fenced` tells it.")
def test_a_dead_worker_learns_what_it_recorded_alive(backend: Backend) -> None:
    join(backend, "a")
    own(backend, "a", "w")
    batch = Batch(steps=[step("w")], transitions=[end("w")])
    backend.commit("a", batch)
    backend.leave("a")
    answer = backend.commit("a", batch)
    assert answer.fenced
    assert list(answer.steps) == [RECORDED]
    assert list(answer.transitions) == [Status.SUCCESS]


@promise(seam, "Nothing to do (an empty sequence or batch, a limit of 0) is no error.")
@promise(Committed, "The worker is dead in the database's eyes")
def test_an_empty_batch_tells_whether_the_worker_is_dead(backend: Backend) -> None:
    join(backend, "a", "b")
    backend.leave("b")
    answer = backend.commit("a", Batch())
    assert (answer.fenced, list(answer.steps), list(answer.transitions)) == (False, [], [])
    assert backend.commit("b", Batch()).fenced


@promise(Backend.commit, "the database will never take this batch; nothing of it was written")
@promise(Batch, "What one worker wants written, all of it or nothing.")
@MAY_REFUSE
@pytest.mark.parametrize("poison", ["\ud800", "nul\0byte"], ids=["surrogate", "nul"])
@pytest.mark.parametrize("field", ["output_json", "error_message"])
def test_a_batch_with_a_transition_that_is_refused_writes_nothing(
    backend: Backend, field: str, poison: str
) -> None:
    """A value is refused with all of its batch, or comes back as it went in."""
    join(backend, "a")
    own(backend, "a", "v", "w")
    transitions = [end("v"), end("w", Status.PARKED, **{field: poison})]
    try:
        backend.commit("a", Batch(steps=[step("v")], transitions=transitions))
    except BackendRefused:
        assert {one.status for one in backend.load(["v", "w"])} == {Status.RUNNING}
        assert steps_of(backend, "v") == []
    else:
        found = get(backend, "w")
        assert poison in (found.output_json, found.error_message)
        assert steps_of(backend, "v") == [step("v")]


@promise(Capabilities, "The most operations one call should carry.")
@BATCHES
def test_a_batch_may_be_as_large_as_the_backend_says(backend: Backend) -> None:
    join(backend, "a")
    own(backend, "a", "w")
    many = [step("w", seq) for seq in range(1, backend.capabilities.max_batch)]
    answer = backend.commit("a", Batch(steps=scrambled(many), transitions=[end("w")]))
    assert list(answer.steps) == [RECORDED] * len(many)
    assert list(answer.transitions) == [Status.SUCCESS]
    assert steps_of(backend, "w") == many


@promise(Capabilities, "The most characters of text one call should carry")
@BATCHES
def test_a_batch_may_carry_as_much_text_as_the_backend_says(backend: Backend) -> None:
    join(backend, "a")
    own(backend, "a", "w")
    text = bulky(backend.capabilities.max_text // 4)
    many = [step("w", seq, output_json=text) for seq in (1, 2, 3)]
    answer = backend.commit("a", Batch(steps=many, transitions=[end("w", output_json=text)]))
    assert list(answer.steps) == [RECORDED] * len(many)
    assert steps_of(backend, "w") == many
    assert get(backend, "w").output_json == text


@promise(Committed, "One answer for each operation of a batch, in the batch's order.")
@BATCHES
@REPEATS
def test_answers_stand_in_the_order_of_the_batch(backend: Backend) -> None:
    company.gather(backend)
    steps, waits, transitions = company.mixed()
    batch = Batch(
        steps=[one for one, _ in steps],
        waits=[one for one, _ in waits],
        transitions=[one for one, _ in transitions],
    )
    for _ in range(2):
        answer = backend.commit("a", batch)
        assert list(answer.steps) == [expected for _, expected in steps]
        assert list(answer.waits) == [expected for _, expected in waits]
        assert list(answer.transitions) == [expected for _, expected in transitions]
    for n, status in zip(range(20), cycle(company.OUTCOMES)):
        found = get(backend, f"mine{n}")
        told = {"output_json": found.output_json, "error_message": found.error_message}
        assert found.status is status
        assert told == NOTHING | company.outcome(status, n)
        assert steps_of(backend, f"old{n}") == [
            step(f"old{n}"),
            step(f"old{n}", 2, epoch=2),
        ]
        assert steps_of(backend, f"theirs{n}") == []


@GUARDED
def test_of_many_successes_only_those_of_the_owner_and_its_epoch_count(backend: Backend) -> None:
    company.gather(backend)
    mine = [f"mine{n}" for n in range(20)]
    others = [f"{one}{n}" for one in ("old", "theirs") for n in range(20)]
    asked = scrambled([*mine, *others, "ghost"])
    answer = backend.commit("a", Batch(transitions=[end(one) for one in asked]))
    assert list(answer.transitions) == [
        Status.SUCCESS if one in mine else NOT_YOURS for one in asked
    ]
    assert {get(backend, one).status for one in mine} == {Status.SUCCESS}
    assert {get(backend, one).status for one in others} == {Status.RUNNING}


@promise(seam, "**Thread-safe.** Every thread may call every verb")
def test_batches_at_once_do_not_stop_each_other(backend: Backend, rival: Backend) -> None:
    join(backend, "a", "b")
    own(backend, "a", *[f"a{n}" for n in range(50)])
    own(backend, "b", *[f"b{n}" for n in range(50)])

    def all_of(hand: tuple[Backend, str]) -> list[TransitionAnswer]:
        one, name = hand
        answers: list[TransitionAnswer] = []
        for n in range(0, 50, 5):
            some = [f"{name}{m}" for m in range(n, n + 5)]
            batch = Batch(steps=[step(w) for w in some], transitions=[end(w) for w in some])
            answers += one.commit(name, batch).transitions
        return answers

    answers = together(all_of, [(backend, "a"), (rival, "b")])
    assert answers == [[Status.SUCCESS] * 50] * 2


@GUARDED
@TRANSITION_AGAIN
def test_of_two_ends_at_once_exactly_one_counts(backend: Backend, rival: Backend) -> None:
    join(backend, "a")
    for turn in range(8):
        own(backend, "a", f"w{turn}")
        given = [end(f"w{turn}", output_json=f"[{n}]") for n in range(4)]
        answers = together(
            lambda hand: list(finish(hand[0], "a", hand[1]).transitions),
            dealt(given, backend, rival),
        )
        assert answers == [[Status.SUCCESS]] * 4
        first = get(backend, f"w{turn}")
        assert first.output_json in [one.output_json for one in given]
        assert get(rival, f"w{turn}") == first
