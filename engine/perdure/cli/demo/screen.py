"""What the demo shows: sentences, a progress bar, and the table at the end."""

from types import TracebackType
from typing import Self

import attrs
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from perdure.cli.output import table


@attrs.define
class Screen:
    """A console with a bar while the block lasts."""

    console: Console
    _bar: Progress = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._bar = Progress(
            TextColumn("workflows"),
            BarColumn(bar_width=40),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self.console,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        t: type[BaseException] | None,
        e: BaseException | None,
        tb: TracebackType | None,
        /,
    ) -> None:
        self._bar.stop()

    def say(self, text: str) -> None:
        """A sentence, above the bar."""
        self.console.print(text)

    def expect(self, total: int) -> None:
        """Show the bar."""
        self._bar.add_task("workflows", total=total)
        self._bar.start()

    def progress(self, done: int) -> None:
        """Move the bar."""
        for task in self._bar.task_ids:
            self._bar.update(task, completed=done)

    def finish(self) -> None:
        """Leave the bar as it is."""
        self._bar.stop()

    def tabulate(self, rows: list[tuple[str, str, str]]) -> None:
        """The table at the end."""
        self.console.print()
        self.console.print(table(["", "", ""], rows))
        self.console.print()
