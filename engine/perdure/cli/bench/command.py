"""The command: its options, which run follows which, and what it prints."""

import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated

import attrs
import typer

from perdure.cli.database import database
from perdure.cli.opening import where
from perdure.cli.options import DatabaseUrl, Json
from perdure.cli.output import answers, notes, say_json, table
from perdure.engine import Engine

from .figures import Figures, medians
from .run import Run
from .setting import Mode, Setting, Workload
from .show import Bar

_USUAL = {
    Workload.LATENCY: 200,
    Workload.STEPS: 3,
    Workload.RECOVERY: 1000,
    Workload.IDLE: 0,
    Workload.MESSAGES: 2000,
}
_STEPS = {Workload.STEPS: 1000}


def bench(
    workload: Annotated[
        Workload, typer.Argument(metavar="WORKLOAD", help=f"{', '.join(Workload)}.")
    ],
    *,
    workflows: Annotated[
        int | None, typer.Option(min=1, help="How many; by default what suits the workload.")
    ] = None,
    steps: Annotated[int | None, typer.Option(min=0, help="Steps of each workflow.")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Worker processes.")] = 2,
    payload: Annotated[int, typer.Option(min=0, help="Bytes of each argument and result.")] = 100,
    mode: Annotated[Mode, typer.Option(help="The colour of the workflows.")] = Mode.ASYNC,
    pin: Annotated[
        bool,
        typer.Option(
            "--pin", help="Keep each worker process on one processor (Linux; not for `recovery`)."
        ),
    ] = False,
    repeat: Annotated[int, typer.Option(min=1, help="Runs, of which it tells the medians.")] = 3,
    history: Annotated[
        int, typer.Option(min=1, help="Ended workflows that `history` begins with.")
    ] = 1_000_000,
    seconds: Annotated[float, typer.Option(min=1, help="How long `idle` looks on.")] = 10.0,
    embedded_postgres: Annotated[
        bool,
        typer.Option(
            "--embedded-postgres",
            help="Measure a real PostgreSQL that starts from a wheel (the extra `embedded`).",
        ),
    ] = False,
    database_url: DatabaseUrl = None,
    as_json: Json = False,
) -> None:
    """Measure what the database gives, and what the engine leaves of it.

    Each run has tables of its own, which are gone afterwards; a fresh SQLite file
    unless -d or --embedded-postgres says otherwise, and no URL from the environment.
    Only figures of one call can be compared: machines differ, and are not alone.
    """
    if embedded_postgres and database_url:
        raise typer.BadParameter("give --embedded-postgres or --database-url, not both")
    if pin and not hasattr(os, "sched_setaffinity"):
        raise typer.BadParameter("--pin: this system does not let a process choose its processors")
    setting = Setting(
        workload=workload,
        workflows=workflows or _USUAL.get(workload, 20_000),
        steps=_STEPS.get(workload, 1) if steps is None else steps,
        workers=workers,
        payload=payload,
        mode=mode,
        pin=pin,
        repeat=repeat,
        history=history,
        seconds=seconds,
    )
    made = tempfile.TemporaryDirectory(prefix="perdure-bench-", ignore_cleanup_errors=True)
    with made as name:
        folder = Path(name)
        chosen = database(database_url, embedded_postgres=embedded_postgres, folder=folder)
        with chosen as url:
            backend = where(Engine(url))
            runs = _runs(setting, url, folder)
    found = medians(runs)
    console = notes() if as_json else answers()
    console.print(f"{workload} on {backend}, median of {len(runs)} runs")
    console.print(table(["", ""], [(name, f"{value:,.2f}") for name, value in found.items()]))
    said = {**attrs.asdict(setting), "backend": backend, "runs": runs, **found}
    say_json(said) if as_json else None


def _measures() -> Mapping[Workload, Callable[[Run], Figures]]:
    # Not at the top: each worker of this process would serve the benchmark's workflows.
    from .answering import latency, steps  # noqa: PLC0415
    from .draining import drain, history, limit, snapshot  # noqa: PLC0415
    from .enqueueing import enqueue  # noqa: PLC0415
    from .idling import idle  # noqa: PLC0415
    from .messaging import messages  # noqa: PLC0415
    from .recovering import recovery  # noqa: PLC0415
    from .waiting import waiting  # noqa: PLC0415

    alone = (latency, steps, recovery, idle, waiting, messages)
    each = (drain, enqueue, history, snapshot, limit, *alone)
    return {Workload(measure.__name__): measure for measure in each}


def _runs(setting: Setting, url: str, folder: Path) -> list[Figures]:
    measure = _measures()[setting.workload]
    runs: list[Figures] = []
    for number in range(setting.repeat):
        with Bar(f"run {number + 1} of {setting.repeat}") as bar:
            run = Run(setting=setting, url=url, folder=folder, show=bar.show)
            runs.append({name: round(value, 4) for name, value in measure(run).items()})
    return runs
