"""A process that migrates is killed before and after each of its statements, and the next finishes.

The kill is SIGKILL. The CockroachDB backend runs on its double here: evidence about
statements, not about CockroachDB.
"""

import itertools
import logging
import os
from collections.abc import Generator
from contextlib import closing
from pathlib import Path

import pytest

from perdure.model import Status
from perdure_backends.sql import migrate
from perdure_backends.sql.backend import SqlBackend
from perdure_compat.suite.records import claim, end, finish, ids, join, submit

from .mortal import use
from .past import TEXT, furnish, holds, reading
from .sites import NEXT, Site, connected, with_next_revision
from .undertaker import Undertaker, undertaker

_log = logging.getLogger(__name__)

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="fork")


@pytest.fixture(scope="module")
def mortal() -> Generator[Undertaker, None, None]:
    """A process in which migrations die."""
    with undertaker() as found:
        yield found


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_the_tables_come_to_be(
    after: bool,  # noqa: FBT001 (a parameter of the test)
    site: Site,
    mortal: Undertaker,
) -> None:
    with closing(connected(site.url)) as backend:
        backend.migrate()
    wanted = site.catalog()
    deaths = 0
    for at in itertools.count():
        site.clear()
        if not mortal.kill(site.url, at=at, after=after):
            break
        deaths += 1
        site.years_pass()
        with closing(connected(site.url)) as backend:
            backend.migrate()
            assert site.catalog() == wanted, f"at statement {at}"
            join(backend, "a")
            submit(backend, "w")
            assert ids(claim(backend, "a")) == ["w"]
    _log.info("%s deaths", deaths)
    assert deaths > 10


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_old_tables_with_data_are_brought_on(
    after: bool,  # noqa: FBT001 (a parameter of the test)
    site: Site,
    mortal: Undertaker,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scripts = with_next_revision(tmp_path)
    catalogs: list[list[str]] = []
    for at in itertools.count():
        with monkeypatch.context() as patch, closing(connected(site.url)) as backend:
            site.clear()
            backend.migrate()
            furnish(backend)
            then = reading(backend)
            killed = mortal.kill(site.url, at=at, after=after, scripts=scripts)
            site.years_pass()
            patch.setattr(migrate, "SCRIPTS", migrate.SCRIPTS)
            patch.setattr(migrate, "REVISIONS", migrate.REVISIONS)
            use(scripts)
            backend.migrate()
            assert holds(reading(backend), then), f"at statement {at}"
            _is_brought_on(site, backend)
        catalogs.append(site.catalog())
        if not killed:
            break
    _log.info("%s deaths", len(catalogs) - 1)
    assert len(catalogs) > 6
    assert catalogs == catalogs[:1] * len(catalogs)


def _is_brought_on(site: Site, backend: SqlBackend) -> None:
    assert backend.schema_version().current == NEXT
    coloured = dict(site.rows("SELECT workflow_id, colour FROM workflows"))
    assert coloured["running"] == "from running"
    assert None not in coloured.values()
    assert dict(site.rows("SELECT name, steps FROM summaries"))["running"] == 3
    assert ids(claim(backend, "b")) == [TEXT]
    said = finish(backend, "b", end(TEXT))
    assert list(said.transitions) == [Status.SUCCESS]
