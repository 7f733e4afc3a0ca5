"""One run of a workload: its setting, its ground, and somebody to tell about progress."""

from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import attrs

from perdure.call import Call

from .crew import Member, crew
from .ground import Ground, ground
from .setting import Setting

_CONCURRENCY = _THREADS = 500


@attrs.frozen(kw_only=True)
class Run:
    """What a workload is given."""

    setting: Setting
    url: str
    folder: Path
    show: Callable[[str, int, int], None]
    """Told what goes on, how far it is, and how far it goes."""

    @contextmanager
    def ground(self) -> Generator[Ground, None, None]:
        """Fresh tables."""
        with ground(self.url, self.folder) as fresh:
            yield fresh

    def call(self) -> Call[Any]:
        """One of the workflows that the setting asks for."""
        from .programs import call  # noqa: PLC0415 (it registers workflows)

        return call(self.setting.mode, number=self.setting.steps, payload=self.setting.payload)

    def fill(self, where: Ground) -> Sequence[str]:
        """Start all workflows; their ids."""
        with where.engine() as engine:
            call = self.call()
            calls = (call for _ in range(self.setting.workflows))
            return [handle.id for handle in engine.start_many(calls)]

    def worker(self) -> dict[str, Any]:
        """The options of a worker."""
        return {"concurrency": _CONCURRENCY, "threads": _THREADS}

    def crew(
        self, where: Ground, *, size: int | None = None
    ) -> AbstractContextManager[Sequence[Member]]:
        """Worker processes, ready to go."""
        setting = self.setting
        size = setting.workers if size is None else size
        return crew(
            where, "work", size=size, pinned=setting.pin, mode=setting.mode, **self.worker()
        )

    def follow(self, what: str, ended: Iterable[int], of: int) -> None:
        """Show progress until there is no more."""
        for number in ended:
            self.show(what, number, of)
