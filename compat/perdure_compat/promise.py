"""What a test proves, in the words of the seam; a failure quotes them."""

import inspect

import pytest

MARK = "promise"


def promise(source: object, words: str) -> pytest.MarkDecorator:
    """Mark a test, a class or a module with the promise that it proves.

    Args:
        source: the verb, class or module of the seam whose docstring says it.
        words: what the docstring says there, letter by letter but for line breaks.

    Raises:
        ValueError: the docstring does not say so.
    """
    if _plain(words) not in _plain(inspect.getdoc(source) or ""):
        raise ValueError(f"{name_of(source)} does not promise: {words}")
    return pytest.mark.promise(f"{name_of(source)}: {_plain(words)}")


def name_of(source: object) -> str:
    """The name by which a reader finds the docstring."""
    return str(getattr(source, "__qualname__", None) or getattr(source, "__name__", source))


def _plain(text: str) -> str:
    return " ".join(text.split())
