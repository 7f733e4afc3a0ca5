"""What the demo found, as one JSON object and as a table."""

from collections import Counter
from collections.abc import Iterator

import attrs

from .proof import Bodies


@attrs.frozen(kw_only=True)
class Kill:
    """The death of a worker."""

    victim: int
    held: int
    after: float
    """Seconds from it until another worker's hands were seen on its work."""


@attrs.frozen(kw_only=True)
class Outcome:
    """The demo's answer."""

    backend: str
    files: int
    workflows: int
    steps: int
    lost: int
    duplicated: int
    killed_workers: int
    recovered_workflows: int
    seconds: float


@attrs.frozen(kw_only=True)
class Report:
    """The answer, and what is told beside it."""

    outcome: Outcome
    kill: Kill
    bodies: Bodies
    totals: Counter[str]
    """Over all files: definitions, imports, lines."""

    @property
    def good(self) -> bool:
        """Every workflow succeeded; every step was recorded once, and nothing else was."""
        outcome = self.outcome
        return outcome.workflows == outcome.files and not outcome.lost and not outcome.duplicated

    def rows(self) -> Iterator[tuple[str, str, str]]:
        """The table: what, how many, what it means."""
        outcome, kill = self.outcome, self.kill
        yield "workflows", f"{outcome.workflows:,}", f"succeeded, of {outcome.files:,}"
        yield "steps", f"{outcome.steps:,}", "recorded"
        yield "lost", f"{outcome.lost:,}", "steps that should be recorded and are not"
        yield "duplicated", f"{outcome.duplicated:,}", "steps that are recorded twice"
        taken = f"workflows, {kill.after:.1f} s after their worker's death"
        yield "taken over", f"{outcome.recovered_workflows:,}", taken
        for process, count in self.bodies.by_process.items():
            fate = "bodies run, then killed" if process == kill.victim else "bodies run"
            yield f"worker {process}", f"{count:,}", fate
        twice = "bodies had begun when their worker died: this is what at-least-once means"
        yield "ran twice", f"{self.bodies.repeated:,}", twice
        found = ", ".join(f"{count:,} {what}" for what, count in self.totals.items())
        yield "indexed", "", found

    def verdict(self) -> str:
        """The last sentence."""
        if self.good:
            return "No step was lost and none was recorded twice."
        return "Something was lost or recorded twice, or a workflow failed: see the table."
