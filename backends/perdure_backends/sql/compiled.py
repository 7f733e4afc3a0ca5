"""Statements as texts, each compiled once for a backend."""

from collections.abc import Callable
from typing import Any

import attrs

from .dialect import Dialect

Build = Callable[..., Any]


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
            found = self._texts[key] = self._compile(build(self.dialect, *shape))
        return found

    def _compile(self, statement: Any) -> str:
        compiled = statement.compile(
            dialect=self.dialect.compiler(),
            schema_translate_map={None: self.schema} if self.schema else None,
            render_schema_translate=bool(self.schema),
        )
        # A parameter with a value would be lost: only the text is kept.
        given: dict[str, Any] = compiled.params or {}
        hidden = [name for name, value in given.items() if value is not None]
        if hidden:
            raise AssertionError(f"values that are not constants: {hidden}\n{compiled}")
        return str(compiled)
