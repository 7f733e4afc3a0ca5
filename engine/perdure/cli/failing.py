"""What a person or a script sees of an error: one sentence, a code, an exit code."""

from perdure.errors import (
    BackendUnavailable,
    OutcomeUnknown,
    PerdureError,
    UnknownWorkflow,
    WaitTimeout,
    WorkflowNotFound,
)

from .exits import Exit, exit_of
from .output import note, say_json

_ADVICE: tuple[tuple[type[PerdureError], str], ...] = (
    (OutcomeUnknown, "Look with  perdure show ID  before you repeat it"),
    (
        BackendUnavailable,
        "Check that it runs, its role's rights, and -d, PERDURE_DATABASE_URL or [tool.perdure] url",
    ),
    (WorkflowNotFound, "perdure list  shows those that exist; -d chooses the database"),
    (WaitTimeout, "perdure show ID  tells where it stands"),
    (UnknownWorkflow, "perdure worker MODULE  is such a worker"),
)


def report(error: Exception, *, as_json: bool) -> Exit:
    """Tell of an error that ended the command; the exit code."""
    known = isinstance(error, PerdureError)
    code = error.code if isinstance(error, PerdureError) else "unexpected"
    whole = f"{error}" if known else f"{type(error).__name__}: {error}"
    text = " ".join(line.strip() for line in whole.splitlines())
    if as_json:
        say_json({"error": {"code": code, "message": text}})
    end = "" if text.endswith((".", "?", "!")) else "."
    note(f"perdure: {text}{end}{_advice(error)} [{code}]")
    return exit_of(error) if known else Exit.BUG


def _advice(error: Exception) -> str:
    if not isinstance(error, PerdureError):
        return " --traceback shows where it happened."
    return next((f" {text}." for cls, text in _ADVICE if isinstance(error, cls)), "")
