"""The command line in a folder of its own, with nothing configured from outside."""

import os
from collections.abc import Generator
from pathlib import Path

import pytest

from .terminal import OFFICE, SHOP, Perdure, Zygote


@pytest.fixture(scope="session")
def zygote() -> Generator[Zygote, None, None]:
    """Where most commands of the session begin; a worker is a program of its own."""
    with Zygote.started() as zygote:
        yield zygote


@pytest.fixture
def perdure(tmp_path: Path, zygote: Zygote) -> Perdure:
    """The command line in an empty folder."""
    environment = {
        key: value
        for key, value in os.environ.items()
        if key != "DATABASE_URL" and not key.startswith(("PERDURE_", "COVERAGE_"))
    }
    return Perdure(tmp_path, environment | {"TMPDIR": str(_temporary(tmp_path))}, zygote)


@pytest.fixture
def shop(perdure: Perdure) -> Perdure:
    """The same, with a module `shop` and a database `shop.db` that is configured."""
    return _configured(perdure, "shop", SHOP)


@pytest.fixture
def office(perdure: Perdure) -> Perdure:
    """The same with `office`, whose workflows wait for others."""
    return _configured(perdure, "office", OFFICE)


def _configured(perdure: Perdure, name: str, text: str) -> Perdure:
    perdure.write(f"{name}.py", text)
    perdure.write("pyproject.toml", f'[tool.perdure]\nurl = "sqlite:///{name}.db"\n')
    assert perdure("migrate").code == 0
    return perdure


def _temporary(folder: Path) -> Path:
    # Beside the working folder, so that a test sees what a command leaves behind.
    temporary = folder / "tmp"
    temporary.mkdir()
    return temporary
