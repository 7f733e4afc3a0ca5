"""A failure in few words: what was wrong, and the shortest example of it."""

from collections.abc import Iterator
from typing import cast

LONGEST = 20
"""Lines of one message; the whole of it is in the output of the run."""

_IDLE = ("", "Use -v to get more diff")
"""What pytest says to whom can give it options."""


def told(error: BaseException) -> str:
    """What was wrong, from its class and message."""
    first = next(_each(error))
    lines = f"{type(first).__name__}: {first}".splitlines()
    found = [line for line in lines if line.strip() not in _IDLE]
    return "\n".join([*found[:LONGEST], "…"] if len(found) > LONGEST else found)


def example_of(error: BaseException) -> str:
    """The shrunk example that was found on the way to it, if one was looked for."""
    first = next(_each(error))
    notes = [*getattr(first, "__notes__", ()), *(getattr(error, "__notes__", ()))]
    return "\n".join(dict.fromkeys(str(note) for note in notes))


def _each(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        group = cast("BaseExceptionGroup[BaseException]", error)
        for one in group.exceptions:
            yield from _each(one)
    else:
        yield error
