"""docs/concepts.md: its examples are files, and do what the page says."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .terminal import PATIENCE, Perdure

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "concepts.md").read_text(encoding="utf-8")
EXAMPLES = ROOT / "docs" / "examples"
SAID = {
    "council": ["vote for Ada", "2 of 3, member-1 was the first"],
    "orders": ["book is packed", "['book']"],
    "story": ["['listen', 'once upon a time']"],
    "trip": [
        *("give back car", "give back hotel", "give back flight"),
        "no car left after hotel booked",
    ],
}


def test_the_examples_are_the_files_in_docs() -> None:
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)
    assert blocks == [(EXAMPLES / f"{name}.py").read_text(encoding="utf-8") for name in SAID]


@pytest.mark.parametrize("name", SAID)
def test_an_example_says_what_it_says_and_again_without_doing_it_again(
    perdure: Perdure, name: str
) -> None:
    shutil.copy(EXAMPLES / f"{name}.py", perdure.folder)
    first, again = _run(perdure, name), _run(perdure, name)
    assert first == SAID[name]
    assert again == [line for line in first if not line.startswith("give back")]


def _run(perdure: Perdure, name: str) -> list[str]:
    done = subprocess.run(  # noqa: S603 (our own example)
        [sys.executable, f"{name}.py"],
        cwd=perdure.folder,
        env=perdure.environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    return done.stdout.splitlines()
