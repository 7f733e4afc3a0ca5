"""The lease as the worker itself sees it: earlier over than for others, trusted by its own clock."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from perdure import clock
from perdure.attempt import Abandoned, Attempt
from perdure.backend import Backend, Claimed, Pulse
from perdure.branch import Branch
from perdure.definition import WorkflowDefinition
from perdure.errors import BackendUnavailable
from perdure.lease import MARGIN, Lease
from perdure.script import BLOCKING, Blocking, Over, drive, settle

from .support import until

LENGTH, INTERVAL = timedelta(seconds=10), timedelta(seconds=2.5)


class Heart:
    """A database that knows one verb, and answers when it is told to."""

    def __init__(self) -> None:
        self.asked = threading.Semaphore(0)
        self.answers: list[Callable[[], Pulse | None]] = []
        self.ready = threading.Semaphore(0)
        self.beats = 0

    def heartbeat(self, worker_id: str, *, lease: timedelta) -> Pulse | None:
        assert (worker_id, lease) == ("me", LENGTH)
        self.beats += 1
        self.asked.release()
        assert self.ready.acquire(timeout=20)
        return self.answers.pop(0)() if self.answers else None

    def stop(self) -> None:
        """Let go of whoever has asked, or is about to."""
        self.ready.release()

    def answer(self, call: Callable[[], Pulse | None]) -> None:
        assert self.asked.acquire(timeout=20)
        self.answers.append(call)
        self.ready.release()


class Case:
    """A lease whose clock stands still until it is moved."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        self.events: list[str] = []
        self.heart = Heart()
        self.pulses: list[tuple[Pulse, float]] = []
        monkeypatch.setattr(clock, "monotonic", lambda: self.now)
        self.lease = Lease(
            cast("Backend", self.heart),
            "me",
            LENGTH,
            timedelta(milliseconds=1),
            on_pulse=lambda pulse, at: self.pulses.append((pulse, at)),
            on_missed=lambda: self.events.append("missed"),
            on_lost=lambda: self.events.append("lost"),
        )


@pytest.fixture
def case(monkeypatch: pytest.MonkeyPatch) -> Any:
    made = Case(monkeypatch)
    yield made
    made.lease.end()
    made.heart.stop()


def pulse(ahead: timedelta = timedelta(0)) -> Pulse:
    now = datetime.now(UTC) + ahead
    return Pulse(now=now, peers=[], next_due=None, orphans=False, outbox=False)


def test_a_lease_that_was_never_granted_is_not_held(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not Case(monkeypatch).lease.held()


def test_a_lease_counts_from_before_the_request_and_ends_a_margin_early(case: Case) -> None:
    case.lease.begin(sent=995.0)

    case.now = 995.0 + (LENGTH - MARGIN).total_seconds() - 0.01
    assert case.lease.held()
    case.now += 0.01
    assert not case.lease.held()


def test_an_answer_renews_from_when_it_was_asked_for(case: Case) -> None:
    case.lease.begin(sent=1000.0)
    assert case.heart.asked.acquire(timeout=20)
    case.heart.asked.release()
    case.now = 1008.0  # the answer took long
    case.heart.answer(pulse)
    until(lambda: case.pulses)

    assert case.pulses[0][1] == 1000.0
    case.now = 1009.0
    assert not case.lease.held()


def test_a_late_answer_gives_a_lost_lease_back(case: Case) -> None:
    case.lease.begin(sent=1000.0)
    case.heart.answer(pulse)
    case.now = 1020.0
    assert not case.lease.held()
    case.heart.answer(pulse)
    until(lambda: len(case.pulses) == 2)
    case.heart.answer(pulse)
    until(lambda: len(case.pulses) == 3)

    assert case.lease.held()
    assert case.events == []


def test_a_missed_heartbeat_is_told_and_tried_again(case: Case) -> None:
    def fail() -> Pulse:
        raise BackendUnavailable("here", "unplugged")

    case.lease.begin(sent=1000.0)
    case.heart.answer(fail)
    case.heart.answer(fail)
    until(lambda: case.events == ["missed"] * 2)
    case.heart.answer(pulse)
    until(lambda: case.pulses)


def test_a_bug_does_not_stop_the_heart(case: Case) -> None:
    def fail() -> Pulse:
        raise ZeroDivisionError

    case.lease.begin(sent=1000.0)
    case.heart.answer(fail)
    case.heart.answer(pulse)
    until(lambda: case.pulses)
    assert case.events == ["missed"]


def test_a_dead_worker_holds_nothing_at_once_and_beats_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    case = Case(monkeypatch)
    case.lease.begin(sent=1000.0)
    case.heart.answer(lambda: None)
    until(lambda: case.events == ["lost"])

    assert not case.lease.held()
    assert case.heart.beats == 1


def test_the_workers_clock_is_corrected_by_the_databases(case: Case) -> None:
    case.lease.begin(sent=1000.0)
    case.heart.answer(lambda: pulse(timedelta(hours=1)))
    until(lambda: case.pulses)

    ahead = case.lease.now() - datetime.now(UTC)
    assert timedelta(minutes=59) < ahead < timedelta(minutes=61)


# ------------------------------------------------------ what begins, what not


class Host:
    """What a worker says of itself."""

    draining = False
    lease = True
    ends: int = 0

    def holds_lease(self) -> bool:
        return self.lease

    def ended(self, _: object) -> None:
        self.ends += 1


def attempt(host: Host) -> Attempt:
    claim = Claimed(
        id="w",
        name="work",
        queue="default",
        input_json=None,
        epoch=1,
        strikes=0,
        wake=0,
        parent_id=None,
        deadline=None,
        cancel_reason=None,
        created_at=datetime.now(UTC),
    )
    definition = WorkflowDefinition(fn=Host, name="work")
    return Attempt.of(claim, definition, cast("Any", host), None)


class Regaining(Blocking):
    """Waits that end with the lease held again."""

    def __init__(self, host: Host, *, after: int) -> None:
        self.host, self.after, self.pauses = host, after, 0

    def pause(self, attempt: Attempt, seconds: float) -> Over[None]:
        del attempt, seconds
        self.pauses += 1
        self.host.lease = self.pauses == self.after
        return Over(None)


def test_without_a_lease_the_next_body_waits_and_then_begins() -> None:
    host = Host()
    host.lease = False
    waits = Regaining(host, after=3)
    drive(settle(Branch(attempt(host)).draw(), waits))
    assert waits.pauses == 3


def test_after_its_end_an_attempt_begins_nothing() -> None:
    host = Host()
    ended = attempt(host)
    ended.lose()
    ended.lose()

    assert host.ends == 1
    with pytest.raises(Abandoned):
        drive(settle(Branch(ended).draw(), BLOCKING))
    assert not issubclass(Abandoned, Exception)
