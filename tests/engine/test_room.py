"""Whatever is to be written is cut into calls that carry no more than the database wants."""

from itertools import chain, pairwise

from hypothesis import given
from hypothesis import strategies as st

from perdure.backend import Capabilities
from perdure.room import portions

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
