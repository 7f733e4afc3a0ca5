"""`perdure worker`: serve the workflows of a module until a signal."""

import logging
import os
import sys
import threading
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated

import attrs
import typer

from perdure.engine import Engine
from perdure.worker import Worker

from .durations import duration
from .loading import load
from .opening import option_for, where
from .options import DatabaseUrl, Json
from .output import note, say_json

_GRACE = timedelta(seconds=25)
_GLANCE = 0.01


def worker(
    module: Annotated[
        str | None,
        typer.Argument(
            metavar="MODULE[:ENGINE]",
            help="What to import, and which engine in it (or which function that returns one). "
            "Default: [tool.perdure] engine in pyproject.toml.",
        ),
    ] = None,
    *,
    imports: Annotated[
        list[str] | None,
        typer.Option("--import", metavar="MODULE", help="One more module. Repeatable."),
    ] = None,
    concurrency: Annotated[
        int | None, typer.Option(min=1, help="How many workflows at once; 500 by default.")
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(min=1, help="How many sync workflows and steps at once; 100 by default."),
    ] = None,
    queue: Annotated[
        list[str] | None,
        typer.Option(help="Serve this queue only. Repeatable. Default: those of the workflows."),
    ] = None,
    grace: Annotated[
        timedelta | None,
        typer.Option(
            parser=duration,
            metavar="DURATION",
            help="How long a drain waits for step bodies; 25s by default.",
        ),
    ] = None,
    database_url: DatabaseUrl = None,
    as_json: Json = False,
) -> None:
    """Run workflows until Ctrl-C or SIGTERM.

    The first signal drains: what has begun may finish, the rest goes back to the
    queue. A second one ends the process at once.
    """
    engine = load(module, imports=imports or (), database_url=database_url)
    # No effect where the module has set up logging already.
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s"
    )
    with engine:
        working = engine.worker(
            concurrency=concurrency,
            threads=threads,
            queues=queue or None,
            grace=_GRACE if grace is None else grace,
        )
        _announce_joined(working, _Service.of(engine, queue), as_json=as_json)
        working.run()
    if as_json:
        say_json({"event": "stopped", "pid": os.getpid()})
    note(f"stopped; perdure list{option_for(engine.url)}  shows what was done")


@attrs.frozen(kw_only=True)
class _Service:
    """What a worker serves."""

    pid: int = attrs.field(factory=os.getpid)
    workflows: Sequence[str]
    queues: Sequence[str]
    database: str

    @classmethod
    def of(cls, engine: Engine, queue: Sequence[str] | None) -> "_Service":
        """What the engine's workers serve, on these queues or on those of the workflows."""
        serving = engine.serving()
        return cls(
            workflows=sorted(definition.name for definition in serving),
            queues=list(queue or dict.fromkeys([*(d.queue for d in serving), "default"])),
            database=where(engine),
        )

    def tell(self, *, as_json: bool) -> None:
        """Say it."""
        note(f"serves      {', '.join(self.workflows)}")
        note(f"queues      {', '.join(self.queues)}")
        note(f"database    {self.database}")
        note(f"process     {self.pid}; Ctrl-C or SIGTERM drains it")
        if as_json:
            say_json({"event": "started"} | attrs.asdict(self))


def _announce_joined(working: Worker, service: _Service, *, as_json: bool) -> None:
    """Say what is served once the worker has joined, so that whoever reads it may rely on it."""

    def announce() -> None:
        while working.id is None:
            time.sleep(_GLANCE)
        service.tell(as_json=as_json)

    threading.Thread(target=announce, daemon=True).start()
