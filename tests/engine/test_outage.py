"""Riding out a database that is away: what is said, and how long is waited."""

import threading
from collections.abc import Callable

import pytest

from perdure import clock
from perdure.errors import BackendUnavailable
from perdure.outage import LONGEST_PAUSE, GivenUp, Outage


class Time:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    made = Time()
    monkeypatch.setattr(clock, "monotonic", made)
    return made


AWAY = BackendUnavailable("sqlite:///shop.db", "it is unplugged")


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


def test_an_outage_is_told_once_a_minute_and_at_its_end(
    time: Time, caplog: pytest.LogCaptureFixture
) -> None:
    outage = Outage("write")
    for _ in range(150):
        outage.failed(AWAY)
        time.now += 1
    outage.over()

    assert said(caplog) == [
        f"cannot write: {AWAY}; trying again until it works",
        f"cannot write for 60 s: {AWAY}",
        f"cannot write for 120 s: {AWAY}",
        "can write again after 150.0 s",
    ]


@pytest.mark.usefixtures("time")
def test_without_an_outage_nothing_is_said(caplog: pytest.LogCaptureFixture) -> None:
    outage = Outage("write")
    for _ in range(3):
        outage.over()
    assert said(caplog) == []


@pytest.mark.usefixtures("time")
def test_the_next_outage_is_told_again(caplog: pytest.LogCaptureFixture) -> None:
    outage = Outage("write")
    for _ in range(2):
        outage.failed(AWAY)
        outage.over()
    assert len(said(caplog)) == 4


@pytest.mark.usefixtures("time")
def test_pauses_grow_to_a_limit_and_begin_anew() -> None:
    outage = Outage("write")
    pauses = [outage.failed(AWAY) for _ in range(40)]
    assert pauses[0] <= 0.05
    assert max(pauses) <= LONGEST_PAUSE
    assert min(pauses[10:]) >= LONGEST_PAUSE / 2
    outage.over()
    assert outage.failed(AWAY) <= 0.05


def answers(*outcomes: object) -> Callable[[], object]:
    left = list(outcomes)

    def call() -> object:
        outcome = left.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    return call


def test_a_call_is_repeated_until_it_is_answered() -> None:
    assert Outage("ask").ride_out(answers(AWAY, AWAY, 3), threading.Event()) == 3


def test_a_call_is_given_up_when_told_so() -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(GivenUp) as caught:
        Outage("ask").ride_out(answers(AWAY, 3), stop)
    assert caught.value.__cause__ is AWAY


def test_a_call_that_is_answered_is_not_given_up() -> None:
    stop = threading.Event()
    stop.set()
    assert Outage("ask").ride_out(answers(3), stop) == 3


def test_other_errors_pass_at_once() -> None:
    with pytest.raises(ZeroDivisionError):
        Outage("ask").ride_out(answers(ZeroDivisionError()), threading.Event())
