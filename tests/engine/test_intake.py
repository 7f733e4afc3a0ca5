"""Starts that come while others are being written share the next write, and nothing else."""

import threading
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from itertools import chain
from typing import Any, TypeAlias

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import perdure
from perdure import intake as intakes
from perdure.backend import Capabilities, Existing, Submission
from perdure.errors import BackendUnavailable
from perdure.intake import Intake
from perdure.url import open_backend
from perdure_compat.reference import MemoryBackend

from .faulty import installed
from .support import WITHIN, Memory, until

Answers: TypeAlias = Sequence[Existing | None]
WHOLE = Capabilities()


def submission(id: str, name: str = "greet", text: str = '{"args":[]}') -> Submission:
    return Submission(id=id, name=name, input_json=text)


def _well(_: Sequence[str]) -> None:
    """Nothing happens to a write."""


@attrs.define(eq=False)
class Counter:
    """An intake whose connection is taken, while callers come in threads of their own."""

    backend: MemoryBackend
    pool: ThreadPoolExecutor
    before: Callable[[Sequence[str]], None] = _well
    """What happens to a write of these ids, before it does anything."""
    writes: list[list[str]] = attrs.field(factory=list[list[str]])
    turn: threading.Lock = attrs.field(factory=threading.Lock)
    intake: Intake[Submission, Existing | None] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        def submit(submissions: Sequence[Submission]) -> Sequence[Existing | None]:
            ids = [one.id for one in submissions]
            self.writes.append(ids)
            self.before(ids)
            existing = {one.id: one for one in self.backend.submit(submissions)}
            return [existing.get(each) for each in ids]

        self.intake = Intake(submit, lambda one: one.id, self.turn, WHOLE)

    def come(self, *requests: Sequence[Submission]) -> "list[Future[Answers]]":
        """All of them, one after the other, before anything is written."""
        coming: list[Future[Answers]] = []
        with self.turn:
            for request in requests:
                coming.append(self.pool.submit(self.intake.put, request))
                until(lambda: self.intake.waiting == len(coming))
        return coming

    def rush(self, *requests: Sequence[Submission]) -> "list[Future[Answers]]":
        """All of them at about the same time."""
        with self.turn:
            return [self.pool.submit(self.intake.put, request) for request in requests]

    def names(self) -> dict[str, str]:
        """What is there, by id."""
        ids = set[str]().union(*self.writes)
        return {one.id: one.name for one in self.backend.load(ids)}


@pytest.fixture
def counter(memory: Memory) -> Generator[Counter, None, None]:
    backend = open_backend(memory.url, namespace="perdure")
    assert isinstance(backend, MemoryBackend)
    backend.migrate()
    with closing(backend), ThreadPoolExecutor(20) as pool:
        yield Counter(backend, pool)


def answer(coming: "Future[Answers]") -> list[str]:
    """The ids that were there already."""
    return [one.id for one in coming.result(WITHIN.total_seconds()) if one is not None]


def test_whoever_comes_during_a_write_shares_the_next_one(counter: Counter) -> None:
    coming = counter.come(*[[submission(f"w-{i:02}")] for i in range(10)])
    assert [answer(one) for one in coming] == [[]] * 10
    assert counter.writes == [[f"w-{i:02}" for i in range(10)]]
    assert len(counter.names()) == 10


def test_everybody_is_told_what_was_there_of_the_own(counter: Counter) -> None:
    counter.intake.put([submission("b"), submission("d")])
    coming = counter.come(
        [submission("a"), submission("b")], [submission("c")], [submission("d"), submission("e")]
    )
    assert [answer(one) for one in coming] == [["b"], [], ["d"]]


def test_an_id_that_two_want_is_the_firsts_and_there_for_the_other(counter: Counter) -> None:
    coming = counter.rush([submission("a", "one")], [submission("a", "two")])
    told = [answer(one) for one in coming]
    assert sorted(told) == [[], ["a"]]
    assert counter.names() == {"a": "one" if told == [[], ["a"]] else "two"}


def test_a_write_takes_no_more_than_it_may(counter: Counter) -> None:
    half = WHOLE.max_batch // 2 + 1
    coming = counter.rush(
        *[[submission(f"{who}-{i:04}") for i in range(half)] for who in ("a", "b", "c")]
    )
    assert [answer(one) for one in coming] == [[]] * 3
    assert [len(write) for write in counter.writes] == [half] * 3


def test_a_write_carries_no_more_text_than_it_may(counter: Counter) -> None:
    text = "x" * (WHOLE.max_text // 2 + 1)
    coming = counter.rush(*[[submission(f"w-{i}", text=text)] for i in range(3)])
    assert [answer(one) for one in coming] == [[]] * 3
    assert sorted(counter.writes) == [["w-0"], ["w-1"], ["w-2"]]


def test_one_that_is_refused_is_refused_alone(counter: Counter) -> None:
    def refuse(ids: Sequence[str]) -> None:
        if "bad" in ids:
            raise ValueError(ids)

    counter.before = refuse
    one, bad, other = counter.come([submission("a")], [submission("bad")], [submission("c")])
    assert (answer(one), answer(other)) == ([], [])
    with pytest.raises(ValueError, match="bad"):
        bad.result(WITHIN.total_seconds())
    assert counter.names().keys() == {"a", "c"}
    assert counter.writes.count(["bad"]) == 1


def test_a_database_that_is_away_is_away_for_all(counter: Counter) -> None:
    def away(_: Sequence[str]) -> None:
        raise BackendUnavailable("here", "unplugged")

    counter.before = away
    coming = counter.come([submission("a")], [submission("b")])
    for one in coming:
        with pytest.raises(BackendUnavailable):
            one.result(WITHIN.total_seconds())
    assert counter.writes == [["a", "b"]]

    counter.before = _well
    assert answer(counter.come([submission("a")])[0]) == []


def test_nobody_waits_for_a_thread_that_was_interrupted(counter: Counter) -> None:
    """Before its write or after it: what is there already is told, and was its own."""

    def interrupt(ids: Sequence[str]) -> None:
        if len(ids) == 3:
            raise KeyboardInterrupt

    counter.before = interrupt
    first, *others = counter.come([submission("a")], [submission("b")], [submission("c")])
    with pytest.raises(KeyboardInterrupt):
        first.result(WITHIN.total_seconds())
    assert [answer(one) for one in others] == [[], []]
    assert counter.names().keys() == {"b", "c"}


def test_nobody_waits_for_a_thread_that_was_interrupted_before_it_could_do_anything(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, interrupts = vars(Intake)["_lead"], iter([KeyboardInterrupt])

    def lead(*args: object) -> None:
        for interrupt in interrupts:
            raise interrupt
        real(*args)

    monkeypatch.setattr(Intake, "_lead", lead)
    monkeypatch.setattr(intakes, "LATE", 0.05)
    first, *others = counter.come([submission("a")], [submission("b")], [submission("c")])
    with pytest.raises(KeyboardInterrupt):
        first.result(WITHIN.total_seconds())
    assert [answer(one) for one in others] == [[], []]
    assert counter.writes == [["a", "b", "c"]]


def test_a_write_that_takes_long_is_made_once(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intakes, "LATE", 0.001)
    begun, go_on = threading.Event(), threading.Event()

    def hang(_: Sequence[str]) -> None:
        begun.set()
        assert go_on.wait(WITHIN.total_seconds())

    counter.before = hang
    coming = counter.come([submission("a")], [submission("b")])
    assert begun.wait(WITHIN.total_seconds())
    go_on.set()
    assert [answer(one) for one in coming] == [[], []]
    assert counter.writes == [["a", "b"]]


def test_whoever_comes_alone_writes_alone(counter: Counter) -> None:
    for each in ("a", "b"):
        assert counter.intake.put([submission(each)]) == [None]
    assert counter.writes == [["a"], ["b"]]


_NAMES = st.sampled_from(["one", "two"])
_REQUESTS = st.lists(st.dictionaries(st.sampled_from("abcdef"), _NAMES, min_size=1), max_size=12)


@settings(max_examples=60, deadline=None)
@given(requests=_REQUESTS)
def test_each_id_is_new_to_one_caller_and_there_for_all_others(
    requests: list[dict[str, str]],
) -> None:
    """However they are grouped: whoever is told nothing of an id has written it."""
    fresh = Memory.fresh()
    backend: Any = open_backend(fresh.url, namespace="perdure")
    backend.migrate()
    with closing(backend), ThreadPoolExecutor(20) as pool:
        counter = Counter(backend, pool)
        wanted = [[submission(*pair) for pair in request.items()] for request in requests]
        coming = counter.rush(*wanted)
        there = [
            {one.id: one.name for one in each.result(30) if one is not None} for each in coming
        ]
        found = counter.names()
    written = [
        pair
        for request, told in zip(requests, there, strict=True)
        for pair in request.items()
        if pair[0] not in told
    ]
    assert sorted(written) == sorted(found.items())
    assert all(pair in found.items() for told in there for pair in told.items())
    assert found.keys() == set[str]().union(*requests)


def test_threads_that_start_at_once_make_fewer_transactions_than_starts(database_url: str) -> None:
    """Whatever else they wait for: the first and the others, at the very least."""

    @perdure.workflow(name="intake.hello")
    def hello() -> None:
        """Never run."""

    with (
        perdure.Engine(database_url, workflows=[hello], migrate=True) as engine,
        ThreadPoolExecutor(16) as pool,
    ):
        engine.start(hello)
        go = threading.Barrier(16)

        def start_ten(_: int) -> list[str]:
            go.wait(WITHIN.total_seconds())
            return [engine.start(hello).id for _ in range(10)]

        started = list(chain.from_iterable(pool.map(start_ten, range(16))))
        found = [record.run_at for record in engine.find()]
    assert len(set(started)) == 160
    assert len(found) == 161
    assert len(set(found)) <= 80  # all of a transaction are due at its time


def test_threads_that_send_at_once_lose_nothing_and_repeat_nothing(database_url: str) -> None:
    """And the messages of each come in the order in which it sent them."""
    topic: perdure.Topic[tuple[int, int]] = perdure.Topic("words", tuple[int, int])

    @perdure.workflow(name="intake.listen")
    def listen(count: int) -> list[tuple[int, int]]:
        return [perdure.receive(topic) for _ in range(count)]

    senders, each = 16, 5
    with (
        perdure.Engine(database_url, workflows=[listen], migrate=True) as engine,
        ThreadPoolExecutor(senders) as pool,
    ):
        handle = engine.start(listen, senders * each)
        go = threading.Barrier(senders)

        def send(sender: int) -> None:
            go.wait(WITHIN.total_seconds())
            for number in range(each):
                handle.send(topic, (sender, number), key=f"{sender}-{number}")
                handle.send(topic, (sender, number), key=f"{sender}-{number}")

        list(pool.map(send, range(senders)))
        with engine.worker():
            came = handle.result(timeout=WITHIN)
    assert sorted(came) == [(sender, number) for sender in range(senders) for number in range(each)]
    for sender in range(senders):
        assert [number for one, number in came if one == sender] == list(range(each))


def test_a_message_that_is_written_is_sent_though_nobody_can_apply_it_now(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic: perdure.Topic[str] = perdure.Topic("word", str)

    @perdure.workflow(name="intake.hear")
    def hear() -> str:
        return perdure.receive(topic)

    faults = installed(monkeypatch)
    with perdure.Engine(sqlite_url, workflows=[hear], migrate=True) as engine:
        handle = engine.start(hear)
        faults.fail("wake", error=lambda: BackendUnavailable("here", "unplugged"))
        handle.send(topic, "hello")
        faults.clear()
        with engine.worker():
            assert handle.result(timeout=WITHIN) == "hello"
