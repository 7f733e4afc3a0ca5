"""Wakeups: who listens hears of what others have committed, soon and without asking."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from functools import partial

import pytest

from perdure.backend import Backend, News, Wakeups
from perdure_compat.harness import Harness
from perdure_compat.promise import promise

from .listeners import Listener
from .races import until
from .records import submit


@pytest.fixture
def listening() -> Iterator[Callable[[Backend], Listener]]:
    """Begin to listen on a backend; all who do are closed at the end."""
    with ExitStack() as ends:

        def listen(backend: Backend) -> Listener:
            listener = Listener(_wakeups(backend))
            ends.callback(listener.end)
            return listener

        yield listen


def _wakeups(backend: Backend) -> Wakeups:
    wakeups = backend.wakeups()
    if wakeups is None:
        pytest.skip("wakeups: this backend has none and is polled")
    return wakeups


def _tell(backend: Backend, workflow: str, news: News) -> None:
    submit(backend, workflow)
    _wakeups(backend).publish(news)


@promise(Backend.wakeups, "How processes tell each other of news")
@promise(Wakeups, "What a database offers beside its tables. Thread-safe, as a backend is.")
@promise(Wakeups.publish, "whoever listens on the same namespace, in any process, this one too.")
@promise(Wakeups.listen, "Call `heard` for all news until `close`; blocks.")
@promise(Wakeups.listen, "when nothing more is missed that is published from now on.")
@pytest.mark.parametrize("news", [News.ENQUEUED, News.ENDED])
def test_all_who_listen_hear_what_somebody_has_committed(
    backend: Backend, rival: Backend, listening: Callable[[Backend], Listener], news: News
) -> None:
    listeners = [listening(backend), listening(rival), listening(rival)]
    for turn in range(3):
        _tell(backend, f"w{turn}", news)
        for listener in listeners:
            until(partial(listener.hears, news))


@promise(
    Wakeups.tell,
    "Publish without waiting for the database, where that can be done now; else False.",
)
def test_what_is_told_at_once_is_heard_like_what_is_published(
    backend: Backend, rival: Backend, listening: Callable[[Backend], Listener]
) -> None:
    listener = listening(rival)
    with closing(_wakeups(backend)) as wakeups:
        for news in (News.ENQUEUED, News.ENDED, News.SENT):
            submit(backend, f"told-{news}")
            if not wakeups.tell(news):
                wakeups.publish(news)
            until(partial(listener.hears, news))


@promise(Wakeups.publish, "Tell whoever listens on the same namespace")
def test_news_stay_in_their_namespace(
    harness: Harness, backend: Backend, listening: Callable[[Backend], Listener]
) -> None:
    elsewhere = harness.fresh()
    with closing(elsewhere.open()) as other:
        other.migrate()
        here, there = listening(backend), listening(other)
        there.hears(News.CHANGED)
        for turn in range(3):
            _tell(backend, f"w{turn}", News.ENQUEUED)
            until(lambda: here.hears(News.ENQUEUED))
        assert not there.heard
        there.end()
    harness.dispose(elsewhere)


@promise(Wakeups.close, "Let `listen` return, soon, and listen no more.")
@promise(Backend.wakeups, "For each call a new one: it belongs to who asked, who closes it.")
@promise(Wakeups.listen, "`ready` is called once")
def test_a_listener_that_is_closed_returns_and_the_others_go_on(
    backend: Backend, listening: Callable[[Backend], Listener]
) -> None:
    first, second = listening(backend), listening(backend)
    assert first.end()
    first.heard.clear()
    _tell(backend, "w", News.ENQUEUED)
    until(partial(second.hears, News.ENQUEUED))
    assert not first.heard
    assert (first.readied, second.readied) == (1, 1)
