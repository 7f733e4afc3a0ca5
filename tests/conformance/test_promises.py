"""The suite proves the seam: each test quotes a promise, and each promise has a test."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

import attrs
import pytest

from perdure import backend as seam
from perdure import exchange, guest, mail, streams
from perdure.backend import (
    Backend,
    Batch,
    Capabilities,
    SchemaVersion,
    Submission,
    Transition,
    Wakeups,
    WorkerInfo,
)
from perdure.guest import Guest, Guests
from perdure.mail import Mail
from perdure.streams import Item, Streams
from perdure_compat import plugin
from perdure_compat.judge import SUITE
from perdure_compat.promise import MARK, name_of, said_by

VERBS = [getattr(Backend, name) for name in sorted(Backend.__abstractmethods__)]
RECORDS = [
    one
    for module in (exchange, mail, streams)
    for one in vars(module).values()
    if isinstance(one, type) and one.__module__ == module.__name__
]
NEWS = [Backend.wakeups, Wakeups, Wakeups.publish, Wakeups.tell, Wakeups.listen, Wakeups.close]
VISITS = [guest, Guest, Guest.submit, Guest.send, Guests, Guests.within, Guests.awithin]
SOURCES = [seam, mail, streams, *VERBS, *RECORDS, *NEWS, *VISITS]

Words: TypeAlias = tuple[object, str]
DRAWING = said_by(seam).partition("States of a workflow")[2].partition(" A workflow leaves")[0]
UNTESTED: Mapping[str, Sequence[Words]] = {
    "it announces or explains what other words promise": [
        (seam, "The seam: everything the engine asks of a database."),
        (seam, "The docstrings below are the specification"),
        (seam, "and the conformance suite (`perdure_compat`) is the judge. Rules for every verb:"),
        (seam, "States of a workflow"),
        (Backend.service, "one that can be expected to claim such a workflow soon."),
        (Capabilities, "How databases differ, as far as the engine wants to know."),
        (mail, "What workflows hear from others: messages, and what they have subscribed to."),
        (mail, "A part of the seam, under the rules of `backend`."),
        (Mail, "A database's way of carrying messages and news to workflows."),
        (guest, "Writing in a transaction that somebody else has begun."),
        (guest, "A part of the seam, under the rules of `backend` except that"),
        (Guests, "A database's way of writing in transactions of callers."),
        (streams, "Logs that workflows write while they run, and anybody reads."),
        (streams, "A part of the seam, under the rules of `backend`."),
        (Streams, "A database's way of keeping streams."),
        (WorkerInfo, "A worker that joins."),
        (Submission, "A workflow to start."),
    ],
    "it draws what each verb does; the tests of the verbs show it": [(seam, DRAWING)],
    "without it no test of a backend begins": [
        (seam, "an entry point in the group `perdure.backends`"),
        (seam, "named like the URL's scheme, makes it known."),
    ],
    "it binds who calls, and the engine's tests show it": [
        (seam, "Only `claim` is different: it raises `OutcomeUnknown`"),
        (seam, "and the engine calls `reconcile`."),
        (seam, "the engine does the rest."),
        (Backend.submit, "Ids within one call are distinct."),
        (Backend.commit, "of which a batch has one at most."),
        (Backend.commit, "and the journal looks for the culprit by halving."),
        (Submission, "At most one of `delay` and `run_at` is set."),
        (Wakeups.publish, "Who listens by this very object may be left out: who publishes knows."),
        (Wakeups.publish, "Called after a commit and never inside a transaction of a user's;"),
        (Transition, "The last three fields are for `waiting` alone."),
        (Batch, "At most one for each of the steps."),
        (Mail.send, "Ids within one call are distinct for each workflow."),
        (Item, "Grows with each item of the stream"),
        (Item, "The step in whose body it was written; empty for the workflow's own code."),
        (Item, "Grows with each try of that step."),
        (Item, "nothing comes after it."),
    ],
    "it tells the engine how to treat this database; a wrong value breaks no promise": [
        (Capabilities, "Generated ids should grow with time (B-tree)"),
        (Capabilities, "rather than be random (ranges)."),
        (Capabilities, "How far the clocks that serve `now()` may be apart"),
        (Capabilities, "a margin for leases of others."),
        (Capabilities, "A file or memory of this machine"),
        (Capabilities, "which the engine sets up itself where it is empty."),
    ],
    "it is about what the suite does, which tests/conformance shows": [
        (Capabilities, "What it leaves out of the promises, and why"),
        (Capabilities, "by the name that the conformance suite has for it."),
        (Capabilities, "`guests`: it writes in transactions of callers."),
        (Capabilities, "`ordered_claims`: a lone worker is served in order."),
        (Capabilities, "`processes`: other processes of the machine reach the same data."),
        (Capabilities, "`sql_script`: `migration_sql` is a script that somebody could run."),
        (Capabilities, "The suite refuses names it does not know."),
    ],
    "it takes another server or another Perdure; tests/backends has them": [
        (
            Backend.schema_version,
            "Also checks that the server is the one that the URL's scheme names.",
        ),
        (Backend.schema_version, "it is another kind of server, or too old."),
        (Backend.migrate, "the tables are newer than this code."),
        (SchemaVersion, "`known` is False for a revision that this code has never heard of"),
        (SchemaVersion, "so one from a newer Perdure."),
    ],
    "it takes a server that goes away; tests/durability restarts one": [
        (Wakeups.publish, "nobody was told."),
        (Wakeups.tell, "What goes wrong with it afterwards is told to nobody: news may be lost."),
        (Wakeups.listen, "the connection is lost; what was published since is missed."),
    ],
    "who has none is not asked for any": [
        (Backend.wakeups, "None where there is nothing but polling."),
    ],
    "it takes a look behind the seam; tests/backends has it": [
        (seam, "and does no I/O;"),
        (seam, "A backend retries what its database calls transient"),
        (seam, "(serialization failures, deadlocks, a busy lock) a bounded number of times"),
        (seam, "and lost connections for a few seconds at most;"),
        (Backend.claim, "Workflows of other lanes cost nothing."),
        (Wakeups.publish, "it does not wait for the disk."),
        (Backend.reap, "or rows that no longer exist"),
        (Backend.reap, "A worker whose row is locked is passed over, never waited for."),
        (Backend.wake, "Workflows that are locked at the moment are passed over"),
        (Backend.wake, "never waited for; their wake-ups stay."),
    ],
}
EXCUSES: Sequence[tuple[str, object, str]] = [
    (reason, source, words) for reason, rows in UNTESTED.items() for source, words in rows
]

WORD = re.compile(r"\w+")
NO_PROMISE = re.compile(r"Raises: \w+:|\b(and|or)\b")


@attrs.define
class Page:
    """What one docstring says, and which letters of it were quoted."""

    text: str
    _quoted: set[int] = attrs.field(factory=set[int], init=False)

    def quote(self, words: str) -> None:
        """Take the words as proved, wherever they stand."""
        self._quoted |= self._places(re.escape(words))

    def has(self, words: str) -> bool:
        """Whether every letter of these words was quoted."""
        return self._places(re.escape(words)) <= self._quoted

    def rest(self) -> Iterator[str]:
        """Each stretch of words that nobody has quoted."""
        idle = self._places(NO_PROMISE.pattern)
        stretch: list[re.Match[str]] = []
        for word in WORD.finditer(self.text):
            if word.start() in self._quoted:
                yield from self._told(stretch, idle)
                stretch = []
            else:
                stretch.append(word)
        yield from self._told(stretch, idle)

    def _places(self, pattern: str) -> set[int]:
        found = re.finditer(pattern, self.text)
        return {place for one in found for place in range(*one.span())}

    def _told(self, stretch: Sequence[re.Match[str]], idle: set[int]) -> Iterator[str]:
        if any(word.start() not in idle for word in stretch):
            yield self.text[stretch[0].start() : stretch[-1].end()]


@attrs.define
class Collector:
    """A plugin that only looks: what each test promises."""

    promises: dict[str, list[str]] = attrs.field(factory=dict[str, list[str]])

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Note the marks of all that was collected."""
        for item in session.items:
            name = str(getattr(item, "originalname", None) or item.name)
            marks = [str(mark.args[0]) for mark in item.iter_markers(MARK)]
            self.promises.setdefault(f"{item.path.name}::{name}", []).extend(marks)


@pytest.fixture(scope="module")
def promises() -> dict[str, list[str]]:
    """What each test of the suite promises, as the marks have it."""
    collector = Collector()
    options = ["--collect-only", "-o", "addopts=--import-mode=importlib", "-W", "ignore"]
    without = [f"-pno:{name}" for name in ("terminal", "cacheprovider", "faulthandler")]
    given = [str(SUITE), "-c", str(SUITE / "pytest.ini"), *options, *without]
    assert pytest.main(given, plugins=[plugin, collector]) == pytest.ExitCode.OK
    return collector.promises


def _quoted(promises: Mapping[str, Sequence[str]]) -> dict[str, Page]:
    """What the seam says, with all that a test quotes of it."""
    pages = {name_of(source): Page(said_by(source)) for source in SOURCES}
    for quotation in {one for some in promises.values() for one in some}:
        name, _, words = quotation.partition(": ")
        if name in pages:  # tests of whole workflows quote what users read
            pages[name].quote(words)
    return pages


def test_every_test_of_the_suite_quotes_a_promise(promises: dict[str, list[str]]) -> None:
    without = [test for test, quoted in promises.items() if not quoted]
    assert not without, "these quote no promise of the seam:\n" + "\n".join(without)
    assert len(promises) > 200


def test_every_promise_of_the_seam_is_quoted_by_a_test(promises: dict[str, list[str]]) -> None:
    pages = _quoted(promises)
    for _, source, words in EXCUSES:
        pages[name_of(source)].quote(words)
    missing = [f"{name}: {words}" for name, page in pages.items() for words in page.rest()]
    assert not missing, "no test quotes these words of the seam:\n" + "\n".join(missing)


@pytest.mark.parametrize(("reason", "source", "words"), EXCUSES)
def test_what_needs_no_test_is_said_and_has_none(
    reason: str, source: object, words: str, promises: dict[str, list[str]]
) -> None:
    assert words in said_by(source), f"{name_of(source)} says it no longer ({reason})"
    page = _quoted(promises)[name_of(source)]
    assert not page.has(words), f"a test quotes it now, in spite of: {reason}"
