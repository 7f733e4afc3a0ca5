"""The demo's workflow: index one source file in three steps, and log each body that runs.

Only the demo and its workers import this module, so that no other worker serves it.
"""

import ast
import hashlib
import json
import os
import signal
import threading
import warnings
from datetime import timedelta
from pathlib import Path
from typing import TypedDict

import perdure

from .files import library

LEASE = timedelta(seconds=3)
LOG = "bodies.log"
STEPS = ("read", "count", "store")

# Python 3.11 counts how deep a tree is for all threads together, and then fails at random.
_parsing = threading.Lock()


class Source(TypedDict):
    """What is recorded of a file; its text stays where it is."""

    size: int
    sha256: str


class Counts(TypedDict):
    """What is in a file."""

    parses: bool
    definitions: int
    imports: int
    lines: int


@perdure.step
def read(file: str, folder: str) -> Source:
    """Size and hash of the file."""
    _log(folder)
    content = (library() / file).read_bytes()
    return Source(size=len(content), sha256=hashlib.sha256(content).hexdigest())


@perdure.step
def count(file: str, folder: str) -> Counts:
    """Definitions, imports and lines; or that the file does not parse."""
    _log(folder)
    content = (library() / file).read_bytes()
    lines = len(content.splitlines())
    try:
        with _parsing:
            tree = ast.parse(content)
    except (SyntaxError, ValueError):
        return Counts(parses=False, definitions=0, imports=0, lines=lines)
    nodes = [*ast.walk(tree)]
    defining = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return Counts(
        parses=True,
        definitions=sum(isinstance(node, defining) for node in nodes),
        imports=sum(isinstance(node, ast.Import | ast.ImportFrom) for node in nodes),
        lines=lines,
    )


@perdure.step
def store(file: str, folder: str, source: Source, counts: Counts) -> str:
    """Write the counts; running twice leaves the same file."""
    _log(folder)
    target = Path(folder, "index", f"{file}.json")
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = target.with_name(f"{target.name}.{os.getpid()}.{threading.get_ident()}")
    fresh.write_text(json.dumps({"file": file, **source, **counts}), encoding="utf-8")
    fresh.replace(target)
    return target.name


@perdure.workflow(name="perdure.demo.index_file")
def index_file(file: str, folder: str) -> Counts:
    """Read, count, store."""
    source = read(file, folder)
    counts = count(file, folder)
    store(file, folder, source, counts)
    return counts


def worker_engine() -> perdure.Engine:
    """The engine of the demo's workers, which end with the demo whatever ends it."""
    warnings.simplefilter("ignore", SyntaxWarning)  # of the files that are parsed
    threading.Thread(target=_end_with_parent, daemon=True).start()
    return perdure.Engine(workflows=[index_file], lease=LEASE, heartbeat=LEASE / 4)


def _end_with_parent() -> None:
    os.read(0, 1)  # of stdin; the demo holds the other end, and never writes
    os.kill(os.getpid(), signal.SIGTERM)


def _log(folder: str) -> None:
    """Note that a body runs. One small write in append mode cannot be torn or lost."""
    step = perdure.current_step()
    line = f"{os.getpid()}\t{step.workflow_id}\t{step.name}\n"
    log = os.open(Path(folder, LOG), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(log, line.encode())
    finally:
        os.close(log)
