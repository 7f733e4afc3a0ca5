"""Whatever time or duration somebody says becomes one that can be waited for and stored."""

import threading
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import perdure
from perdure import clock

ZONES = st.timedeltas(timedelta(hours=-23), timedelta(hours=23)).map(timezone)
FIRST, LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


@given(st.timedeltas())
def test_any_duration_can_be_waited_for_and_added_to_the_present(duration: timedelta) -> None:
    bounded = clock.bounded(duration)
    assert bounded.total_seconds() <= threading.TIMEOUT_MAX
    assert clock.now() + bounded
    assert bounded == duration or abs(duration) > abs(bounded) == clock.LONGEST
    assert (bounded < timedelta(0)) == (duration < timedelta(0))


@given(st.timedeltas(), st.timedeltas())
def test_longer_durations_are_not_shorter(one: timedelta, other: timedelta) -> None:
    shorter, longer = sorted([one, other])
    assert clock.bounded(shorter) <= clock.bounded(longer)


@given(st.datetimes(timezones=ZONES))
@example(datetime.max.replace(tzinfo=timezone(timedelta(hours=-1))))
@example(datetime.min.replace(tzinfo=timezone(timedelta(hours=1))))
def test_a_moment_is_the_same_in_utc_if_utc_has_it(when: datetime) -> None:
    if FIRST <= when <= LAST:
        assert clock.utc(when) == when
        assert clock.utc(when).tzinfo is UTC
    else:
        with pytest.raises(perdure.UsageError, match="9999"):
            clock.utc(when)


def test_a_moment_has_a_zone() -> None:
    with pytest.raises(perdure.UsageError, match="time zone"):
        clock.utc(datetime(2030, 1, 1))  # noqa: DTZ001 (that is what is refused)
