"""Guests: what is written in a transaction of a caller's shares its fate."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, closing, suppress
from functools import partial

import pytest

from perdure import guest as page
from perdure.backend import Backend, Existing, SendAnswer, Submission
from perdure.errors import PerdureError, UsageError
from perdure.guest import Guest, Guests
from perdure.mail import SENT, Mail, Refused
from perdure.model import Message, Status
from perdure_compat.harness import Harness, Place
from perdure_compat.promise import promise

from .records import (
    claim,
    drain,
    end,
    finish,
    get,
    ids,
    inbox,
    job,
    join,
    look,
    message,
    own,
    submit,
)

pytestmark = [pytest.mark.needs("guests"), pytest.mark.needs("callers")]

Begin = Callable[[], AbstractContextManager[object]]

COMMITTED = promise(Guest, "It is there for everybody when the transaction is committed")
DROPPED = promise(Guest, "and never if it is not.")
LEFT = promise(Guest, "A refusal leaves the transaction as it is.")
SUBMITS = promise(Guest.submit, "Write workflows, and answer, as `Backend.submit` does.")
SENDS = promise(Guest.send, "Write messages and their wake-ups, and answer, as `Mail.send` does.")


class Changed(Exception):
    """The caller has changed its mind."""


@pytest.fixture
def callers(harness: Harness, place: Place, backend: Backend) -> Sequence[tuple[str, Begin]]:
    """How a caller may begin a transaction, each with a name that workflows can have."""
    assert backend.schema_version().current
    return list(harness.callers(place).items())


def _submit(backend: Backend, connection: object, *submissions: Submission) -> Sequence[Existing]:
    return backend.within(connection, partial(_submitted, submissions=submissions))


def _submitted(guest: Guest, submissions: Sequence[Submission]) -> Sequence[Existing]:
    return guest.submit(submissions)


def _send(backend: Backend, connection: object, *messages: Message) -> list[SendAnswer]:
    return list(backend.within(connection, lambda guest: guest.send(messages)))


@COMMITTED
@SUBMITS
@promise(Guest, "What can be written in a transaction of a caller's, which the caller ends.")
@promise(Guests.within, "Do `work` in the transaction of a caller's connection; what it returns.")
@promise(Guests.within, "Which connections it takes, a backend says;")
@promise(
    Guests.within,
    "Where no transaction is open, one begins as if the caller had written something.",
)
@promise(page, "the transaction is its owner's")
def test_what_is_submitted_is_there_when_the_caller_commits(
    backend: Backend, callers: Sequence[tuple[str, Begin]]
) -> None:
    join(backend, "a")
    for name, begin in callers:
        with begin() as connection:
            assert list(_submit(backend, connection, job(name))) == []
            assert list(backend.load([name])) == []
            assert claim(backend, "a") == []
        submit(backend, f"{name} beside")
        mine, beside = get(backend, name), get(backend, f"{name} beside")
        assert (mine.status, mine.epoch, mine.owner) == (beside.status, beside.epoch, beside.owner)
        assert sorted(ids(claim(backend, "a"))) == [name, f"{name} beside"]


@DROPPED
@SUBMITS
@SENDS
def test_nothing_is_left_of_a_transaction_that_is_rolled_back(
    backend: Backend, callers: Sequence[tuple[str, Begin]]
) -> None:
    submit(backend, "w")
    for name, begin in callers:
        with suppress(Changed), begin() as connection:
            _submit(backend, connection, job(name))
            _send(backend, connection, message("w", name))
            raise Changed
        assert list(backend.load([name])) == []
    drain(backend)
    assert (inbox(backend, "w", "topic"), look(backend, "w").wake) == ([], 0)


@SUBMITS
@LEFT
@promise(page, "nothing is tried again:")
def test_what_was_there_is_told_and_the_rest_is_written(
    backend: Backend, callers: Sequence[tuple[str, Begin]]
) -> None:
    submit(backend, "w")
    for name, begin in callers:
        with begin() as connection:
            _submit(backend, connection, job(name))
            again = [job("w", input_json="[2]"), job(name), job(f"{name} more")]
            there = _submit(backend, connection, *again)
            assert sorted(each.id for each in there) == sorted(["w", name])
        assert get(backend, "w").input_json == job("w").input_json
        assert {name, f"{name} more"} == {one.id for one in backend.load([name, f"{name} more"])}


@COMMITTED
@SENDS
@promise(
    Mail.send, "All that can be sent is, in one transaction, each with a wake-up for its workflow."
)
def test_a_message_is_there_and_wakes_when_the_caller_commits(
    backend: Backend, callers: Sequence[tuple[str, Begin]]
) -> None:
    for name, begin in callers:
        submit(backend, name)
        with begin() as connection:
            sent = _send(backend, connection, message(name))
            assert list(sent) == [SENT]
            assert inbox(backend, name, "topic") == []
        assert inbox(backend, name, "topic") == ["m"]
        assert look(backend, name).wake == 0
        drain(backend)
        assert look(backend, name).wake == 1


@SENDS
@LEFT
def test_a_message_to_a_workflow_of_the_same_transaction_is_sent_and_others_are_refused(
    backend: Backend, callers: Sequence[tuple[str, Begin]]
) -> None:
    join(backend, "a")
    own(backend, "a", "over")
    finish(backend, "a", end("over"))
    for name, begin in callers:
        with begin() as connection:
            _submit(backend, connection, job(name))
            given = [message(name), message("nobody"), message("over"), message(name, "n")]
            answers = _send(backend, connection, *given)
            assert list(answers) == [SENT, Refused(None), Refused(Status.SUCCESS), SENT]
        assert inbox(backend, name, "topic") == ["m", "n"]


@promise(Guests.within, "Raises: UsageError: it cannot write through this connection.")
@promise(Guests.within, "one that takes none leaves out the capability `guests`.")
def test_what_is_no_connection_is_refused(backend: Backend) -> None:
    with pytest.raises(UsageError):
        backend.within(object(), lambda guest: guest.submit([job("w")]))
    assert list(backend.load(["w"])) == []


@promise(Guests.awithin, "As `within`, also for connections whose calls are awaited.")
def test_who_awaits_may_have_a_connection_that_does_not(
    backend: Backend, callers: Sequence[tuple[str, Begin]]
) -> None:
    for name, begin in callers:
        with begin() as connection:
            work = partial(_submitted, submissions=[job(name)])
            asyncio.run(backend.awithin(connection, work))
        assert get(backend, name).status is Status.ENQUEUED


@promise(page, "and so are its errors.")
def test_an_error_of_the_database_is_one_of_the_caller_s_library(
    harness: Harness, place: Place
) -> None:
    """There are no tables."""
    with closing(place.open()) as backend:
        for name, begin in harness.callers(place).items():
            with pytest.raises(Exception, match="workflows") as raised, begin() as connection:
                _submit(backend, connection, job(name))
            assert not isinstance(raised.value, PerdureError)
