"""Polling for all who wait: newcomers alone, everybody at news, nobody for nothing."""

import threading
from collections.abc import Callable, Generator, Sequence

import attrs
import pytest

from perdure import poll as polls
from perdure.bell import Bell
from perdure.errors import BackendUnavailable
from perdure.poll import Poll
from perdure.wakeups import News

from .support import WITHIN, until

FOR_GOOD = WITHIN.total_seconds()


def _find_nothing(_: Sequence[str]) -> bool:
    return False


@attrs.define(eq=False)
class Case:
    """A poll for texts, which says for whom it has looked."""

    looks: list[list[str]] = attrs.field(factory=list[list[str]])
    over: set[str] = attrs.field(factory=set[str])
    failed: list[str] = attrs.field(factory=list[str])
    dismissed: list[str] = attrs.field(factory=list[str])
    find: Callable[[Sequence[str]], bool] = _find_nothing
    bell: Bell = attrs.field(factory=lambda: Bell(lambda: None))
    poll: Poll[str] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.poll = Poll(
            name="test-poll",
            doing="look",
            bell=self.bell,
            look=self._look,
            over=lambda one: one in self.over,
            failed=lambda these, _: self.failed.extend(these),
            dismiss=self.dismissed.append,
        )

    def _look(self, these: Sequence[str]) -> bool:
        self.looks.append(list(these))
        return self.find(these)

    def ask(self, *those: str) -> None:
        """Each after the look for the one before it."""
        for one in those:
            before = len(self.looks)
            self.poll.ask(one)
            until(lambda seen=before: len(self.looks) > seen)  # type: ignore[misc]


@pytest.fixture
def case() -> Generator[Case, None, None]:
    made = Case()
    yield made
    made.poll.close(FOR_GOOD)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """All are looked for at news only."""
    for pause in ("SHORTEST", "LONGEST"):
        monkeypatch.setattr(polls, pause, FOR_GOOD)


def _threads() -> int:
    return sum("test-poll" in thread.name for thread in threading.enumerate())


@pytest.mark.usefixtures("patient")
def test_whoever_comes_is_looked_for_alone_and_everybody_at_news(case: Case) -> None:
    case.ask("a", "b", "c", "a")
    assert case.looks == [["a"], ["b"], ["c"], ["a"]]
    case.bell.ring(News.SENT)
    until(lambda: len(case.looks) == 5)
    assert case.looks[-1] == ["a", "b", "c"]


def test_everybody_is_looked_for_without_news_as_well(case: Case) -> None:
    case.ask("a", "b")
    until(lambda: case.looks.count(["a", "b"]) > 1)


def test_who_waits_no_more_is_not_looked_for(case: Case) -> None:
    case.ask("a", "b")
    case.over.add("a")
    until(lambda: case.looks[-1] == ["b"])


@pytest.mark.usefixtures("patient")
def test_news_of_another_kind_are_not_heard(case: Case) -> None:
    case.ask("a")
    case.bell.ring(News.ASKED)
    case.ask("b")
    case.bell.ring(News.CHANGED)
    until(lambda: len(case.looks) == 3)
    assert case.looks == [["a"], ["b"], ["a", "b"]]


def test_what_comes_during_a_look_is_looked_for_afterwards(case: Case) -> None:
    looking, go_on = threading.Event(), threading.Event()

    def hold(_: Sequence[str]) -> bool:
        looking.set()
        return go_on.wait(FOR_GOOD)

    case.find = hold
    case.poll.ask("a")
    assert looking.wait(FOR_GOOD)
    case.poll.ask("b")
    go_on.set()
    until(lambda: any("b" in look for look in case.looks))


def test_a_look_that_fails_is_told_to_those_it_was_for(case: Case) -> None:
    def fail(these: Sequence[str]) -> bool:
        case.over.update(these)
        raise ZeroDivisionError

    case.ask("a")
    case.find = fail
    case.ask("b")
    until(lambda: {*case.failed} == {"a", "b"})
    case.find = _find_nothing
    case.ask("c")


def test_a_database_that_is_away_is_nobodys_failure(case: Case) -> None:
    def away(_: Sequence[str]) -> bool:
        if len(case.looks) == 1:
            raise BackendUnavailable("here", "unplugged")
        return True

    case.find = away
    case.poll.ask("a")
    until(lambda: len(case.looks) > 1)
    assert case.failed == []


def test_the_thread_ends_some_time_after_the_last_who_waits(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(polls, "LONGEST", polls.SHORTEST)
    for one in ("a", "b"):
        case.ask(one)
        assert _threads() == 1
        case.over.add(one)
        until(lambda: not _threads())


def test_whoever_waits_when_it_is_closed_is_told_and_whoever_comes_then(case: Case) -> None:
    case.ask("a", "b")
    case.poll.close(FOR_GOOD)
    case.poll.ask("c")
    assert case.dismissed == ["a", "b", "c"]
    assert _threads() == 0


def test_closing_does_not_wait_for_a_database_that_is_away(case: Case) -> None:
    def away(_: Sequence[str]) -> bool:
        raise BackendUnavailable("here", "unplugged")

    case.find = away
    case.ask("a")
    case.poll.close(FOR_GOOD)
    assert _threads() == 0
