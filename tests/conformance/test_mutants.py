"""Wrong backends: the suite catches each of them, by the test that is there for it."""

import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from perdure_compat.nouns import NOUNS

from . import mutants
from .judging import LONGEST, Judge
from .mutant import Mutant
from .mutants import MUTANTS

BY_NOUN = {
    noun: list(those)
    for noun, those in groupby(
        sorted(MUTANTS, key=lambda one: NOUNS.index(one.noun)), key=lambda one: one.noun
    )
}


@pytest.fixture(scope="module")
def installed(install: Callable[[str, str], Path]) -> Path:
    """A folder in which a package offers all of them."""
    return install("mutants", mutants.entry_points())


def test_there_are_many_mutants_and_no_two_of_a_name() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) >= 20


@pytest.mark.long(30)
@pytest.mark.parametrize("noun", BY_NOUN)
def test_each_mutant_is_caught(installed: Path, tmp_path: Path, noun: str) -> None:
    door = Judge(tmp_path, [installed, Path(__file__).parents[1]])
    found = _judged(door, BY_NOUN[noun])
    missed = [one for one in BY_NOUN[noun] if not _is_caught(one, found[one.name])]
    assert missed == []


def _judged(door: Judge, those: Sequence[Mutant]) -> Mapping[str, Any]:
    """What the named test of the suite says of each."""
    asked = [
        (f"{one.scheme}://", one.noun, one.caught_by, str(door.folder / f"{one.name}.json"))
        for one in those
    ]
    done = subprocess.run(
        [sys.executable, "-m", "conformance.several"],
        cwd=door.folder,
        env=door.environment(),
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        timeout=LONGEST,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return {
        one.name: json.loads((door.folder / f"{one.name}.json").read_text(encoding="utf-8"))
        for one in those
    }


def _is_caught(mutant: Mutant, report: Any) -> bool:
    """Whether its test, with whichever parameters, found a promise broken."""
    broken = [str(test["name"]) for test in report["tests"] if test["outcome"] == "broken"]
    return any(mutant.caught_by in {name, name.partition("[")[0]} for name in broken)
