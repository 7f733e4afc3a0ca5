"""Every test that `docs/protocol.md` names is there, and so is every scene."""

import re
from pathlib import Path

from .mail_scenes import LETTERS
from .scenes import PAIRS
from .trios import TRIOS

_ROOT = Path(__file__).parents[2]
_PAGE = (_ROOT / "docs" / "protocol.md").read_text()
_FOLDERS = ("tests", "compat/perdure_compat/suite")


def test_every_test_that_the_page_names_is_there() -> None:
    files = [file for folder in _FOLDERS for file in (_ROOT / folder).rglob("test_*.py")]
    there = {name for file in files for name in re.findall(r"def (test_\w+)", file.read_text())}
    named = set(re.findall(r"`(test_\w+)`", _PAGE))
    assert len(named) > 30
    assert named - there == set()


def test_every_scene_that_the_page_names_is_there() -> None:
    named = {
        name
        for scenes in re.findall(r"keeps?_the_invariants` \(([\w, ]+)\)", _PAGE)
        for name in scenes.split(", ")
    }
    assert len(named) > 5
    assert named - PAIRS.keys() - LETTERS.keys() - TRIOS.keys() == set()
