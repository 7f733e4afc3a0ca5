"""Every error Perdure raises.

    PerdureError
    ├── ConfigurationError              the program or its settings are wrong
    │   ├── DefinitionError             a decorated function cannot be what it is asked to be
    │   ├── UnknownBackend              no installed backend serves the URL's scheme
    │   └── SchemaError                 the tables are missing, older or newer than the code
    ├── BackendUnavailable              the database is not available; nothing is known to be wrong
    │   └── OutcomeUnknown              … and whether the last write happened is not known
    ├── BackendRefused                  the database refuses a value or a statement; trying again is useless
    ├── SubmissionError                 a workflow was not started
    │   ├── WorkflowConflict            the id is taken by another workflow or another input
    │   ├── UnknownWorkflow             nothing has ever registered that name
    │   └── InvalidArguments            the workflow does not take these arguments
    ├── WorkflowNotFound                no workflow has that id
    ├── WorkflowFinished                the workflow has ended; what was asked needs one that has not
    ├── WorkflowParked                  the workflow waits for a person
    ├── WaitTimeout                     what was waited for did not come in time
    ├── StepTimeout                     an attempt of a step took too long
    ├── RemoteError                     an error that cannot be rebuilt in this process
    ├── SerializationError              a value cannot become JSON, or JSON cannot become the value
    ├── NonDeterminism                  the code asked for another step than the one recorded
    └── UsageError                      a call in the wrong place
        ├── NotInWorkflow               … outside a running workflow
        └── BlockingCall                … that would block the event loop

`GiveUp` stands apart: a step raises it to say that no further attempt is wanted.

Every class has a `code` that never changes; arguments are attributes.
"""

from collections.abc import Collection, Sequence
from datetime import timedelta
from typing import Any, ClassVar

_SHOWN = 10


class PerdureError(Exception):
    """The base of everything Perdure raises."""

    code: ClassVar[str] = "error"


class ConfigurationError(PerdureError):
    """The program or its settings are wrong; no retry helps."""

    code = "configuration"


class DefinitionError(ConfigurationError):
    """A decorated function cannot be what it is asked to be."""

    code = "definition"


class UnknownBackend(ConfigurationError):
    """No installed backend serves the scheme of the URL."""

    code = "unknown-backend"

    def __init__(self, scheme: str, known: Collection[str]) -> None:
        self.scheme = scheme
        self.known = sorted(known)
        super().__init__(
            f"no backend serves URLs that begin with {scheme}:// "
            f"(installed: {', '.join(f'{name}://' for name in self.known) or 'none'}). "
            f"PostgreSQL comes with pip install 'perdure[postgres]', CockroachDB with "
            f"'perdure[cockroachdb]'; a third party's backend is a package with an entry point "
            f"named {scheme} in the group perdure.backends."
        )


class SchemaError(ConfigurationError):
    """Perdure's tables are missing, older than this code, or newer."""

    code = "schema"


class BackendUnavailable(PerdureError, ConnectionError):
    """The database is not available: not there, too busy, read-only, or in trouble of its own.

    `where` names host, port and database, never a password.
    """

    code = "backend-unavailable"

    def __init__(self, where: str, reason: str) -> None:
        self.where = where
        self.reason = reason
        super().__init__(f"{where} is not available: {reason}")


class OutcomeUnknown(BackendUnavailable):
    """The connection broke in a write that may or may not have happened."""

    code = "outcome-unknown"


class BackendRefused(PerdureError):
    """The database refuses a value or a statement; trying again would fail again."""

    code = "backend-refused"


class SubmissionError(PerdureError):
    """A workflow was not started."""

    code = "submission"


class WorkflowConflict(SubmissionError):
    """The id belongs to a workflow of another name or with another input."""

    code = "workflow-conflict"

    def __init__(self, ids: Sequence[str]) -> None:
        self.ids = tuple(ids)
        more = ", …" if len(self.ids) > _SHOWN else ""
        shown = ", ".join(self.ids[:_SHOWN]) + more
        super().__init__(
            f"already started with another input or as another workflow: {shown}. "
            f"An id is an idempotency key: use a new one for new work."
        )


class UnknownWorkflow(SubmissionError, LookupError):
    """Nothing here, and no worker ever, has registered a workflow of that name."""

    code = "unknown-workflow"

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            f"no workflow is named {name!r}: nothing in this process registered it and no worker "
            f"has ever served it. Import the module that defines it, or start a worker that does."
        )


class InvalidArguments(SubmissionError, TypeError):
    """The workflow does not take these arguments."""

    code = "invalid-arguments"

    def __init__(self, workflow: str, reason: str) -> None:
        self.workflow = workflow
        self.reason = reason
        super().__init__(f"{workflow}: {reason}")


class WorkflowNotFound(PerdureError, LookupError):
    """No workflow has that id."""

    code = "workflow-not-found"

    def __init__(self, id: str) -> None:
        self.id = id
        super().__init__(f"no workflow has the id {id!r}")


class WorkflowFinished(PerdureError):
    """The workflow has ended."""

    code = "workflow-finished"

    def __init__(self, id: str, status: str) -> None:
        self.id = id
        self.status = status
        super().__init__(f"{id} has ended ({status})")


class WorkflowCancelled(PerdureError):
    """The workflow was cancelled. In its own code that is `perdure.Cancelled`."""

    code = "workflow-cancelled"

    def __init__(self, id: str, reason: str = "") -> None:
        self.id = id
        self.reason = reason
        super().__init__(f"{id} was cancelled: {reason}" if reason else f"{id} was cancelled")


class WorkflowParked(PerdureError):
    """The workflow is set aside until somebody resumes it."""

    code = "workflow-parked"

    def __init__(self, id: str, reason: str) -> None:
        self.id = id
        self.reason = reason
        super().__init__(f"{id} is parked: {reason}\nWhen the cause is gone: perdure resume {id}")


class WaitTimeout(PerdureError, TimeoutError):
    """What was waited for did not come in time; it may still come."""

    code = "wait-timeout"

    def __init__(self, what: str, after: timedelta) -> None:
        self.what, self.after = what, after
        super().__init__(f"{what} did not come within {after}")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.what, self.after)


class StepTimeout(PerdureError, TimeoutError):
    """An attempt of a step took longer than its timeout.

    The thread of a sync step cannot be stopped: its body may still finish, and
    what it returns then is dropped.
    """

    code = "step-timeout"


class RemoteError(PerdureError):
    """An error of a step or workflow whose class cannot be rebuilt here."""

    code = "remote-error"

    def __init__(self, type: str, message: str, traceback: str = "") -> None:
        self.type = type
        self.message = message
        self.traceback = traceback
        super().__init__(f"{type}: {message}" if message else type)


class SerializationError(PerdureError):
    """A value cannot become JSON, or JSON cannot become the annotated type."""

    code = "serialization"


class NonDeterminism(PerdureError):
    """The code asked for another step than the one that is recorded."""

    code = "non-determinism"


class UsageError(PerdureError, RuntimeError):
    """A call in a place where it has no meaning; the message names the right one."""

    code = "usage"


class NotInWorkflow(UsageError):
    """The call means something only in a running workflow."""

    code = "not-in-workflow"


class BlockingCall(UsageError):
    """The call would block the event loop that runs the workflows."""

    code = "blocking-call"


class GiveUp(Exception):
    """A step raises it: no more attempts."""
