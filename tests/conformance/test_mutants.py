"""Wrong backends: the suite catches each of them, by the test that is there for it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from . import mutants
from .judging import Judge
from .mutant import Mutant
from .mutants import MUTANTS


@pytest.fixture(scope="module")
def installed(install: Callable[[str, str], Path]) -> Path:
    """A folder in which a package offers all of them."""
    return install("mutants", mutants.entry_points())


def test_there_are_many_mutants_and_no_two_of_a_name() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) >= 20


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_is_caught(installed: Path, tmp_path: Path, mutant: Mutant) -> None:
    door = Judge(tmp_path, [installed, Path(__file__).parents[1]])
    verdict = door(f"{mutant.scheme}://", "--only", mutant.noun)
    assert verdict.code == 1, f"{mutant.wrong}, and the suite says:\n{verdict.out}{verdict.err}"
    caught_by = {name.partition("[")[0] for name in verdict.names("broken")}
    assert mutant.caught_by in caught_by, f"{mutant.wrong}: caught by {caught_by} alone"
