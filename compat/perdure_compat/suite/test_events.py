"""Events: the latest value of each name, and who hears of it."""

from datetime import datetime, timedelta

import pytest

from perdure import backend as seam
from perdure.backend import Backend
from perdure.mail import EventKey, Mail, Published, Subscription
from perdure.model import Status, StepRecord
from perdure_compat.promise import promise

from .races import together
from .records import (
    MOMENTS,
    OWNER,
    WHEN,
    claim,
    drain,
    end,
    finish,
    get,
    own,
    record,
    stand,
    step,
    submit,
)
from .texts import IDS, JSON_TEXTS, labelled

ANSWERS = promise(
    Mail.events,
    "The latest values of events, in any order; those never published are left out.",
)
HOLD = promise(
    Mail.events, "The steps of kind `event` and of the event's name hold them as output."
)
LATEST = promise(
    Mail.events, "The latest is the one with the greatest (completed_at, branch, seq)."
)
EXIST = promise(
    Mail.subscribe,
    "Have workflows woken by the end and the events of others; the targets that exist.",
)
AGAIN = promise(Mail.subscribe, "A repeat changes nothing.")


def _event(workflow_id: str, seq: int, value: str, **changes: object) -> StepRecord:
    usual: dict[str, object] = {"name": "e", "kind": "event", "output_json": value}
    return step(workflow_id, seq, **(usual | changes))


def _values(backend: Backend, *keys: EventKey) -> dict[EventKey, str | None]:
    found = backend.events(keys)
    values = {one.key: one.value_json for one in found}
    assert len(values) == len(found)
    return values


# ---------------------------------------------------------------- events


@ANSWERS
@HOLD
@promise(Published, "The latest value of an event.")
@promise(EventKey, "An event of a workflow.")
def test_an_event_has_the_value_that_was_published(backend: Backend) -> None:
    stand(backend, "w", Status.RUNNING)
    assert _values(backend, EventKey("w", "e")) == {}
    record(backend, OWNER, _event("w", 1, '{"a" : 1}'))
    key = EventKey("w", "e")
    assert list(backend.events([key])) == [Published(key=key, value_json='{"a" : 1}')]


@LATEST
def test_the_latest_value_counts(backend: Backend) -> None:
    """By time, whatever its number and whenever it was written."""
    stand(backend, "w", Status.RUNNING)
    for seq, minutes in ((1, 5), (2, 9), (3, 7), (4, 1)):
        at = WHEN + timedelta(minutes=minutes)
        record(backend, OWNER, _event("w", seq, f"{seq}", completed_at=at))
    assert _values(backend, EventKey("w", "e")) == {EventKey("w", "e"): "2"}


@LATEST
def test_of_one_moment_the_last_branch_and_number_counts(backend: Backend) -> None:
    stand(backend, "w", Status.RUNNING)
    key = EventKey("w", "e")
    for place in (("", 2), ("", 10), ("1", 1), ("1", 3), ("10", 1), ("2", 1)):
        branch, seq = place
        record(backend, OWNER, _event("w", seq, f'"{place}"', branch=branch))
        assert _values(backend, key) == {key: f'"{place}"'}
    record(backend, OWNER, _event("w", 12, "0"), _event("w", 2, "1", branch="1"))
    assert _values(backend, key) == {key: "\"('2', 1)\""}


@LATEST
@pytest.mark.parametrize("moment", MOMENTS, ids=str)
def test_any_time_has_its_place(backend: Backend, moment: datetime) -> None:
    stand(backend, "w", Status.RUNNING)
    before = [one for one in MOMENTS if one < moment]
    for seq, at in enumerate([moment, *before], 1):
        record(backend, OWNER, _event("w", seq, f"{seq}", completed_at=at))
    assert _values(backend, EventKey("w", "e")) == {EventKey("w", "e"): "1"}


@HOLD
def test_only_events_are_events(backend: Backend) -> None:
    stand(backend, "w", Status.RUNNING)
    record(backend, OWNER, step("w", 1, name="e"), step("w", 2, name="e", kind="now"))
    assert _values(backend, EventKey("w", "e")) == {}
    record(backend, OWNER, _event("w", 3, "3"), step("w", 4, name="e"))
    assert _values(backend, EventKey("w", "e")) == {EventKey("w", "e"): "3"}


@ANSWERS
@promise(seam, "Nothing to do (an empty sequence or batch, a limit of 0) is no error.")
def test_each_event_of_each_workflow_has_its_value(backend: Backend) -> None:
    for one in ("v", "w"):
        stand(backend, one, Status.RUNNING)
    record(
        backend,
        OWNER,
        *[
            _event(one, seq, f'"{one}{name}"', name=name)
            for one in ("v", "w")
            for seq, name in enumerate(("e", "E", "é"), 1)
        ],
    )
    known = [EventKey(one, name) for one in ("w", "v") for name in ("é", "e", "E")]
    never = [EventKey("w", "f"), EventKey("nobody", "e")]
    assert _values(backend, *never, *known) == {
        key: f'"{key.workflow_id}{key.name}"' for key in known
    }
    assert list(backend.events([])) == []
    assert list(backend.events(never)) == []


@ANSWERS
def test_an_event_outlives_its_workflow(backend: Backend) -> None:
    stand(backend, "w", Status.RUNNING)
    record(backend, OWNER, _event("w", 1, "1"))
    finish(backend, OWNER, end("w"))
    assert _values(backend, EventKey("w", "e")) == {EventKey("w", "e"): "1"}


@promise(seam, "Texts come back as they went in. Ids compare byte by byte.")
@pytest.mark.parametrize("name", labelled(IDS))
def test_an_event_has_any_name(backend: Backend, name: str) -> None:
    stand(backend, "w", Status.RUNNING)
    record(backend, OWNER, _event("w", 1, "1", name=name), _event("w", 2, "2", name=name[:-1]))
    assert _values(backend, EventKey("w", name)) == {EventKey("w", name): "1"}


@promise(seam, "Texts come back as they went in.")
@pytest.mark.parametrize("value", [*labelled(JSON_TEXTS), pytest.param(None, id="none")])
def test_a_value_comes_back_as_it_went_in(backend: Backend, value: str | None) -> None:
    stand(backend, "w", Status.RUNNING)
    record(backend, OWNER, step("w", name="e", kind="event", output_json=value))
    assert _values(backend, EventKey("w", "e")) == {EventKey("w", "e"): value}


# ------------------------------------------------------------- subscribe


@EXIST
@promise(Mail.subscribe, "Subscriptions to targets that do not exist are not written.")
def test_only_what_exists_can_be_subscribed_to(backend: Backend) -> None:
    submit(backend, "w", "target", "x")
    told = backend.subscribe([Subscription("w", one) for one in ("x", "new", "target")])
    assert set(told) == {"x", "target"}
    submit(backend, "new")
    backend.cancel(["new", "target"], reason="over")
    drain(backend)
    assert get(backend, "w").wake == 1


@EXIST
@promise(Mail.subscribe, "what it did before can be read after it.")
def test_what_has_ended_exists(backend: Backend) -> None:
    stand(backend, "target", Status.SUCCESS)
    submit(backend, "w")
    assert set(backend.subscribe([Subscription("w", "target")])) == {"target"}
    drain(backend)
    assert get(backend, "w").wake == 0


@AGAIN
@promise(Mail.subscribe, "May be a transaction for each.")
@promise(seam, "Nothing to do (an empty sequence or batch, a limit of 0) is no error.")
def test_who_subscribes_again_is_woken_once(backend: Backend) -> None:
    submit(backend, "v", "w", "target")
    both = [Subscription("w", "target"), Subscription("v", "target")]
    assert set(backend.subscribe(both)) == {"target"}
    assert set(backend.subscribe(both[:1])) == {"target"}
    assert set(backend.subscribe([])) == set()
    backend.cancel(["target"], reason="over")
    drain(backend)
    assert (get(backend, "v").wake, get(backend, "w").wake) == (1, 1)


@AGAIN
@promise(Mail.subscribe, "What a target does after the answer leaves a wake-up")
def test_subscribing_leaves_both_as_they_were(backend: Backend) -> None:
    for one in ("w", "target"):
        stand(backend, one, Status.RUNNING)
    before = [get(backend, one) for one in ("w", "target")]
    backend.subscribe([Subscription("w", "target")])
    assert [get(backend, one) for one in ("w", "target")] == before


@EXIST
@promise(seam, "**Thread-safe.** Every thread may call every verb")
def test_many_subscribe_to_what_is_written_at_the_time(backend: Backend, rival: Backend) -> None:
    """To several at once, in any order, while these record and end."""
    targets = [f"t{n}" for n in range(4)]
    watchers = [f"w{n}" for n in range(6)]
    own_all(backend, [*watchers, *targets])

    def act(hand: int) -> None:
        one = [backend, rival][hand % 2]
        if hand < len(watchers):
            order = targets if hand % 3 else targets[::-1]
            one.subscribe([Subscription(watchers[hand], target) for target in order])
        else:
            for seq in range(1, 6):
                record(one, OWNER, *[_event(target, seq + 5 * hand, "1") for target in targets])

    together(act, list(range(len(watchers) + 2)))
    drain(backend)
    before = {one.id: one.wake for one in backend.load(watchers)}
    finish(backend, OWNER, *[end(target) for target in targets])
    drain(backend)
    after = {one.id: one.wake - before[one.id] for one in backend.load(watchers)}
    assert after == dict.fromkeys(watchers, len(targets))


def own_all(backend: Backend, every: list[str]) -> None:
    """Let `OWNER` run all of these."""
    stand(backend, "first", Status.SUCCESS)
    own(backend, OWNER, *every)
    assert claim(backend, OWNER) == []
