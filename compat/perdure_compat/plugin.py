"""The pytest plugin of the suite: which database, and a fresh place on it for each test."""

from collections.abc import Iterator, Mapping
from contextlib import closing

import pytest

from perdure.backend import Backend
from perdure.errors import PerdureError

from .harness import Harness, Place, harness_for
from .profile import Profile

NOUNS = (
    "schema",
    "workers",
    "submission",
    "claims",
    "steps",
    "commit",
    "death",
    "recovery",
    "timers",
    "queries",
    "processes",
    "histories",
)

_HARNESS = pytest.StashKey[Harness]()
_WHERE = pytest.StashKey[str]()
_MISSING = pytest.StashKey[Mapping[str, str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that names the database."""
    parser.addoption("--backend-url", help="The database whose backend is judged.")
    parser.addoption("--judge-seed", type=int, help="Begin all random choices here.")
    parser.addoption("--thorough", action="store_true", help="Look for minutes.")


def pytest_configure(config: pytest.Config) -> None:
    """Make the nouns known as marks."""
    for noun in NOUNS:
        config.addinivalue_line("markers", f"{noun}: promises about {noun}.")
    if url := config.getoption("--backend-url"):
        config.stash[_HARNESS] = harness_for(url)
        config.stash[_WHERE], config.stash[_MISSING] = _judged(config.stash[_HARNESS])
    config.addinivalue_line("markers", "promise(words): what the seam says.")
    config.addinivalue_line("markers", "needs(capability): not run where it is missing.")


def _judged(harness: Harness) -> tuple[str, Mapping[str, str]]:
    try:
        with closing(harness.fresh().open()) as backend:
            return backend.where, backend.capabilities.missing
    except PerdureError as error:
        raise pytest.UsageError(str(error)) from error


def pytest_unconfigure(config: pytest.Config) -> None:
    """Clean up after the last test."""
    if harness := config.stash.get(_HARNESS, None):
        harness.close()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark each test with the noun that its module is named after, and what it cannot show."""
    missing = config.stash.get(_MISSING, {})
    for item in items:
        for needed in item.iter_markers("needs"):
            if (capability := needed.args[0]) in missing:
                item.add_marker(pytest.mark.skip(f"{capability}: {missing[capability]}"))
        noun = item.path.stem.removeprefix("test_")
        if noun in NOUNS:
            item.add_marker(noun)


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Say what is judged."""
    where = config.stash.get(_WHERE, None)
    return [f"perdure conformance: {where}"] if where else []


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say what stays behind in the database."""
    harness = config.stash.get(_HARNESS, None)
    if harness is not None and harness.left:
        terminalreporter.write_line(
            f"left behind: {len(harness.left)} namespaces named {harness.prefix}_…"
        )


@pytest.fixture(scope="session")
def harness(pytestconfig: pytest.Config) -> Harness:
    """What makes places on the database under test."""
    harness = pytestconfig.stash.get(_HARNESS, None)
    if harness is None:
        raise pytest.UsageError("name the database: --backend-url=sqlite://")
    return harness


@pytest.fixture(scope="session")
def profile(pytestconfig: pytest.Config) -> Profile:
    """How hard to look."""
    return Profile(
        seed=pytestconfig.getoption("--judge-seed"),
        thorough=pytestconfig.getoption("--thorough"),
    )


@pytest.fixture
def place(harness: Harness) -> Iterator[Place]:
    """A place of the test's own, without tables."""
    place = harness.fresh()
    yield place
    harness.dispose(place)


@pytest.fixture
def backend(place: Place) -> Iterator[Backend]:
    """The backend under test, migrated and empty."""
    with closing(place.open()) as backend:
        backend.migrate()
        yield backend


@pytest.fixture
def rival(place: Place, backend: Backend) -> Iterator[Backend]:
    """A second backend, independent of the first, on the same data."""
    assert backend.schema_version().current
    with closing(place.open()) as rival:
        yield rival
