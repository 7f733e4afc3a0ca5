"""The bell between processes: rung seldom, heard by who waits, trusted when proven."""

import threading
from collections.abc import Callable, Generator
from contextlib import closing

import attrs
import pytest

from perdure import bell as bells
from perdure import clock
from perdure.backend import News, Wakeups
from perdure.bell import Bell
from perdure.errors import BackendUnavailable
from perdure_compat.suite.races import until


@attrs.define(eq=False)
class Wire:
    """A wire inside this process, which may be cut or swallow everything."""

    deaf: bool = False
    ready: bool = False
    """What is told needs no waiting."""
    published: list[News] = attrs.field(factory=list[News])
    times: list[float] = attrs.field(factory=list[float])
    """When each was published."""
    listens: int = 0
    ends: "list[End]" = attrs.field(factory=list["End"])

    def end(self) -> "End":
        """Another end of it."""
        self.ends.append(End(self))
        return self.ends[-1]

    def cut(self) -> None:
        """The connections are lost."""
        for end in self.ends:
            end.cut()


@attrs.define(eq=False)
class End(Wakeups):
    """It hears what is told at other ends, and is spared its own news."""

    wire: Wire
    heard: Callable[[News], None] | None = None
    _over: threading.Event = attrs.field(factory=threading.Event)

    def publish(self, news: News) -> None:
        self.wire.published.append(news)
        self.wire.times.append(clock.monotonic())
        for end in self.wire.ends:
            if end is not self and end.heard is not None and not self.wire.deaf:
                end.heard(news)

    def tell(self, news: News) -> bool:
        if self.wire.ready:
            self.publish(news)
        return self.wire.ready

    def listen(self, heard: Callable[[News], None], *, ready: Callable[[], None]) -> None:
        self.wire.listens += 1
        over = self._over = threading.Event()
        self.heard = heard
        ready()
        over.wait()
        self.heard = None
        if over is self._over:
            return
        raise BackendUnavailable("the wire", "it was cut")

    def cut(self) -> None:
        """The connection is lost."""
        over, self._over = self._over, threading.Event()
        over.set()

    def close(self) -> None:
        self._over.set()


@pytest.fixture
def wire() -> Wire:
    """A wire that works."""
    return Wire()


@pytest.fixture
def bell(wire: Wire) -> Generator[Bell, None, None]:
    """A bell at one end."""
    with closing(Bell(wire.end)) as bell:
        yield bell


def test_a_listener_is_called_for_its_news_alone(wire: Wire, bell: Bell) -> None:
    work, ends = threading.Event(), threading.Event()
    bell.on(News.ENQUEUED, call=work.set)
    bell.on(News.ENDED, call=ends.set)
    until(lambda: bell.proven)
    work.clear()
    ends.clear()
    bell.ring(News.ENDED)
    until(ends.is_set)
    assert not work.is_set()
    until(lambda: News.ENDED in wire.published)


def test_who_is_taken_off_is_called_no_more(bell: Bell) -> None:
    first, second = threading.Event(), threading.Event()
    bell.on(News.ENQUEUED, call=first.set)
    bell.on(News.ENQUEUED, call=second.set)
    until(lambda: bell.proven)
    bell.off(first.set)
    first.clear()
    second.clear()
    bell.ring(News.ENQUEUED)
    until(second.is_set)
    assert not first.is_set()


def test_this_process_hears_its_own_rings_at_once_and_once(wire: Wire, bell: Bell) -> None:
    calls: list[str] = []
    bell.on(News.ENQUEUED, call=lambda: calls.append("call"))
    until(lambda: bell.proven)
    calls.clear()
    bell.ring(News.ENQUEUED)
    assert calls == ["call"]
    until(lambda: News.ENQUEUED in wire.published)
    bell.ring(News.ENDED)
    until(lambda: News.ENDED in wire.published)
    assert calls == ["call"]


def test_another_process_hears_a_ring(wire: Wire, bell: Bell) -> None:
    work = threading.Event()
    with closing(Bell(wire.end)) as other:
        other.on(News.ENQUEUED, call=work.set)
        until(lambda: other.proven)
        work.clear()
        bell.ring(News.ENQUEUED)
        until(work.is_set)


def test_many_rings_go_out_as_few(wire: Wire, bell: Bell) -> None:
    for _ in range(10_000):
        bell.ring(News.ENQUEUED)
    until(lambda: wire.published)
    bell.ring(News.ENDED)
    until(lambda: News.ENDED in wire.published)
    assert wire.published.count(News.ENQUEUED) < 1_000


def test_a_ring_goes_out_at_once_where_that_takes_no_waiting_and_the_next_after_a_pause(
    wire: Wire, bell: Bell
) -> None:
    wire.ready = True
    bell.ring(News.ENQUEUED)
    assert wire.published == [News.ENQUEUED]
    for _ in range(100):
        bell.ring(News.ENDED)
        bell.ring(News.SENT)
    until(lambda: {News.ENDED, News.SENT} <= set(wire.published))
    assert wire.times[1] - wire.times[0] >= bells.QUIET


def test_what_is_left_to_ring_goes_out_at_the_end(wire: Wire) -> None:
    wire.ready = True
    with closing(Bell(wire.end)) as bell:
        bell.ring(News.ENQUEUED)
        bell.ring(News.ENDED)
    assert set(wire.published) == {News.ENQUEUED, News.ENDED}


def test_a_bell_that_hears_what_is_rung_at_another_end_is_proven(bell: Bell) -> None:
    assert not bell.proven
    bell.on(News.ENQUEUED, call=lambda: None)
    until(lambda: bell.proven)


def test_a_bell_whose_rings_are_swallowed_is_never_proven(
    wire: Wire, bell: Bell, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(bells, "DEAF_AFTER", 0.05)
    caplog.set_level("INFO", logger="perdure")
    wire.deaf = True
    bell.on(News.ENQUEUED, call=lambda: None)
    until(lambda: wire.published)
    until(lambda: "no news come through" in caplog.text)
    assert not bell.proven


def test_a_lost_connection_is_made_again_and_proven_again(wire: Wire, bell: Bell) -> None:
    calls = threading.Event()
    bell.on(News.ENQUEUED, call=calls.set)
    until(lambda: bell.proven)
    calls.clear()
    wire.cut()
    until(lambda: wire.listens == 2)
    until(lambda: bell.proven)
    until(calls.is_set)


def test_without_wakeups_nothing_is_started() -> None:
    before = threading.active_count()
    bell = Bell(lambda: None)
    bell.on(News.ENQUEUED, call=lambda: None)
    bell.ring(News.ENQUEUED)
    assert threading.active_count() == before
    assert not bell.proven
    bell.close()


def test_a_closed_bell_ends_its_threads(wire: Wire) -> None:
    bell = Bell(wire.end)
    bell.on(News.ENQUEUED, call=lambda: None)
    until(lambda: bell.proven)
    bell.close()
    until(
        lambda: not {"perdure-bell", "perdure-listener"} & {t.name for t in threading.enumerate()}
    )
