"""Consumption: a message goes with the step that takes it, once, and with no other."""

from perdure import backend as seam
from perdure.backend import NOT_YOURS, RECORDED, AlreadyRecorded, Backend, Batch, Consumption
from perdure.mail import SENT, Sight
from perdure.model import Message, Status
from perdure_compat.promise import promise

from .records import (
    claim,
    drain,
    end,
    finish,
    get,
    inbox,
    join,
    message,
    own,
    record,
    send,
    step,
    steps_of,
    taking,
)

ONCE = promise(Message, "The first with an id counts, for each workflow.")
TAKES = promise(Backend.commit, "A message is consumed with the step that takes it")
IF_WRITTEN = promise(Backend.commit, "if this call writes that step.")
ORDERED = promise(
    Sight,
    "Those not consumed, in the order in which they came; one sender's by position.",
)


@TAKES
@promise(
    Consumption, "The step at (workflow, branch, number) of the same batch takes this message."
)
def test_a_message_is_taken_with_its_step(backend: Backend) -> None:
    join(backend, "a")
    own(backend, "a", "w")
    send(backend, message("w"), message("w", "n", position=2))
    told = backend.commit("a", taking(step("w", branch="1.2")))
    assert list(told.steps) == [RECORDED]
    assert inbox(backend, "w") == ["n"]
    assert steps_of(backend, "w") == [step("w", branch="1.2")]


@TAKES
@ORDERED
def test_each_step_takes_its_own_message(backend: Backend) -> None:
    """Of several workflows, in one batch, with steps that take nothing."""
    join(backend, "a")
    own(backend, "a", "v", "w")
    send(backend, *[message(one, f"{n}", position=n) for one in ("v", "w") for n in range(4)])
    batches = [
        taking(step("v"), "2"),
        taking(step("w", 3), "0"),
        taking(step("w", 1, branch="1"), "3"),
    ]
    backend.commit(
        "a",
        Batch(
            steps=[step("w", 1), *(one for batch in batches for one in batch.steps)],
            consumptions=[one for batch in batches for one in batch.consumptions],
        ),
    )
    assert inbox(backend, "v") == ["0", "1", "3"]
    assert inbox(backend, "w") == ["1", "2"]


@TAKES
def test_who_takes_a_message_may_end_with_it(backend: Backend) -> None:
    join(backend, "a")
    own(backend, "a", "w")
    send(backend, message("w"))
    batch = taking(step("w"))
    told = backend.commit(
        "a", Batch(steps=batch.steps, consumptions=batch.consumptions, transitions=[end("w")])
    )
    assert (list(told.steps), list(told.transitions)) == ([RECORDED], [Status.SUCCESS])
    assert inbox(backend, "w") == []


@TAKES
@ONCE
@promise(seam, "after a lost answer the engine calls it again with the same arguments.")
def test_what_was_taken_never_comes_back(backend: Backend) -> None:
    join(backend, "a")
    own(backend, "a", "w")
    send(backend, message("w"))
    for _ in range(2):
        assert list(backend.commit("a", taking(step("w"))).steps) == [RECORDED]
        assert list(backend.send([message("w")])) == [SENT]
    assert inbox(backend, "w") == []
    drain(backend)
    assert get(backend, "w").wake == 1


@IF_WRITTEN
def test_a_step_of_an_earlier_epoch_takes_nothing_more(backend: Backend) -> None:
    """It was recorded that no message came in time; so none is lost."""
    join(backend, "a")
    own(backend, "a", "w")
    timed_out = step("w", output_json="null")
    record(backend, "a", timed_out)
    finish(backend, "a", end("w", Status.ENQUEUED))
    claim(backend, "a")
    send(backend, message("w"))
    told = backend.commit("a", taking(step("w", epoch=2)))
    assert list(told.steps) == [AlreadyRecorded(timed_out)]
    assert inbox(backend, "w") == ["m"]


@IF_WRITTEN
def test_a_step_that_was_there_takes_nothing_more(backend: Backend) -> None:
    join(backend, "a")
    own(backend, "a", "w")
    record(backend, "a", step("w", output_json="null"))
    send(backend, message("w"))
    assert list(backend.commit("a", taking(step("w"))).steps) == [RECORDED]
    assert inbox(backend, "w") == ["m"]


@IF_WRITTEN
@promise(seam, "Every write is conditional on the state it expects")
def test_only_the_owner_takes_messages(backend: Backend) -> None:
    join(backend, "a", "b", "dead")
    own(backend, "a", "w")
    own(backend, "dead", "v")
    backend.leave("dead")
    send(backend, message("v"), message("w"))
    for worker, batch in (
        ("b", taking(step("w"))),
        ("a", taking(step("w", epoch=2))),
        ("dead", taking(step("v"))),
        ("nobody", taking(step("w"))),
    ):
        assert list(backend.commit(worker, batch).steps) == [NOT_YOURS]
    assert (inbox(backend, "v"), inbox(backend, "w")) == (["m"], ["m"])


@TAKES
def test_a_message_is_taken_once(backend: Backend) -> None:
    """Of two steps that want it, both are recorded, and nothing else is taken."""
    join(backend, "a")
    own(backend, "a", "v", "w")
    send(backend, message("v"), message("w"), message("w", "n", position=2))
    for seq in (1, 2):
        assert list(backend.commit("a", taking(step("w", seq))).steps) == [RECORDED]
    assert inbox(backend, "w") == ["n"]
    assert inbox(backend, "v") == ["m"]
    assert steps_of(backend, "w") == [step("w"), step("w", 2)]


@TAKES
def test_a_message_that_is_not_there_is_not_missed(backend: Backend) -> None:
    join(backend, "a")
    own(backend, "a", "w")
    assert list(backend.commit("a", taking(step("w"))).steps) == [RECORDED]
    send(backend, message("w"))
    assert inbox(backend, "w") == ["m"]
