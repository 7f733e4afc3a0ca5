"""The pytest plugin of the suite: which database, and a fresh place on it for each test."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing

import pytest

from perdure.backend import Backend
from perdure.errors import PerdureError

from .demands import asked, expect, leave_out, names_of
from .harness import Harness, Place
from .interrupt import kept
from .limit import LONGEST, limited
from .nouns import NOUNS
from .profile import Profile
from .subject import Subject, subject_at

SUBJECT = pytest.StashKey[Subject]()
CAPABILITIES = pytest.StashKey[Sequence[str]]()
"""What the tests ask for, those that are not selected too."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options that say what is judged, and how."""
    parser.addoption("--backend-url", help="The database whose backend is judged.")
    parser.addoption("--judge-only", choices=NOUNS, help="Only the promises about one noun.")
    parser.addoption("--judge-test", help="Only one test, by the name that reports give it.")
    parser.addoption("--judge-seed", type=int, help="Begin all random choices here.")
    parser.addoption("--thorough", action="store_true", help="Look for minutes.")
    parser.addoption("--brief", action="store_true", help="Look at a sample only.")
    parser.addoption("--judge-limit", type=float, default=LONGEST, help="Seconds for one test.")


def pytest_configure(config: pytest.Config) -> None:
    """Meet the backend, and make the marks known."""
    if (url := config.getoption("--backend-url")) and SUBJECT not in config.stash:
        config.stash[SUBJECT] = _met(url)
    for noun in NOUNS:
        config.addinivalue_line("markers", f"{noun}: promises about {noun}.")
    config.addinivalue_line("markers", "promise(words): what the seam says.")
    config.addinivalue_line("markers", "needs(capability): not run where it is missing.")


def _met(url: str) -> Subject:
    try:
        return subject_at(url)
    except PerdureError as error:
        raise pytest.UsageError(str(error)) from error


def pytest_unconfigure(config: pytest.Config) -> None:
    """Clean up after the last test."""
    if subject := config.stash.get(SUBJECT, None):
        subject.harness.close()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(
    session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Put tests in the order of their nouns, say what cannot be shown, and select."""
    items.sort(key=lambda item: NOUNS.index(noun_of(item)))
    for item in items:
        item.add_marker(noun_of(item))
    config.stash[CAPABILITIES] = asked(items)
    whole = not session.testsfailed
    if whole and (subject := config.stash.get(SUBJECT, None)):
        leave_out(items, subject.missing)
        expect(items, subject.harness.deviations)
    if only := config.getoption("--judge-only"):
        _select(config, items, [item for item in items if noun_of(item) == only], f"about {only}")
    if test := config.getoption("--judge-test"):
        _select(config, items, [item for item in items if test in names_of(item)], f"named {test}")


def noun_of(item: pytest.Item) -> str:
    """What a test is about: the noun that its module is named after."""
    return item.path.stem.removeprefix("test_")


def _select(
    config: pytest.Config, items: list[pytest.Item], chosen: list[pytest.Item], which: str
) -> None:
    if not chosen:
        raise pytest.UsageError(f"no test is {which}")
    config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
    items[:] = chosen


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup() -> Generator[None, None, None]:
    """Lose no interrupt."""
    with kept():
        yield


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """Lose no interrupt, and give no test more time than there is, unless it may take its time."""
    limit = 0 if item.config.getoption("--thorough") else item.config.getoption("--judge-limit")
    with kept(), limited(float(limit or 0)):
        yield


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown() -> Generator[None, None, None]:
    """Lose no interrupt."""
    with kept():
        yield


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Say what is judged, and how."""
    subject = config.stash.get(SUBJECT, None)
    if subject is None:
        return []
    seed = config.getoption("--judge-seed")
    return [
        f"perdure conformance: {subject.where}",
        f"seed: {'fixed' if seed is None else seed}"
        + (", thorough" if config.getoption("--thorough") else "")
        + (", brief" if config.getoption("--brief") else ""),
        *(f"missing: {name}: {why}" for name, why in subject.missing.items()),
    ]


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say what stays behind in the database."""
    subject = config.stash.get(SUBJECT, None)
    if subject is not None and (left := subject.harness.left):
        terminalreporter.write_line(
            f"left behind: {len(left)} namespaces named {subject.harness.prefix}_…"
        )


@pytest.fixture(scope="session")
def harness(pytestconfig: pytest.Config) -> Harness:
    """What makes places on the database under test."""
    subject = pytestconfig.stash.get(SUBJECT, None)
    if subject is None:
        raise pytest.UsageError("name the database: --backend-url=sqlite://")
    return subject.harness


@pytest.fixture(scope="session")
def profile(pytestconfig: pytest.Config) -> Profile:
    """How hard to look."""
    return Profile(
        seed=pytestconfig.getoption("--judge-seed"),
        thorough=bool(pytestconfig.getoption("--thorough")),
        brief=bool(pytestconfig.getoption("--brief")),
    )


@pytest.fixture
def place(harness: Harness) -> Iterator[Place]:
    """A place of the test's own, without tables."""
    place = harness.fresh()
    yield place
    harness.dispose(place)


@pytest.fixture
def backend(harness: Harness, place: Place) -> Iterator[Backend]:
    """The backend under test, with empty tables."""
    with closing(harness.prepared(place)) as backend:
        yield backend


@pytest.fixture
def rival(place: Place, backend: Backend) -> Iterator[Backend]:
    """A second backend, independent of the first, on the same data."""
    assert backend.schema_version().current
    with closing(place.open()) as rival:
        yield rival
