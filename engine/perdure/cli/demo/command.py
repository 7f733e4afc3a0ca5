"""The command: its options, its temporary folder, its exit code."""

import shutil
import signal
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated

import attrs
import typer

from perdure.cli.database import database
from perdure.cli.exits import Exit
from perdure.cli.options import DatabaseUrl, Json
from perdure.cli.output import answers, note, notes, say_json

from .report import Report
from .screen import Screen


def demo(
    *,
    embedded_postgres: Annotated[
        bool,
        typer.Option(
            "--embedded-postgres",
            help="Play on a real PostgreSQL that starts from a wheel (the extra `embedded`).",
        ),
    ] = False,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep the folder with the database and the logs.")
    ] = False,
    database_url: DatabaseUrl = None,
    as_json: Json = False,
) -> None:
    """Kill a worker half way; prove nothing was lost.

    Two worker processes index the Python files of the standard library. It plays on
    a fresh SQLite file in a temporary folder unless -d says otherwise, and reads no
    URL from the environment.
    """
    if embedded_postgres and database_url:
        raise typer.BadParameter("give --embedded-postgres or --database-url, not both")
    with _stoppable(), _folder(keep=keep) as folder:
        screen = Screen(notes() if as_json else answers())
        chosen = database(database_url, embedded_postgres=embedded_postgres, folder=folder)
        with chosen as url, screen:
            report = _play(url, folder, screen)
            screen.tabulate([*report.rows()])
            screen.say(report.verdict())
        if keep and not database_url and not embedded_postgres:
            screen.say(f"look yourself:  perdure list -d {url}")
    if as_json:
        say_json(attrs.asdict(report.outcome))
    if not report.good:
        raise typer.Exit(Exit.NO)


def _play(url: str, folder: Path, screen: Screen) -> Report:
    # Not at the top: each worker of this process would serve the demo's workflow.
    from .play import play  # noqa: PLC0415

    return play(url, folder=folder, screen=screen)


@contextmanager
def _folder(*, keep: bool) -> Generator[Path, None, None]:
    """A temporary folder; it stays, and the workers' logs are shown, if anything went wrong."""
    folder = Path(tempfile.mkdtemp(prefix="perdure-demo-"))
    kept = keep
    try:
        yield folder
    except Exception:
        kept = bool(logs := sorted(folder.glob("worker-*.log")))
        for log in logs:
            note(f"--- {log}\n{_tail(log)}")
        raise
    except BaseException:
        kept = False
        raise
    finally:
        if kept:
            note(f"kept {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


def _tail(log: Path, lines: int = 30) -> str:
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])


@contextmanager
def _stoppable() -> Generator[None, None, None]:
    """Clean up after SIGTERM as after Ctrl-C."""

    def stop(number: int, _: FrameType | None) -> None:
        sys.exit(128 + number)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
