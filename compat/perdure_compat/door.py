"""The one door: `perdure conformance URL`, which is `python -m perdure_compat URL` too.

It can be opened without pytest and Hypothesis, to say that they are missing.
"""

import os
from pathlib import Path
from typing import Annotated

import typer

from perdure.errors import ConfigurationError

from .nouns import Noun

_EXTRA = ("pytest", "hypothesis")


def conformance(
    url: Annotated[
        str, typer.Argument(metavar="URL", help="Where the tests may make places of their own.")
    ],
    *,
    only: Annotated[
        Noun | None,
        typer.Option(metavar="NOUN", help=f"Only the promises about one: {', '.join(Noun)}."),
    ] = None,
    test: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Only one test, by the name that a report gives it."),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            metavar="N", min=0, help="Begin all random choices here. Default: the same each time."
        ),
    ] = None,
    thorough: Annotated[
        bool, typer.Option("--thorough", help="Look for minutes, at random unless --seed says.")
    ] = False,
    brief: Annotated[
        bool, typer.Option("--brief", help="Look at a sample of what fails and what is random.")
    ] = False,
    json: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a report for programs.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE.md", help="Write a report for people.")
    ] = None,
) -> None:
    """Judge the backend that serves URL: which promises does it keep, which does it break?"""
    _must_be_writable("--json", json)
    _must_be_writable("--report", report)
    try:
        from .judge import Request, judge, profile_for  # noqa: PLC0415 (an extra)
    except ModuleNotFoundError as error:
        if error.name not in _EXTRA:
            raise
        raise ConfigurationError(
            f"the conformance suite needs {error.name}: pip install 'perdure[compat]'"
        ) from error
    if thorough and brief:
        raise typer.BadParameter("it is thorough or brief", param_hint="--brief")
    profile = profile_for(seed=seed, thorough=thorough, brief=brief)
    request = Request(url=url, only=only, test=test, profile=profile, json=json, page=report)
    raise typer.Exit(judge(request))


def _must_be_writable(option: str, file: Path | None) -> None:
    if file is not None and (file.is_dir() or not os.access(file.absolute().parent, os.W_OK)):
        raise typer.BadParameter(f"{file} cannot be written", param_hint=option)
