"""Exit codes: what a script may rely on."""

from enum import IntEnum

from perdure.errors import (
    BackendUnavailable,
    PerdureError,
    SchemaError,
    WaitTimeout,
    WorkflowConflict,
    WorkflowFinished,
    WorkflowNotFound,
)


class Exit(IntEnum):
    """How a command ended."""

    OK = 0
    NO = 1
    USAGE = 2
    UNAVAILABLE = 3
    SCHEMA = 4
    WORKFLOW = 5
    TIMEOUT = 6
    BUG = 70
    INTERRUPTED = 130


class SaidNo(PerdureError):
    """A command ran, and what it was to show is not so."""


MEANINGS = {
    Exit.OK: "done",
    Exit.NO: "no: a workflow failed, tables are not current, a step was lost",
    Exit.USAGE: "the command or the configuration is wrong",
    Exit.UNAVAILABLE: "the database is not available",
    Exit.SCHEMA: "the tables are missing, older or newer than this code",
    Exit.WORKFLOW: "no such workflow, or one whose state or id does not allow it",
    Exit.TIMEOUT: "what was waited for did not come in time",
    Exit.BUG: "an unexpected error; --traceback shows where",
    Exit.INTERRUPTED: "interrupted (Ctrl-C)",
}

_BY_CLASS: tuple[tuple[tuple[type[Exception], ...], Exit], ...] = (
    ((BackendUnavailable,), Exit.UNAVAILABLE),
    ((SchemaError,), Exit.SCHEMA),
    ((WorkflowNotFound, WorkflowFinished, WorkflowConflict), Exit.WORKFLOW),
    ((WaitTimeout,), Exit.TIMEOUT),
    ((SaidNo,), Exit.NO),
)


def exit_of(error: Exception) -> Exit:
    """The exit code that stands for one of Perdure's errors."""
    for classes, code in _BY_CLASS:
        if isinstance(error, classes):
            return code
    return Exit.USAGE
