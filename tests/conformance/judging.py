"""The suite as people run it: a process in a folder of its own, and the reports that it writes."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs

LONGEST = 900.0
"""Seconds for one database: a multiple of what it takes."""
JSON = "report.json"
PAGE = "report.md"


@attrs.frozen
class Judged:
    """How a run ended, and what it wrote."""

    code: int
    out: str
    err: str
    folder: Path

    @property
    def json(self) -> Any:
        """The report for programs."""
        return json.loads((self.folder / JSON).read_text(encoding="utf-8"))

    @property
    def page(self) -> str:
        """The report for people."""
        return (self.folder / PAGE).read_text(encoding="utf-8")

    @property
    def everything(self) -> str:
        """All that anybody gets to read."""
        written = [path.read_text(encoding="utf-8") for path in self.folder.iterdir()]
        return "\n".join([self.out, self.err, *written])

    def names(self, outcome: str) -> set[str]:
        """The tests that ended so."""
        return {test["name"] for test in self.json["tests"] if test["outcome"] == outcome}


@attrs.frozen
class Judge:
    """Runs `python -m perdure_compat` with both reports; what is on `path` is installed."""

    folder: Path
    path: Sequence[Path] = ()
    longest: float = LONGEST
    """Seconds."""

    def __call__(self, *arguments: str) -> Judged:
        """Judge what the arguments name."""
        return self.run("perdure_compat", *arguments, "--json", JSON, "--report", PAGE)

    def run(self, module: str, *arguments: str, path: Sequence[Path] = ()) -> Judged:
        """Run a module with exactly these arguments."""
        done = subprocess.run(  # noqa: S603 (our own interpreter and module)
            [sys.executable, "-m", module, *arguments],
            cwd=self.folder,
            env=self.environment(*path),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=self.longest,
            check=False,
        )
        return Judged(done.returncode, done.stdout, done.stderr, self.folder)

    def environment(self, *path: Path) -> dict[str, str]:
        """Ours, with what is installed."""
        places = [*map(str, path), *map(str, self.path), os.environ.get("PYTHONPATH", "")]
        return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, places))}
