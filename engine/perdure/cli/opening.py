"""From the options of a command to an engine, and from an engine to advice."""

import shlex
from collections.abc import Generator
from contextlib import contextmanager

from perdure import settings
from perdure.engine import Engine
from perdure.url import open_backend

from .output import note


def chosen_url(given: str | None) -> str:
    """The database to use; says so where nobody named one."""
    url = settings.database_url(given)
    if given is None and settings.configured_url() is None:
        note(f"no database is configured: using {url} in this folder")
    return url


@contextmanager
def opened(given: str | None) -> Generator[Engine, None, None]:
    """An engine on the database that the options name."""
    with Engine(chosen_url(given)) as engine:
        yield engine


def where(engine: Engine) -> str:
    """The engine's database in words, without a password."""
    return open_backend(engine.url, namespace="perdure").where


def option_for(url: str) -> str:
    """The option that leads back to a SQLite file; nothing where the configuration does.

    Other URLs may hold a password, which is never printed.
    """
    if url.startswith("sqlite:") and url != settings.configured_url():
        return f" -d {shlex.quote(url)}"
    return ""
