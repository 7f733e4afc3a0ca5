"""What one run found about one backend: a verdict for each test, and how it was run."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum

import attrs

from perdure_compat.harness import Deviation
from perdure_compat.profile import Profile


class Outcome(StrEnum):
    """How a test ended."""

    KEPT = "kept"
    BROKEN = "broken"
    DEVIATES = "deviates"
    NOT_RUN = "not run"


@attrs.frozen(kw_only=True)
class Quote:
    """A promise in the words of the seam."""

    source: str
    words: str

    def __str__(self) -> str:
        return f'{self.source} promises: "{self.words}"'


@attrs.frozen(kw_only=True)
class Verdict:
    """What one test says about the backend."""

    noun: str
    name: str
    promises: Sequence[Quote]
    outcome: Outcome
    reason: str = ""
    """Why it was not run or deviates, or how the promise was broken."""
    example: str = ""
    """The shortest history that breaks the promise, where one was looked for."""
    seconds: float = 0.0
    notes: Mapping[str, str] = attrs.field(factory=dict[str, str])
    """What the test says about itself, for instance how much of a space it went through."""

    @property
    def sentence(self) -> str:
        """The test's name as it is meant to be read."""
        name, bracket, parameters = self.name.removeprefix("test_").partition("[")
        return name.replace("_", " ") + (f" [{parameters}" if bracket else "")


@attrs.frozen(kw_only=True)
class Judgement:
    """One run over one backend on one database; never merged with another."""

    where: str
    scheme: str
    started: datetime
    seconds: float
    profile: Profile
    capabilities: Mapping[str, str | None]
    """Each that a test asks for: why it is missing, or None where it is there."""
    deviations: Sequence[Deviation]
    verdicts: Sequence[Verdict]

    @property
    def totals(self) -> Mapping[Outcome, int]:
        """How many tests ended in each way."""
        found = Counter(verdict.outcome for verdict in self.verdicts)
        return {outcome: found[outcome] for outcome in Outcome}

    def those(self, outcome: Outcome) -> Sequence[Verdict]:
        """The verdicts of one kind."""
        return [verdict for verdict in self.verdicts if verdict.outcome is outcome]

    @property
    def headline(self) -> str:
        """The answer, in a sentence."""
        if broken := self.totals[Outcome.BROKEN]:
            return f"{counted(broken, 'test')} found a broken promise"
        if not self.totals[Outcome.KEPT] and not self.totals[Outcome.DEVIATES]:
            return "nothing was judged"
        return "all required promises that were judged are kept"


def counted(count: int, what: str) -> str:
    """A number with its noun."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def seed_of(profile: Profile) -> str:
    """The seed, as people are told."""
    return "fixed" if profile.seed is None else str(profile.seed)


def by_reason(verdicts: Sequence[Verdict]) -> Mapping[str, Sequence[Verdict]]:
    """Verdicts that share a reason, together."""
    found: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        found.setdefault(verdict.reason, []).append(verdict)
    return found


def by_noun(verdicts: Sequence[Verdict]) -> Mapping[str, Sequence[Verdict]]:
    """Verdicts about one noun, together, in the order of the run."""
    found: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        found.setdefault(verdict.noun, []).append(verdict)
    return found
