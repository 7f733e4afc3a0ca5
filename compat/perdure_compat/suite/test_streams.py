"""Streams: what an owner writes is there once, in the order of offsets, for anybody to read."""

from contextlib import suppress

import pytest

from perdure import backend as seam
from perdure.backend import Backend, Batch
from perdure.errors import BackendRefused
from perdure.model import Status
from perdure.streams import Item, Reading, Streams
from perdure_compat.promise import promise

from .races import at_once, together, until
from .records import (
    HIGHEST,
    claim,
    end,
    finish,
    get,
    item,
    join,
    own,
    read,
    scrambled,
    step,
    steps_of,
    submit,
    wait,
    write,
)
from .texts import IDS, JSON_TEXTS, MAY_REFUSE, labelled

WRITTEN = promise(Streams, "Items are written by `commit`.")
THERE = promise(
    Batch, "Of streams; each is there after the call, or its workflow is not the worker's."
)
AS_STEPS = promise(
    Backend.commit,
    "Items of streams are written in their workflow's name as steps are, and have no answer.",
)
GUARDED = promise(
    Backend.commit,
    "an operation is written only if its workflow is running, owned by the worker, under "
    "the operation's epoch.",
)
DEAD = promise(Backend.commit, "Nothing is written if the worker is dead;")
ALL_OR_NOTHING = promise(seam, "**One verb is one transaction**")
AGAIN = promise(seam, "after a lost answer the engine calls it again with the same arguments.")
FIRST = promise(
    Item,
    "One item of a stream. The first with an offset counts, for each workflow and stream.",
)
READ = promise(
    Backend.read,
    "Up to `limit` items of each stream, the first after an offset, in the order of offsets.",
)
AFTER = promise(Reading, "The last offset that was read; -1 before the first.")
IN_ORDER = promise(
    Backend.read,
    "What a workflow writes becomes visible in that order, so that no later read brings an "
    "item before one that was read.",
)
HOLES = promise(Item, "it has holes.")
TEXTS_RETURN = promise(seam, "Texts come back as they went in.")
NOTHING_TO_DO = promise(
    seam, "Nothing to do (an empty sequence or batch, a limit of 0) is no error."
)
BIG = 3 << 32 | 7
"""An offset as epochs make them."""


def offsets(items: list[Item]) -> list[int]:
    """Where items stand in their streams."""
    return [one.offset for one in items]


# ----------------------------------------------------------------- write


@WRITTEN
@THERE
@READ
@promise(Item, "It holds no value")
def test_items_come_back_as_they_were_written(backend: Backend) -> None:
    join(backend, "a")
    own(backend, "a", "w")
    given = [
        item("w", 0),
        item("w", 1, place="1:2", attempt=2),
        item("w", 2, value_json=None),
        item("w", 3, value_json=None, closes=True),
    ]
    told = write(backend, "a", *given)
    assert (told.fenced, told.wakeups) == (False, False)
    assert [*told.steps, *told.waits, *told.transitions] == []
    assert read(backend, "w") == given


@AS_STEPS
@ALL_OR_NOTHING
@promise(Backend.commit, "Write a worker's steps, waits and transitions: the journal's one verb.")
def test_items_share_a_batch_with_everything_else(backend: Backend) -> None:
    """Answers are for the others alone, and who ends may write until then."""
    join(backend, "a")
    own(backend, "a", "v", "w")
    told = backend.commit(
        "a",
        Batch(
            steps=[step("w")],
            waits=[wait("v")],
            items=[item("w"), item("v", 4), item("w", 1)],
            transitions=[end("w"), end("v", Status.WAITING)],
        ),
    )
    assert (len(told.steps), len(told.waits)) == (1, 1)
    assert list(told.transitions) == [Status.SUCCESS, Status.WAITING]
    assert read(backend, "w") == [item("w"), item("w", 1)]
    assert read(backend, "v") == [item("v", 4)]


@THERE
@FIRST
@AGAIN
def test_a_repeat_writes_no_item_twice(backend: Backend) -> None:
    join(backend, "a")
    own(backend, "a", "w")
    batch = Batch(items=[item("w", 0), item("w", 1)], transitions=[end("w")])
    for _ in range(2):
        assert list(backend.commit("a", batch).transitions) == [Status.SUCCESS]
        assert read(backend, "w") == [item("w", 0), item("w", 1)]


@THERE
@FIRST
def test_the_first_item_with_an_offset_stays(backend: Backend) -> None:
    """Also when others of the batch are new."""
    join(backend, "a")
    own(backend, "a", "w")
    write(backend, "a", item("w", 1))
    other = item("w", 1, value_json="2", place="7", attempt=3, closes=True)
    told = backend.commit("a", Batch(steps=[step("w")], items=[item("w", 0), other, item("w", 2)]))
    assert not told.fenced
    assert read(backend, "w") == [item("w", 0), item("w", 1), item("w", 2)]
    assert steps_of(backend, "w") == [step("w")]


@FIRST
def test_each_workflow_and_stream_has_offsets_of_its_own(backend: Backend) -> None:
    join(backend, "a")
    own(backend, "a", "v", "w")
    given = [item(one, 0, stream=name) for one in ("v", "w") for name in ("log", "Log", "b")]
    write(backend, "a", *given)
    assert [found for one in given for found in read(backend, one.workflow_id, one.stream)] == given


@GUARDED
@promise(seam, "Every write is conditional on the state it expects")
def test_only_the_owner_writes_items(backend: Backend) -> None:
    """Under its own epoch, until the end: what else the batch has is there."""
    join(backend, "a", "b")
    own(backend, "b", "v")
    own(backend, "a", "w", "ended")
    finish(backend, "a", end("ended"))
    submit(backend, "x")
    foreign = [item("v"), item("x", epoch=0), item("ended"), item("nobody"), item("w", 8, epoch=2)]
    told = write(backend, "a", *foreign, item("w", 9))
    assert not told.fenced
    assert read(backend, "w") == [item("w", 9)]
    for other in ("v", "x", "ended", "nobody"):
        assert read(backend, other) == []
    write(backend, "nobody", item("w"))
    assert offsets(read(backend, "w")) == [9]


@GUARDED
@promise(seam, "Every write is conditional on the state it expects")
def test_an_epoch_that_is_over_writes_no_item(backend: Backend) -> None:
    """Its own repeat finds what it wrote, and adds nothing."""
    join(backend, "a")
    own(backend, "a", "w")
    write(backend, "a", item("w", 0))
    finish(backend, "a", end("w", Status.ENQUEUED))
    write(backend, "a", item("w", 1))
    assert claim(backend, "a")[0].epoch == 2
    write(backend, "a", item("w", 0), item("w", 2))
    assert read(backend, "w") == [item("w", 0)]
    write(backend, "a", item("w", BIG, epoch=2))
    assert read(backend, "w") == [item("w", 0), item("w", BIG, epoch=2)]


@DEAD
@promise(Backend.leave, "Declare oneself dead.")
def test_a_dead_worker_writes_no_item(backend: Backend) -> None:
    """Though the workflow is still its own, by name."""
    join(backend, "a")
    own(backend, "a", "w")
    write(backend, "a", item("w", 0))
    backend.leave("a")
    assert write(backend, "a", item("w", 0), item("w", 1)).fenced
    assert get(backend, "w").owner == "a"
    assert read(backend, "w") == [item("w", 0)]


@ALL_OR_NOTHING
@MAY_REFUSE
@promise(Backend.commit, "the database will never take this batch; nothing of it was written")
@pytest.mark.parametrize("poison", ["\ud800", "nul\0byte"], ids=["surrogate", "nul"])
def test_an_item_that_is_refused_takes_its_batch_along(backend: Backend, poison: str) -> None:
    """A value is refused with all of its batch, or comes back as it went in."""
    join(backend, "a")
    own(backend, "a", "w")
    odd = item("w", 1, value_json=poison)
    batch = Batch(steps=[step("w")], items=[item("w", 0), odd], transitions=[end("w")])
    try:
        backend.commit("a", batch)
    except BackendRefused:
        assert (read(backend, "w"), steps_of(backend, "w")) == ([], [])
        assert get(backend, "w").status is Status.RUNNING
    else:
        assert read(backend, "w") == [item("w", 0), odd]


@TEXTS_RETURN
@pytest.mark.parametrize("text", labelled(JSON_TEXTS))
def test_the_value_of_an_item_is_any_text(backend: Backend, text: str) -> None:
    join(backend, "a")
    own(backend, "a", "w")
    given = item("w", value_json=text)
    write(backend, "a", given)
    assert read(backend, "w") == [given]


@TEXTS_RETURN
@pytest.mark.parametrize("text", labelled(IDS))
def test_the_name_of_a_stream_is_any_text(backend: Backend, text: str) -> None:
    join(backend, "a")
    own(backend, "a", "w")
    given = item("w", stream=text, place=text)
    write(backend, "a", given, item("w", stream=text + "."))
    assert read(backend, "w", text) == [given]


# ------------------------------------------------------------------ read


@READ
@HOLES
def test_items_stand_in_the_order_of_their_offsets(backend: Backend) -> None:
    """As numbers, whatever the order in which a batch has them."""
    join(backend, "a")
    own(backend, "a", "w")
    given = [item("w", offset) for offset in (0, 2, 9, 10, 11, 100, HIGHEST)]
    write(backend, "a", *scrambled(given))
    assert read(backend, "w") == given


@READ
@promise(Item, "also from epoch to epoch; it has holes.")
def test_offsets_and_attempts_may_be_as_large_as_epochs_make_them(backend: Backend) -> None:
    join(backend, "a")
    own(backend, "a", "w")
    given = [item("w", offset, attempt=(7 << 16) + 1) for offset in (HIGHEST, BIG, 1 << 60)]
    write(backend, "a", *given)
    assert read(backend, "w") == given
    assert read(backend, "w", after=BIG) == given[2:]


@READ
@AFTER
@promise(Reading, "A stream, and what was read of it already.")
def test_only_what_comes_after_is_read(backend: Backend) -> None:
    """Also after an offset that nothing has, and after the last."""
    join(backend, "a")
    own(backend, "a", "w")
    write(backend, "a", *[item("w", offset) for offset in (0, 1, 5, 9)])
    wanted = {-1: [0, 1, 5, 9], 0: [1, 5, 9], 1: [5, 9], 3: [5, 9], 5: [9], 9: [], 1 << 60: []}
    for after, rest in wanted.items():
        assert offsets(read(backend, "w", after=after)) == rest


@READ
def test_a_limit_takes_the_first(backend: Backend) -> None:
    """Page for page, until there is no more."""
    join(backend, "a")
    own(backend, "a", "w")
    write(backend, "a", *[item("w", offset) for offset in range(0, 10, 2)])
    after, pages = -1, list[list[int]]()
    for _ in range(4):
        pages.append(offsets(read(backend, "w", after=after, limit=2)))
        after = max([after, *pages[-1]])
    assert pages == [[0, 2], [4, 6], [8], []]


@READ
@AFTER
def test_several_streams_are_read_at_once(backend: Backend) -> None:
    """Of several workflows; each from where it was read, and each up to the limit."""
    join(backend, "a")
    own(backend, "a", "v", "w")
    places = [(one, name) for one in ("v", "w") for name in ("log", "other")]
    given = [item(one, offset, stream=name) for one, name in places for offset in range(5)]
    write(backend, "a", *scrambled(given))
    starts = dict(zip(places, (-1, 3, 1, 4), strict=True))
    readings = [
        Reading(workflow_id=one, stream=name, after=after) for (one, name), after in starts.items()
    ]
    found = backend.read([*scrambled(readings), *_unknown()], limit=3)
    wanted = {("v", "log"): [0, 1, 2], ("v", "other"): [4], ("w", "log"): [2, 3, 4]}
    theirs = {
        place: [one for one in found if (one.workflow_id, one.stream) == place] for place in places
    }
    assert {place: offsets(each) for place, each in theirs.items() if each} == wanted
    assert sum(map(len, wanted.values())) == len(found)
    assert all(one in given for one in found)


def _unknown() -> list[Reading]:
    return [
        Reading(workflow_id=one, stream=name, after=-1)
        for one, name in (("nobody", "log"), ("w", "nothing"), ("log", "w"))
    ]


@NOTHING_TO_DO
@promise(Backend.read, "A workflow or a stream that does not exist has none.")
def test_where_nothing_is_nothing_is_read(backend: Backend) -> None:
    join(backend, "a")
    own(backend, "a", "w")
    write(backend, "a", item("w"))
    assert list(backend.read([], limit=10)) == []
    assert list(backend.read(_unknown(), limit=10)) == []
    assert read(backend, "w", limit=0) == []


@READ
@GUARDED
def test_what_was_written_stays_whatever_becomes_of_the_workflow(backend: Backend) -> None:
    """Who has ended, was suspended or is the next owner's is read as before."""
    join(backend, "a", "b")
    own(backend, "a", "v", "w")
    write(backend, "a", item("v"), item("w"))
    finish(backend, "a", end("v"), end("w", Status.ENQUEUED))
    backend.leave("a")
    assert [one.id for one in claim(backend, "b")] == ["w"]
    write(backend, "b", item("w", BIG, epoch=2))
    assert read(backend, "v") == [item("v")]
    assert read(backend, "w") == [item("w"), item("w", BIG, epoch=2)]


# ------------------------------------------------------------ concurrency


@IN_ORDER
@THERE
def test_a_reader_that_follows_misses_nothing(backend: Backend, rival: Backend) -> None:
    """While another process writes, and a second workflow makes it busy."""
    join(backend, "a")
    own(backend, "a", "v", "w")
    given = [item("w", offset) for offset in range(60)]

    def follow() -> list[Item]:
        seen = list[Item]()

        def more() -> bool:
            seen.extend(read(rival, "w", after=seen[-1].offset if seen else -1, limit=7))
            return len(seen) == len(given) or seen != given[: len(seen)]

        with suppress(AssertionError):
            until(more)
        return seen

    def publish() -> None:
        for start in range(0, len(given), 3):
            few = given[start : start + 3]
            write(backend, "a", *few, item("v", start))

    seen, _ = at_once(follow, publish)
    assert seen == given


@FIRST
@promise(seam, "**Thread-safe.** Every thread may call every verb")
def test_of_two_that_write_at_once_one_counts(backend: Backend) -> None:
    """The same offsets, from several threads of one owner: of each there is one."""
    join(backend, "a")
    own(backend, "a", "w")
    batches = [
        [item("w", offset, value_json=f"{turn}") for offset in range(20)] for turn in range(4)
    ]
    together(lambda batch: write(backend, "a", *scrambled(batch)), batches)
    found = read(backend, "w")
    assert offsets(found) == list(range(20))
    given = [one for batch in batches for one in batch]
    assert all(one in given for one in found)
