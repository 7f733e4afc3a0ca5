"""What is peculiar to mail in a log: one line for news and wake-ups, and a rewrite that keeps both."""

from collections.abc import Generator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest

from perdure.backend import (
    SENT,
    Backend,
    Batch,
    Consumption,
    EventKey,
    Published,
    Refused,
    Subscription,
    Watch,
)
from perdure.errors import BackendUnavailable
from perdure.model import Message, Status
from perdure_compat.fault import Strike
from perdure_compat.harness import Place
from perdure_compat.suite.records import claim, end, finish, get, job, join, own, step, submit
from perdure_logbook import LogbookBackend
from perdure_logbook.harness import LogbookHarness, Mishap

LEASE = timedelta(minutes=1)
WRITE = 2
"""The point at which the first line of a verb is written."""


@pytest.fixture
def backend(tmp_path: Path) -> Generator[LogbookBackend, None, None]:
    with closing(LogbookBackend(f"logbook://{tmp_path}")) as backend:
        backend.migrate()
        join(backend, "a")
        yield backend


def _message(id: str, *, position: int = 1, **changes: Any) -> Message:
    usual = {"workflow_id": "w", "topic": "t", "body_json": f'"{id}"', "sender": "s"}
    return Message(id=id, position=position, **usual | changes)


def _taking(message_id: str, *, seq: int = 1, **changes: Any) -> Batch:
    """A step of `w` that takes a message."""
    taken = Consumption(workflow_id="w", branch="", seq=seq, epoch=1, message_id=message_id)
    return Batch(steps=[step("w", seq)], consumptions=[taken], **changes)


def _inbox(backend: Backend, *topics: str, limit: int = 100) -> list[str]:
    (sight,) = backend.look([Watch(workflow_id="w", topics=topics or ["t"])], limit=limit)
    return [one.id for one in sight.messages]


def _lines(backend: LogbookBackend) -> int:
    return backend.log.path.read_bytes().count(b"\n")


def _outbox(backend: Backend) -> bool:
    pulse = backend.heartbeat("a", lease=LEASE)
    assert pulse is not None
    return pulse.outbox


# ------------------------------------------------------------------- lines


def test_what_happens_and_whom_it_wakes_is_one_line(backend: LogbookBackend) -> None:
    submit(backend, "parent", "fan")
    backend.submit([job("w", parent_id="parent")])
    claim(backend, "a")
    backend.subscribe([Subscription("fan", "w")])
    before = _lines(backend)
    backend.send([_message("m"), _message("n", position=2)])
    assert _lines(backend) == before + 1
    batch = _taking("m", transitions=[end("w")])
    event = step("w", 2, kind="event", name="shipped", output_json="7")
    committed = backend.commit("a", attrs.evolve(batch, steps=[*batch.steps, event]))
    assert committed.wakeups
    assert _lines(backend) == before + 2
    assert backend.wake(limit=100) == 5
    assert _lines(backend) == before + 3
    assert [get(backend, one).wake for one in ("w", "parent", "fan")] == [2, 1, 2]
    assert backend.wake(limit=100) == 0
    assert _lines(backend) == before + 3


def test_a_repeat_and_a_refusal_write_no_line(backend: LogbookBackend) -> None:
    own(backend, "a", "w", "v")
    finish(backend, "a", end("v"))

    def call() -> list[object]:
        return [
            backend.send([_message("m"), _message("m", workflow_id="v")]),
            backend.subscribe([Subscription("w", "v"), Subscription("w", "nobody")]),
            backend.cancel(["w", "v", "nobody"], reason="enough"),
        ]

    told = call()
    asked = {"w": Status.RUNNING, "v": Status.SUCCESS}
    assert told == [[SENT, Refused(Status.SUCCESS)], {"v"}, asked]
    before = _lines(backend)
    assert call() == told
    assert _lines(backend) == before
    assert backend.requests("a") == {"w": "enough"}


def test_a_crash_while_wake_ups_are_counted_loses_none(backend: LogbookBackend) -> None:
    own(backend, "a", "w")
    finish(backend, "a", end("w", Status.WAITING, wake_at=2))
    backend.send([_message("m"), _message("n", position=2)])
    injector = LogbookHarness("logbook:///").injector(backend)
    injector.arm((Strike(WRITE, Mishap("ENOSPC", 0.5)),))
    with pytest.raises(BackendUnavailable):
        backend.wake(limit=100)
    injector.disarm()
    assert (get(backend, "w").wake, get(backend, "w").status) == (0, Status.WAITING)
    assert backend.wake(limit=100) == 2
    assert (get(backend, "w").wake, get(backend, "w").status) == (2, Status.ENQUEUED)
    assert not _outbox(backend)


# ----------------------------------------------------------------- rewrite


def test_a_log_that_is_written_anew_keeps_all_mail(backend: LogbookBackend, tmp_path: Path) -> None:
    backend.submit([job("w", timeout=timedelta(days=1, microseconds=1), detached=True)])
    submit(backend, "v")
    assert len(claim(backend, "a")) == 2
    backend.subscribe([Subscription("w", "v")])
    backend.send([_message(one, position=at) for at, one in enumerate("zbya")])
    event = step("v", kind="event", name="shipped", output_json="7")
    backend.commit("a", _taking("b", transitions=[end("w", Status.WAITING, wake_at=5)]))
    backend.commit("a", Batch(steps=[event]))
    before = get(backend, "w")
    _rewrite(backend)
    with closing(LogbookBackend(f"logbook://{tmp_path}")) as other:
        assert _inbox(other) == _inbox(backend) == ["z", "y", "a"]
        assert get(other, "w") == before
        assert other.send([_message("b")]) == [SENT]
        assert _inbox(other) == ["z", "y", "a"]
        assert other.events([EventKey("v", "shipped")]) == [
            Published(key=EventKey("v", "shipped"), value_json="7")
        ]
        assert finish(other, "a", end("v")).wakeups
        assert [other.wake(limit=4), get(other, "w").status] == [4, Status.WAITING]
        assert [backend.wake(limit=4), get(backend, "w").status] == [2, Status.ENQUEUED]


def _rewrite(backend: LogbookBackend) -> None:
    """Leave nothing but the newest in the log."""
    before = backend.log.path.stat().st_ino
    backend.log.slack = 0
    backend.close()
    for _ in range(200):
        assert backend.heartbeat("a", lease=LEASE) is not None
    assert backend.log.path.stat().st_ino != before


# ------------------------------------------------------------------- order


@pytest.mark.parametrize(
    ("came", "seen"),
    [
        ("", ""),
        ("a1 b1 a2", "a1 b1 a2"),
        ("a2 b1 a1", "a1 b1 a2"),
        ("a3 b2 a1 b1 a2", "a1 b1 a2 b2 a3"),
        ("a2x a1x a2y a1y", "a1x a1y a2x a2y"),
    ],
)
def test_one_sender_s_messages_change_places_if_they_came_out_of_order(
    backend: LogbookBackend, came: str, seen: str
) -> None:
    submit(backend, "w")
    backend.send([_message(one, sender=one[0], position=int(one[1])) for one in came.split()])
    assert _inbox(backend) == seen.split()
    assert _inbox(backend, limit=1) == _inbox(backend)[:1]


def test_a_limit_is_for_each_topic_and_the_order_for_all(backend: LogbookBackend) -> None:
    submit(backend, "w")
    topics = enumerate("tutxu", 1)
    backend.send([_message(str(at), topic=topic, position=at) for at, topic in topics])
    assert _inbox(backend, "u", "t", limit=1) == ["1", "2"]
    assert _inbox(backend, "u", "t", limit=2) == ["1", "2", "3", "5"]


# -------------------------------------------------------------------- time


class Here(Place):
    """A place that is found without being installed."""

    def open(self) -> Backend:
        return LogbookBackend(self.url, namespace=self.namespace)


def test_what_time_does_not_wake_stays_so_when_time_passes(
    backend: LogbookBackend, tmp_path: Path
) -> None:
    own(backend, "a", "w")
    finish(backend, "a", end("w", Status.WAITING, wake_at=1))
    never = get(backend, "w").run_at
    here = Here(url=f"logbook://{tmp_path}", namespace="perdure")
    LogbookHarness(here.url).pass_time(here, timedelta(days=9))
    assert get(backend, "w").run_at == never
    assert (backend.wake(limit=1), get(backend, "w").status) == (0, Status.WAITING)
    join(backend, "b")
    pulse = backend.heartbeat("b", lease=LEASE)
    assert pulse is not None
    assert pulse.next_due is None
