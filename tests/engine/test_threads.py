"""Pools of threads: all that was begun is done, once, and as much of it at once as may be."""

import threading
from collections.abc import Generator
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perdure.threads import Pool
from perdure_compat.suite.races import until

SIZE = 8


@pytest.fixture
def pool() -> Generator[Pool, None, None]:
    pool = Pool(SIZE, "tested")
    yield pool
    pool.close()


def _threads(pool: Pool) -> list[threading.Thread]:
    return [one for one in threading.enumerate() if one.name.startswith(f"perdure-{pool.name}-")]


@settings(deadline=None, max_examples=50)
@given(size=st.integers(1, 5), works=st.lists(st.booleans(), min_size=1, max_size=60))
def test_all_that_several_begin_is_done_once(size: int, works: list[bool]) -> None:
    """Some of it blocks for a moment, so that others come meanwhile."""
    pool, done, lock = Pool(size, "law"), [0] * (3 * len(works)), threading.Lock()

    def work(place: int, *, blocks: bool) -> None:
        if blocks:
            threading.Event().wait(0.0005)
        with lock:
            done[place] += 1

    def begin(first: int) -> None:
        for place, blocks in enumerate(works, first):
            pool.begin(partial(work, place, blocks=blocks))

    begun = [threading.Thread(target=begin, args=(n * len(works),)) for n in range(3)]
    for thread in begun:
        thread.start()
    for thread in begun:
        thread.join()
    pool.close()
    until(lambda: sum(done) >= len(done))
    assert done == [1] * len(done)


def test_as_many_works_run_at_once_as_there_may_be_threads(pool: Pool) -> None:
    together = threading.Barrier(SIZE)
    for future in [pool.submit(together.wait) for _ in range(SIZE)]:
        future.result(timeout=30)
    blocked = threading.Event()
    for _ in range(SIZE):
        pool.begin(blocked.wait)
    late = pool.submit(lambda: "late")
    assert not late.done()
    assert len(_threads(pool)) == SIZE
    blocked.set()
    assert late.result(timeout=30) == "late"


def test_what_was_begun_before_the_end_is_done_and_the_threads_go(pool: Pool) -> None:
    hold = threading.Event()
    for _ in range(SIZE):
        pool.begin(hold.wait)
    last = pool.submit(lambda: "last")
    pool.close()
    hold.set()
    assert last.result(timeout=30) == "last"
    until(lambda: not _threads(pool))
