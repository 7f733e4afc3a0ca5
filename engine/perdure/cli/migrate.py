"""`perdure migrate`: create the tables, or bring them to this code's revision."""

from typing import Annotated

import typer

from perdure.backend import Backend
from perdure.url import open_backend

from .exits import Exit
from .opening import chosen_url
from .options import DatabaseUrl, Json
from .output import say, say_json


def migrate(
    *,
    sql: Annotated[
        bool, typer.Option("--sql", help="Print the statements for an empty database; run none.")
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; exit 1 if there is something to do.")
    ] = False,
    database_url: DatabaseUrl = None,
    as_json: Json = False,
) -> None:
    """Create Perdure's tables, or bring them to this version. Safe to repeat."""
    if sql and check:
        raise typer.BadParameter("give --sql or --check, not both")
    backend = open_backend(chosen_url(database_url), namespace="perdure")
    try:
        if sql:
            _print_sql(backend, as_json=as_json)
        elif check:
            _check(backend, as_json=as_json)
        else:
            _migrate(backend, as_json=as_json)
    finally:
        backend.close()


def _print_sql(backend: Backend, *, as_json: bool) -> None:
    script = backend.migration_sql()
    if as_json:
        say_json({"sql": script})
    else:
        say(script.rstrip())


def _check(backend: Backend, *, as_json: bool) -> None:
    version = backend.schema_version()
    current = version.current == version.wanted
    if as_json:
        say_json(
            {
                "database": backend.where,
                "current": current,
                "revision": version.current,
                "wanted": version.wanted,
            }
        )
    else:
        say(
            f"{backend.where}: {_revision(version.current)}, this code wants revision "
            f"{version.wanted}" + ("" if current else "; run  perdure migrate")
        )
    if not current:
        raise typer.Exit(Exit.NO)


def _migrate(backend: Backend, *, as_json: bool) -> None:
    before = backend.schema_version().current
    backend.migrate()
    after = backend.schema_version().current
    if as_json:
        say_json(
            {"database": backend.where, "from": before, "to": after, "changed": before != after}
        )
    elif before == after:
        say(f"{backend.where}: {_revision(after)} already")
    else:
        say(f"{backend.where}: {_revision(after)} (before: {_revision(before)})")


def _revision(revision: str | None) -> str:
    return f"revision {revision}" if revision else "no tables"
