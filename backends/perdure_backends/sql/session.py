"""One lent connection beside the statements that were compiled for it."""

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import attrs
from sqlalchemy.exc import SQLAlchemyError

from .compiled import Build, Compiled
from .dialect import Dialect
from .link import Link

NO_PARAMETERS: Mapping[str, Any] = {}


@attrs.frozen
class Session:
    """What a verb works with."""

    link: Link
    compiled: Compiled

    @property
    def dialect(self) -> Dialect:
        """The kind of database."""
        return self.compiled.dialect

    def rows(
        self, build: Build, parameters: Mapping[str, Any], *shape: object
    ) -> Sequence[tuple[Any, ...]]:
        """Run a statement and fetch all it returns.

        Always all: a statement that is read half way keeps its locks on SQLite.
        """
        return self.execute(self.compiled.text(build, *shape), parameters)

    def count(self, build: Build, each: Sequence[dict[str, Any]], *shape: object) -> int:
        """Run a statement for each of these parameters; how many rows it wrote in all."""
        if not each:
            return 0
        return self.link.count(self.compiled.text(build, *shape), each)

    @contextmanager
    def transaction(self, *, begin: Callable[[], object]) -> Generator[None, None, None]:
        """All that is executed inside, or nothing of it."""
        begin()
        try:
            yield
            self.execute("COMMIT")
        except BaseException:
            # It may have failed because the connection is gone. A COMMIT that fails
            # may leave the transaction open, and not every connection is given up.
            with suppress(SQLAlchemyError):
                self.execute("ROLLBACK")
            raise

    def execute(
        self, text: str, parameters: Mapping[str, Any] = NO_PARAMETERS
    ) -> Sequence[tuple[Any, ...]]:
        """Run a text as it is."""
        return self.link.rows(text, parameters)
