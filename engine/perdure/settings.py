"""Where settings come from: arguments, then the environment, then pyproject.toml, then defaults."""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .errors import ConfigurationError

DEFAULT_URL = "sqlite:///perdure.db"


def database_url(given: str | None) -> str:
    """The database's URL: `given`, else PERDURE_DATABASE_URL, DATABASE_URL, `[tool.perdure] url`.

    Without any, a SQLite file in the working directory.
    """
    return given or configured_url() or DEFAULT_URL


def configured_url() -> str | None:
    """The URL that the environment or pyproject.toml names, if any."""
    found = os.environ.get("PERDURE_DATABASE_URL") or os.environ.get("DATABASE_URL")
    return found or project().get("url")


def project(folder: Path | None = None) -> Mapping[str, Any]:
    """The table `[tool.perdure]` of the pyproject.toml in `folder` (the working directory).

    Raises:
        ConfigurationError: the file is no TOML.
    """
    path = (folder or Path.cwd()) / "pyproject.toml"
    try:
        whole = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}") from error
    table: Mapping[str, Any] = whole.get("tool", {}).get("perdure", {})
    return table
