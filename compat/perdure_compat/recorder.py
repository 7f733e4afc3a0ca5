"""The part of a run that takes notes: what each test said, in one verdict."""

import time
from collections.abc import Generator, Iterable, Sequence
from datetime import UTC, datetime

import attrs
import pytest

from .demands import DEVIATION
from .failure import example_of, told
from .plugin import CAPABILITIES, SUBJECT, noun_of
from .profile import Profile
from .reports.judgement import Judgement, Outcome, Quote, Verdict
from .reports.screen import lines
from .subject import Subject

_CURED = (
    "the backend does this as it should: delete the row of {test} from the harness's deviations"
)


@attrs.define
class Recorder:
    """A plugin that has a verdict on every test, whether it ran or not."""

    subject: Subject
    profile: Profile
    verdicts: dict[str, Verdict] = attrs.field(factory=dict[str, Verdict])
    unreadable: bool = False
    """Whether a module of the suite could not be imported."""
    _capabilities: dict[str, str | None] = attrs.field(factory=dict[str, str | None])
    _started: datetime = attrs.field(factory=lambda: datetime.now(UTC))
    _clock: float = attrs.field(factory=time.monotonic)

    def judgement(self) -> Judgement:
        """All that is known now."""
        return Judgement(
            where=self.subject.where,
            scheme=self.subject.scheme,
            started=self._started,
            seconds=time.monotonic() - self._clock,
            profile=self.profile,
            capabilities=self._capabilities,
            deviations=self.subject.harness.deviations,
            verdicts=list(self.verdicts.values()),
        )

    @pytest.hookimpl(tryfirst=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        """Hand over who is judged."""
        config.stash[SUBJECT] = self.subject

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Show the progress of each noun, not the way to the module that is about it."""
        terminal = session.config.pluginmanager.get_plugin("terminalreporter")
        assert terminal is not None
        terminal.startpath = session.config.rootpath

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Notice a module that cannot be read."""
        self.unreadable |= report.failed

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        """Begin with what will be run."""
        missing = self.subject.missing
        self._capabilities = {name: missing.get(name) for name in config.stash[CAPABILITIES]}
        self._begin(items, "the run ended before it")

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        """Do not forget what will not."""
        if items:
            self._begin(items, _unasked(items[0].config))

    def _begin(self, items: Iterable[pytest.Item], reason: str) -> None:
        for item in items:
            self.verdicts[item.nodeid] = Verdict(
                noun=noun_of(item),
                name=item.name,
                promises=[_quote(mark) for mark in item.iter_markers("promise")],
                outcome=Outcome.NOT_RUN,
                reason=reason,
            )

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Note how a part of a test ended."""
        report = yield
        row = item.stash.get(DEVIATION, None)
        if row is not None and report.failed and call.excinfo is None:
            report.longrepr = _CURED.format(test=row.test)
        self._hide(report)
        verdict = self.verdicts[item.nodeid]
        notes = {name: self.subject.hide(str(note)) for name, note in report.user_properties}
        seconds = verdict.seconds + report.duration
        verdict = attrs.evolve(verdict, seconds=seconds, notes=notes)
        self.verdicts[item.nodeid] = self._after(verdict, item, call, report)
        return report

    def _after(
        self,
        verdict: Verdict,
        item: pytest.Item,
        call: pytest.CallInfo[None],
        report: pytest.TestReport,
    ) -> Verdict:
        hide = self.subject.hide
        if report.failed:
            reason = told(call.excinfo.value) if call.excinfo else report.longreprtext
            example = example_of(call.excinfo.value) if call.excinfo else ""
            return attrs.evolve(
                verdict, outcome=Outcome.BROKEN, reason=hide(reason), example=hide(example)
            )
        if report.skipped and (row := item.stash.get(DEVIATION, None)) and _expected(report):
            return attrs.evolve(
                verdict, outcome=Outcome.DEVIATES, reason=f"{row.reason} ({row.link})"
            )
        if report.skipped:
            return attrs.evolve(verdict, outcome=Outcome.NOT_RUN, reason=hide(_why(report)))
        if report.when == "call":
            return attrs.evolve(verdict, outcome=Outcome.KEPT, reason="")
        return verdict

    def _hide(self, report: pytest.TestReport) -> None:
        shown = report.longreprtext
        if report.failed and (hidden := self.subject.hide(shown)) != shown:
            report.longrepr = hidden
        report.sections = [(name, self.subject.hide(text)) for name, text in report.sections]

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say what was found."""
        if self.verdicts and not self.unreadable:
            terminalreporter.section("conformance")
            for line in lines(self.judgement()):
                terminalreporter.write_line(line)


def _unasked(config: pytest.Config) -> str:
    return f"only the promises about {config.getoption('--judge-only')} were asked for"


def _expected(report: pytest.TestReport) -> bool:
    return hasattr(report, "wasxfail")


def _why(report: pytest.TestReport) -> str:
    if isinstance(report.longrepr, tuple):
        return str(report.longrepr[2]).removeprefix("Skipped: ")
    return report.longreprtext


def _quote(mark: pytest.Mark) -> Quote:
    source, _, words = str(mark.args[0]).partition(": ")
    return Quote(source=source, words=words)
