"""Durable workflows on the database you already have."""

from asyncio import CancelledError as Cancelled

from .call import Call
from .chance import now, random, uuid4
from .children import (
    aresults,
    astart_child,
    astart_children,
    first,
    results,
    start_child,
    start_children,
)
from .context import CurrentStep, CurrentWorkflow, current_step, current_workflow
from .definition import Async
from .engine import Engine
from .errors import (
    BackendRefused,
    BackendUnavailable,
    BlockingCall,
    ConfigurationError,
    DefinitionError,
    GiveUp,
    InvalidArguments,
    NonDeterminism,
    NotInWorkflow,
    OutcomeUnknown,
    PerdureError,
    RemoteError,
    SchemaError,
    SerializationError,
    StepTimeout,
    SubmissionError,
    UnknownBackend,
    UnknownWorkflow,
    UsageError,
    WaitTimeout,
    WorkflowCancelled,
    WorkflowConflict,
    WorkflowFinished,
    WorkflowNotFound,
    WorkflowParked,
)
from .event import Event
from .executor import Swallowed
from .future import Future
from .handle import Handle
from .loop import NonDeterministic
from .model import Attributes, Status, StepRecord, WorkflowRecord
from .race import afirst
from .resource import AsyncResource, Resource, resource
from .retry import Retry
from .saga import compensate, shield
from .step import Step, step
from .stream import Stream, StreamItem
from .timer import asleep, asleep_until, sleep, sleep_until
from .topic import Topic, areceive, receive
from .worker import Worker
from .workflow import NothingRecorded, Workflow, workflow

__all__ = [
    "Async",
    "AsyncResource",
    "Attributes",
    "BackendRefused",
    "BackendUnavailable",
    "BlockingCall",
    "Call",
    "Cancelled",
    "ConfigurationError",
    "CurrentStep",
    "CurrentWorkflow",
    "DefinitionError",
    "Engine",
    "Event",
    "Future",
    "GiveUp",
    "Handle",
    "InvalidArguments",
    "NonDeterminism",
    "NonDeterministic",
    "NotInWorkflow",
    "NothingRecorded",
    "OutcomeUnknown",
    "PerdureError",
    "RemoteError",
    "Resource",
    "Retry",
    "SchemaError",
    "SerializationError",
    "Status",
    "Step",
    "StepRecord",
    "StepTimeout",
    "Stream",
    "StreamItem",
    "SubmissionError",
    "Swallowed",
    "Topic",
    "UnknownBackend",
    "UnknownWorkflow",
    "UsageError",
    "WaitTimeout",
    "Worker",
    "Workflow",
    "WorkflowCancelled",
    "WorkflowConflict",
    "WorkflowFinished",
    "WorkflowNotFound",
    "WorkflowParked",
    "WorkflowRecord",
    "afirst",
    "areceive",
    "aresults",
    "asleep",
    "asleep_until",
    "astart_child",
    "astart_children",
    "compensate",
    "current_step",
    "current_workflow",
    "first",
    "now",
    "random",
    "receive",
    "resource",
    "results",
    "shield",
    "sleep",
    "sleep_until",
    "start_child",
    "start_children",
    "step",
    "uuid4",
    "workflow",
]
