"""Durable workflows on the database you already have."""

from asyncio import CancelledError as Cancelled

from .call import Call
from .chance import now, random, uuid4
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
    WorkflowConflict,
    WorkflowFinished,
    WorkflowNotFound,
    WorkflowParked,
)
from .future import Future
from .handle import Handle
from .loop import NonDeterministic
from .model import Attributes, Status, StepRecord, WorkflowRecord
from .resource import AsyncResource, Resource, resource
from .retry import Retry
from .step import Step, step
from .timer import asleep, asleep_until, sleep, sleep_until
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
    "SubmissionError",
    "UnknownBackend",
    "UnknownWorkflow",
    "UsageError",
    "WaitTimeout",
    "Worker",
    "Workflow",
    "WorkflowConflict",
    "WorkflowFinished",
    "WorkflowNotFound",
    "WorkflowParked",
    "WorkflowRecord",
    "asleep",
    "asleep_until",
    "current_step",
    "current_workflow",
    "now",
    "random",
    "resource",
    "sleep",
    "sleep_until",
    "step",
    "uuid4",
    "workflow",
]
