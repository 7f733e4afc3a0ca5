"""The options that several commands share, and how their texts are read."""

import json
from collections.abc import Iterable
from datetime import timedelta
from typing import Annotated, Any

import orjson
import typer

from perdure.model import Attributes

from .durations import duration

DatabaseUrl = Annotated[
    str | None,
    typer.Option(
        "--database-url",
        "-d",
        metavar="URL",
        help="The database: sqlite:///file.db, postgresql://…, cockroachdb://…. "
        "Default: PERDURE_DATABASE_URL, DATABASE_URL, [tool.perdure] url in "
        "pyproject.toml, sqlite:///perdure.db.",
    ),
]
Json = Annotated[
    bool, typer.Option("--json", help="Answer in JSON on stdout; all else goes to stderr.")
]
Attribute = Annotated[
    list[str] | None,
    typer.Option(
        "--attribute",
        "-a",
        metavar="KEY=VALUE",
        help='Repeatable. Numbers, true and false are such; a text like 42 is "42".',
    ),
]
Delay = Annotated[
    timedelta | None,
    typer.Option(parser=duration, metavar="DURATION", help="Begin after this time: 30s, 5m, 2h."),
]
Timeout = Annotated[
    timedelta | None,
    typer.Option(parser=duration, metavar="DURATION", help="Wait no longer than this: 30s, 5m."),
]
WorkflowId = Annotated[str, typer.Argument(metavar="ID", help="The workflow's id.")]


def attributes(given: Iterable[str] | None) -> Attributes | None:
    """`KEY=VALUE` texts as attributes.

    Raises:
        BadParameter: one has no `=`, or no key.
    """
    if not given:
        return None
    return dict(map(_attribute, given))


def _attribute(text: str) -> tuple[str, str | int | float | bool]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise typer.BadParameter(f"{text!r} is not KEY=VALUE", param_hint="--attribute")
    try:
        parsed: Any = json.loads(value)
    except ValueError:
        return key, value
    return key, parsed if isinstance(parsed, str | int | float | bool) else value


def json_argument(text: str) -> Any:
    """One argument of a workflow, given as JSON.

    Raises:
        BadParameter: it is no JSON.
    """
    try:
        return json.loads(text)
    except ValueError as error:
        raise _no_json(text, error, "ARGS") from None


def json_text(text: str) -> str:
    """A JSON text that goes as it is.

    Raises:
        BadParameter: it is no JSON.
    """
    try:
        orjson.loads(text)
    except ValueError as error:
        raise _no_json(text, error, "JSON") from None
    return text


def _no_json(text: str, error: ValueError, hint: str) -> typer.BadParameter:
    quoted = json.dumps(text, ensure_ascii=False)
    return typer.BadParameter(
        f"{text!r} is not JSON ({error}). Arguments are JSON; a text is '{quoted}'",
        param_hint=hint,
    )
