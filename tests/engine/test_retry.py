"""Which errors are tried again, how often, and after which pause."""

import math
from datetime import timedelta
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.clock import LONGEST
from perdure.errors import ConfigurationError, GiveUp
from perdure.retry import ONCE, Retry

SPANS = st.timedeltas(min_value=timedelta(), max_value=timedelta(days=400))
SHARES = st.floats(0, 1)
RETRIES = st.builds(
    Retry,
    st.none() | st.integers(1, 10),
    delay=SPANS,
    factor=st.floats(1, 1e6),
    max_delay=SPANS,
    jitter=SHARES,
)
TRIES = st.integers(1, 1_000_000)


NONSENSE: list[tuple[dict[str, Any], str]] = [
    ({"attempts": 0}, "first included"),
    ({"attempts": -1}, "None for ever"),
    ({"attempts": 2.5}, "attempts"),
    ({"attempts": True}, "attempts"),
    ({"attempts": "3"}, "attempts"),
    ({"delay": 1}, "delay is a timedelta"),
    ({"delay": timedelta(seconds=-1)}, "delay"),
    ({"max_delay": None}, "max_delay"),
    ({"factor": 0.5}, "factor"),
    ({"factor": math.nan}, "factor"),
    ({"factor": math.inf}, "factor"),
    ({"jitter": 1.5}, "jitter"),
    ({"jitter": -0.1}, "jitter"),
    ({"jitter": "a"}, "jitter"),
    ({"on": "ValueError"}, "on is"),
    ({"on": KeyboardInterrupt}, "on is"),
    ({"on": (ValueError, 3)}, "on is"),
    ({"on": int}, "on is"),
    ({"never_on": print}, "never_on is"),
    ({"never_on": BaseException}, "never_on is"),
]


@given(RETRIES, TRIES, SHARES)
def test_a_pause_is_never_longer_than_the_longest_nor_negative(
    retry: Retry, attempt: int, random: float
) -> None:
    assert timedelta() <= retry.pause(attempt, random) <= retry.max_delay


@given(RETRIES, TRIES, SHARES)
def test_jitter_takes_at_most_its_share(retry: Retry, attempt: int, random: float) -> None:
    full = retry.pause(attempt, 0)

    least = full * (1 - retry.jitter)
    assert least - timedelta(microseconds=1) <= retry.pause(attempt, random) <= full


@given(RETRIES, TRIES, SHARES)
def test_pauses_never_become_shorter(retry: Retry, attempt: int, random: float) -> None:
    assert retry.pause(attempt, random) <= retry.pause(attempt + 1, random)


@given(RETRIES, TRIES)
def test_without_jitter_chance_has_no_part(retry: Retry, attempt: int) -> None:
    exact = attrs.evolve(retry, jitter=0)

    assert exact.pause(attempt, 0) == exact.pause(attempt, 1)


def test_pauses_double_by_default_up_to_five_minutes() -> None:
    pauses = [Retry().pause(attempt, 0).total_seconds() for attempt in range(1, 12)]

    assert pauses == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    assert Retry().pause(3, 1) == timedelta(seconds=2)


def test_a_pause_is_arithmetic_for_ever() -> None:
    assert Retry(None).pause(10**9, 0.5) == timedelta(minutes=3.75)
    assert Retry(delay=timedelta()).pause(10**9, 0.5) == timedelta()
    assert Retry(factor=1, delay=timedelta(seconds=2)).pause(10**9, 0) == timedelta(seconds=2)
    assert Retry(delay=timedelta(hours=1)).pause(1, 0) == timedelta(minutes=5)


@given(st.integers(1, 20), st.integers(1, 40))
def test_attempts_count_every_try(attempts: int, attempt: int) -> None:
    assert Retry(attempts).wants(ValueError(), attempt) is (attempt < attempts)
    assert Retry(None).wants(ValueError(), attempt)


def test_once_never_tries_again() -> None:
    assert not ONCE.wants(ValueError(), 1)


@pytest.mark.parametrize(
    ("retry", "wanted"),
    [
        (Retry(), {ValueError, KeyError, OSError}),
        (Retry(on=LookupError), {KeyError}),
        (Retry(on=(LookupError, OSError)), {KeyError, OSError}),
        (Retry(never_on=LookupError), {ValueError, OSError}),
        (Retry(never_on=(LookupError, OSError)), {ValueError}),
        (Retry(on=lambda error: isinstance(error, OSError)), {OSError}),
        (Retry(on=lambda _: True, never_on=OSError), {ValueError, KeyError}),
        (Retry(on=()), set[type[Exception]]()),
    ],
)
def test_only_the_wanted_errors_are_tried_again(retry: Retry, wanted: set[type[Exception]]) -> None:
    assert {cls for cls in (ValueError, KeyError, OSError) if retry.wants(cls(), 1)} == wanted


@pytest.mark.parametrize(
    "error", [GiveUp("no"), KeyboardInterrupt(), SystemExit(), GeneratorExit()]
)
def test_who_gives_up_or_is_interrupted_is_not_tried_again(error: BaseException) -> None:
    assert not Retry(None, on=lambda _: True).wants(error, 1)


@pytest.mark.parametrize(("options", "why"), NONSENSE)
def test_what_makes_no_sense_is_refused_by_name(options: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigurationError, match=why):
        Retry(**options)


def test_a_predicate_that_fails_is_not_hidden() -> None:
    def broken(error: Exception) -> bool:
        raise RuntimeError(error)

    with pytest.raises(RuntimeError):
        Retry(on=broken).wants(ValueError(), 1)


def test_a_pause_for_ever_is_one_that_can_be_waited_for() -> None:
    patient = Retry(delay=timedelta.max, max_delay=timedelta.max)
    assert patient.pause(1, 0.0) == patient.pause(1000, 0.0) == LONGEST
