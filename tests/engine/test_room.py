"""Whatever is to be written is cut into calls that carry no more than the database wants."""

from concurrent.futures import Future
from itertools import chain, pairwise

from hypothesis import given
from hypothesis import strategies as st

from perdure.backend import Capabilities
from perdure.courier import Errands
from perdure.room import Room, portions

CAPABILITIES = st.builds(Capabilities, max_batch=st.integers(1, 5), max_text=st.integers(1, 20))
SIZES = st.lists(st.integers(0, 30), max_size=20)


@given(SIZES, CAPABILITIES)
def test_all_of_it_goes_in_order_and_nothing_twice(sizes: list[int], whole: Capabilities) -> None:
    items = list(enumerate(sizes))
    cut = list(portions(items, sizes, whole))
    assert list(chain(*cut)) == items
    assert all(cut)


@given(SIZES, CAPABILITIES)
def test_no_call_carries_too_much_unless_one_thing_alone_does(
    sizes: list[int], whole: Capabilities
) -> None:
    for portion in portions(sizes, sizes, whole):
        assert len(portion) <= whole.max_batch
        written = [size for size in portion if size]
        assert sum(written) <= whole.max_text or len(written) == 1


@given(SIZES, CAPABILITIES)
def test_no_call_could_have_carried_what_the_next_one_begins_with(
    sizes: list[int], whole: Capabilities
) -> None:
    for portion, after in pairwise(portions(sizes, sizes, whole)):
        full = len(portion) == whole.max_batch
        assert full or sum(portion) + after[0] > whole.max_text


@given(SIZES, CAPABILITIES)
def test_nothing_is_sent_before_what_had_no_room(sizes: list[int], whole: Capabilities) -> None:
    """A small message does not overtake a large one of the same sender."""
    errands: Errands[tuple[int, int], None] = Errands(
        lambda _: [], key=lambda one: one[0], size=lambda one: one[1]
    )
    items = list(enumerate(sizes))
    errands.waiting = [(item, Future()) for item in items]
    sent: list[tuple[int, int]] = []
    while errands.waiting:
        sent += [item for item, _ in errands.next(Room(whole))]
    assert sent == items
