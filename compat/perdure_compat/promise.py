"""What a test proves, in the words of the seam; a failure quotes them."""

import ast
import inspect
import textwrap
from collections.abc import Sequence
from functools import cache

import pytest

MARK = "promise"


def promise(source: object, words: str) -> pytest.MarkDecorator:
    """Mark a test, a class or a module with the promise that it proves.

    Args:
        source: the verb, class or module of the seam whose docstring says it; those
            below the attributes of a class are part of it.
        words: what the docstring says there, letter by letter but for line breaks.

    Raises:
        ValueError: the docstring does not say so.
    """
    if _plain(words) not in said_by(source):
        raise ValueError(f"{name_of(source)} does not promise: {words}")
    return pytest.mark.promise(f"{name_of(source)}: {_plain(words)}")


def name_of(source: object) -> str:
    """The name by which a reader finds the docstring."""
    source = getattr(source, "fget", source)
    return str(getattr(source, "__qualname__", None) or getattr(source, "__name__", source))


def said_by(source: object) -> str:
    """All that the docstring says, and those below its attributes, in one line."""
    texts = [inspect.getdoc(source) or ""]
    if isinstance(source, type):
        texts += _below_attributes(source)
    return _plain("\n".join(texts))


@cache
def _below_attributes(record: type) -> Sequence[str]:
    (definition,) = ast.parse(textwrap.dedent(inspect.getsource(record))).body
    assert isinstance(definition, ast.ClassDef)
    return [
        each.value.value
        for each in definition.body[1:]
        if isinstance(each, ast.Expr)
        and isinstance(each.value, ast.Constant)
        and isinstance(each.value.value, str)
    ]


def _plain(text: str) -> str:
    return " ".join(text.split())
