"""Wrong statements: a backend that is right but for some words of its SQL."""

import attrs

from perdure_backends.sql.backend import SqlBackend
from perdure_backends.sql.compiled import Build, Compiled


@attrs.define(kw_only=True)
class _Rewritten(Compiled):
    """The texts of statements, one of them with other words in it."""

    right: Compiled
    build: Build
    old: str
    new: str

    def text(self, build: Build, *shape: object) -> str:
        """The statement as the wrong backend has it."""
        text = self.right.text(build, *shape)
        if build is not self.build:
            return text
        if self.old not in text:
            raise ValueError(f"{build.__name__} does not say: {self.old}\n{text}")
        return text.replace(self.old, self.new)


def rewrite(backend: SqlBackend, build: Build, old: str, new: str = "") -> None:
    """From now on one statement of this backend says `new` instead of `old`.

    Raises:
        ValueError: when it is executed, if it does not say `old`.
    """
    right = backend.compiled
    backend.compiled = _Rewritten(
        dialect=right.dialect, schema=right.schema, right=right, build=build, old=old, new=new
    )
