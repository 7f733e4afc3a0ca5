"""Statements as texts, each compiled once for a process."""

from collections.abc import Callable
from functools import cache
from typing import Any

import attrs

from .dialect import Dialect

Build = Callable[..., Any]

_ANY_SCHEMA = "the_schema_of_perdure"
"""Stands in the texts that schemas share for the name of each."""


@attrs.define
class Compiled:
    """The texts of statements for one dialect and one schema.

    A statement is named by the function that builds it and by what the function
    is given beside the dialect: its shape.
    """

    dialect: Dialect
    schema: str | None
    _texts: dict[tuple[object, ...], str] = attrs.field(factory=dict[tuple[object, ...], str])

    def text(self, build: Build, *shape: object) -> str:
        """The statement with the driver's named placeholders."""
        key = (build, *shape)
        found = self._texts.get(key)
        if found is None:
            found = self._texts[key] = self._here(_text(self.dialect, build, *shape))
        return found

    def _here(self, text: str) -> str:
        if self.schema is None:
            return text.replace(f"{_ANY_SCHEMA}.", "")
        quote = self.dialect.compiler().identifier_preparer.quote
        return text.replace(_ANY_SCHEMA, quote(self.schema))


@cache
def _text(dialect: Dialect, build: Build, *shape: object) -> str:
    """The statement for any schema: compiling takes longer than most statements do."""
    compiled = build(dialect, *shape).compile(
        dialect=dialect.compiler(),
        schema_translate_map={None: _ANY_SCHEMA},
        render_schema_translate=True,
    )
    # A parameter with a value would be lost: only the text is kept.
    given: dict[str, Any] = compiled.params or {}
    hidden = [name for name, value in given.items() if value is not None]
    if hidden:
        raise AssertionError(f"values that are not constants: {hidden}\n{compiled}")
    return str(compiled)
