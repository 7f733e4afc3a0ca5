"""How much one call carries to the database: so many operations, and so much text."""

from collections.abc import Iterator, Sequence
from typing import Protocol, TypeVar

import attrs

from .exchange import Capabilities

T = TypeVar("T")


class Sized(Protocol):
    """Something to write."""

    @property
    def size(self) -> int:
        """How many characters of text it carries."""
        ...


@attrs.define
class Room:
    """What is left of one call. What is too large for any takes all of one."""

    whole: Capabilities
    _operations: int = attrs.field(init=False)
    _text: int = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._operations, self._text = self.whole.max_batch, self.whole.max_text

    def take(self, operations: int, text: int) -> bool:
        """Take up so much; False, and nothing is taken up, where less is left."""
        operations = min(operations, self.whole.max_batch)
        text = min(text, self.whole.max_text)
        if operations > self._operations or text > self._text:
            return False
        self._operations -= operations
        self._text -= text
        return True


def portions(
    items: Sequence[T], sizes: Sequence[int], capabilities: Capabilities
) -> Iterator[Sequence[T]]:
    """What each call carries, in order.

    Args:
        items: what is to be written.
        sizes: how many characters of text each of them carries.
        capabilities: of the database.
    """
    if len(items) <= capabilities.max_batch and sum(sizes) <= capabilities.max_text:
        if items:
            yield items  # as nearly always
        return
    room, portion = Room(capabilities), list[T]()
    for item, size in zip(items, sizes, strict=True):
        if not room.take(1, size):
            yield portion
            room, portion = Room(capabilities), []
            room.take(1, size)
        portion.append(item)
    yield portion
