"""A database that is away while workflows wait, tell and ask costs time and nothing else."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

import perdure

from .everything import BODIES, WORKFLOWS, all_well, start
from .faulty import Faults, installed
from .support import HOUR, NO_LINGER, engine_of, until

QUICK: dict[str, Any] = {"lease": timedelta(seconds=2), "heartbeat": timedelta(seconds=0.1)}
COLOURS = pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
VERBS = ["look", "send", "subscribe", "events", "submit", "wake", "cancel", "requests"]


@pytest.fixture
def faulty(monkeypatch: pytest.MonkeyPatch) -> Faults:
    return installed(monkeypatch)


def away() -> perdure.BackendUnavailable:
    return perdure.BackendUnavailable("sqlite:///shop.db", "it is unplugged")


def unknown() -> perdure.OutcomeUnknown:
    return perdure.OutcomeUnknown("sqlite:///shop.db", "the answer is lost")


def times(faulty: Faults, verb: str) -> int:
    """How often it was asked."""
    return [asked for asked, _ in faulty.calls].count(verb)


@COLOURS
@pytest.mark.parametrize("linger", [NO_LINGER, HOUR], ids=["outside", "inside"])
@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("break_it", ["fail", "answer_lost"])
def test_what_was_to_be_told_or_asked_is_told_and_asked_later(
    sqlite_url: str,
    faulty: Faults,
    verb: str,
    break_it: str,
    linger: timedelta,
    *,
    is_async: bool,
) -> None:
    with engine_of(sqlite_url, *WORKFLOWS, linger=linger, **QUICK) as engine:
        handle = start(engine, is_async=is_async)
        before = times(faulty, verb)
        breaks: Callable[..., None] = getattr(faulty, break_it)
        breaks(verb, error=away if break_it == "fail" else unknown)
        with engine.worker():
            until(lambda: times(faulty, verb) >= before + 2)
            faulty.clear()
            all_well(engine, handle)
    assert BODIES == {"first": 1, "last": 1}
