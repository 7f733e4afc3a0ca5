"""What an error of a database means, and which of Perdure's errors says so."""

from enum import Enum, auto

from perdure.errors import (
    BackendRefused,
    BackendUnavailable,
    OutcomeUnknown,
    PerdureError,
    SchemaError,
)


class Fault(Enum):
    """What to do about an error."""

    RETRY = auto()
    """Rolled back for sure; trying again may well succeed."""
    UNPREPARED = auto()
    """A pooler mixed up prepared statements: nothing happened; do without them."""
    LOST = auto()
    """The answer is lost: the write may have happened."""
    UNAVAILABLE = auto()
    """Nothing happened, and the server cannot serve us now."""
    SCHEMA = auto()
    """The tables are not there."""
    REFUSED = auto()
    """The value or the statement is wrong for good."""
    TOO_LARGE = auto()
    """There is more of it than the server takes at once, for good."""


_BY_STATE = {
    "40001": Fault.RETRY,
    "40P01": Fault.RETRY,
    "26000": Fault.UNPREPARED,
    "42P05": Fault.UNPREPARED,
    "40003": Fault.LOST,
    "25P03": Fault.LOST,
    "25P04": Fault.LOST,
    "25006": Fault.UNAVAILABLE,
    "42501": Fault.UNAVAILABLE,
    "57014": Fault.UNAVAILABLE,
    "XX001": Fault.UNAVAILABLE,
    "XX002": Fault.UNAVAILABLE,
    "42P01": Fault.SCHEMA,
    "42703": Fault.SCHEMA,
    "3F000": Fault.SCHEMA,
}
_BY_CLASS = {
    "08": Fault.LOST,
    "28": Fault.UNAVAILABLE,
    "53": Fault.UNAVAILABLE,
    "55": Fault.UNAVAILABLE,
    "57": Fault.LOST,
    "58": Fault.LOST,
}
"""Connections, roles, resources, locks, operators, and the server's own troubles with its disks
and its peers: none of them is the fault of what is written, so none may fail a workflow. PostgreSQL,
appendix A; CockroachDB's own are 58C00, a range without a quorum, and 58C01 (`pgcode/codes.go`)."""


def of_sqlstate(state: str) -> Fault:
    """What a SQLSTATE means."""
    return _BY_STATE.get(state) or _BY_CLASS.get(state[:2], Fault.REFUSED)


def explained(fault: Fault, error: BaseException, *, where: str) -> PerdureError:
    """The error that the engine sees, to be raised from `error`."""
    reason = " ".join(str(getattr(error, "orig", None) or error).split())
    match fault:
        case Fault.LOST:
            return OutcomeUnknown(where, reason)
        case Fault.RETRY | Fault.UNPREPARED | Fault.UNAVAILABLE:
            return BackendUnavailable(where, reason)
        case Fault.SCHEMA:
            return SchemaError(
                f"{where} has not the tables that this version of Perdure needs: {reason}\n"
                f"Run: perdure migrate"
            )
        case Fault.REFUSED:
            return BackendRefused(f"{where} refuses it: {reason}")
        case Fault.TOO_LARGE:
            return BackendRefused(f"{where} does not take so much at once: {reason}")
