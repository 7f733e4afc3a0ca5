"""Where output goes: answers to stdout, everything said beside them to stderr."""

import sys
from collections.abc import Sequence
from typing import Any, TextIO

import orjson
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

_WIDE = 10_000
"""Columns where nobody looks: a pipe gets whole ids, not cut ones."""


def answers() -> Console:
    """A console on stdout."""
    return _console(sys.stdout)


def notes() -> Console:
    """A console on stderr."""
    return _console(sys.stderr)


def _console(stream: TextIO) -> Console:
    # What users named things is shown as it is, never read as markup.
    return Console(
        file=stream,
        width=None if stream.isatty() else _WIDE,
        soft_wrap=True,
        highlight=False,
        markup=False,
        emoji=False,
    )


def note(text: str) -> None:
    """Say something to the person who watches."""
    sys.stderr.write(text + "\n")


def say(text: str) -> None:
    """Answer in words."""
    sys.stdout.write(text + "\n")


def say_json(value: Any) -> None:
    """Answer with one line of JSON."""
    sys.stdout.write(orjson.dumps(value).decode() + "\n")
    sys.stdout.flush()


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """A table without lines."""
    made = Table(
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        show_edge=False,
        show_header=any(columns),
        header_style="bold",
    )
    for column in columns:
        made.add_column(column, overflow="fold")
    for row in rows:
        made.add_row(*(Text(cell) for cell in row))
    return made
