"""A backend that is not ours, as an installed package offers it."""

from pathlib import Path

import pytest

from .cockroachdb_dialect import ENTRY_POINTS


@pytest.fixture
def stranger(tmp_path: Path) -> Path:
    """A folder in which an installed package offers the backend of the dialect."""
    installed = tmp_path / "stranger-0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: stranger\nVersion: 0\n")
    (installed / "entry_points.txt").write_text(ENTRY_POINTS)
    return tmp_path
