"""One run of the suite over one backend: pytest, what it found, and what is written about it."""

import os
import secrets
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import attrs
import pytest
from hypothesis import settings
from hypothesis.configuration import set_hypothesis_home_dir

from perdure.cli.exits import Exit

from . import plugin
from .nouns import Noun
from .profile import Profile
from .recorder import Recorder
from .reports.data import as_json
from .reports.judgement import Outcome
from .reports.page import as_markdown
from .subject import subject_at

SUITE = Path(__file__).parent / "suite"
_SETTINGS = "perdure-compat"


@attrs.frozen(kw_only=True)
class Request:
    """What somebody wants to know."""

    url: str
    only: Noun | None
    test: str | None
    profile: Profile
    json: Path | None
    page: Path | None


def judge(request: Request, *, tests: Path = SUITE) -> Exit:
    """Run the suite and write the reports.

    `tests` may be one module of it, to be quicker: of the others the reports know nothing.

    Raises:
        PerdureError: there is no such backend, or it does not answer.
    """
    subject = subject_at(request.url)
    recorder = Recorder(subject, request.profile)
    with _surroundings():
        _choose_by(request.profile)
        status = pytest.main(_arguments(request, tests), plugins=[plugin, recorder])
    if recorder.verdicts and not recorder.unreadable:
        _write(request, recorder)
    return _exit(recorder, status)


def profile_for(*, seed: int | None, thorough: bool = False, brief: bool = False) -> Profile:
    """How to look; minutes of the same choices would find nothing new."""
    chosen = secrets.randbelow(2**32) if thorough and seed is None else seed
    return Profile(seed=chosen, thorough=thorough, brief=brief)


def _arguments(request: Request, tests: Path) -> list[str]:
    seed = request.profile.seed
    given = [str(tests), "-c", str(SUITE / "pytest.ini"), "-p", "hypothesispytest"]
    given += [f"--judge-only={request.only}"] if request.only else []
    given += [f"--judge-test={request.test}"] if request.test else []
    given += [f"--judge-seed={seed}", f"--hypothesis-seed={seed}"] if seed is not None else []
    # A test that looks for minutes has not got stuck.
    given += ["--thorough"] if request.profile.thorough else []
    given += ["--brief"] if request.profile.brief else []
    return given


def _choose_by(profile: Profile) -> None:
    fixed = profile.seed is None
    settings.register_profile(_SETTINGS, derandomize=fixed, database=None, deadline=None)
    settings.load_profile(_SETTINGS)


@contextmanager
def _surroundings() -> Generator[None, None, None]:
    """Nothing of the user's own pytest takes part, and nothing is left in their folder."""
    before = dict(os.environ)
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    for name in ("PYTEST_ADDOPTS", "PYTEST_PLUGINS"):
        os.environ.pop(name, None)
    with tempfile.TemporaryDirectory(prefix="perdure-compat-") as folder:
        set_hypothesis_home_dir(folder)
        try:
            yield
        finally:
            set_hypothesis_home_dir(None)
            os.environ.clear()
            os.environ.update(before)


def _write(request: Request, recorder: Recorder) -> None:
    judgement = recorder.judgement()
    if request.json:
        request.json.write_text(as_json(judgement), encoding="utf-8")
    if request.page:
        request.page.write_text(as_markdown(judgement), encoding="utf-8")


def _exit(recorder: Recorder, status: int) -> Exit:
    if status == pytest.ExitCode.USAGE_ERROR:
        return Exit.USAGE
    if recorder.unreadable or status == pytest.ExitCode.INTERNAL_ERROR:
        return Exit.BUG
    if status == pytest.ExitCode.INTERRUPTED:
        return Exit.INTERRUPTED
    broken = recorder.judgement().totals[Outcome.BROKEN]
    return Exit.NO if broken or status == pytest.ExitCode.TESTS_FAILED else Exit.OK
