"""What the benchmark shows while it runs."""

from types import TracebackType
from typing import Self

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from perdure.cli.output import notes


class Bar:
    """A progress bar on stderr while the block lasts; one line for each thing that is done."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=40),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=notes(),
            transient=True,
        )

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        t: type[BaseException] | None,
        e: BaseException | None,
        tb: TracebackType | None,
        /,
    ) -> None:
        self._progress.stop()

    def show(self, what: str, done: int, of: int) -> None:
        """This far."""
        text = f"{self._title}: {what}"
        found = [task.id for task in self._progress.tasks if task.description == text]
        task = found[0] if found else self._progress.add_task(text)
        self._progress.update(task, completed=done, total=of)
