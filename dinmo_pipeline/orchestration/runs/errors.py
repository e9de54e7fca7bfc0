"""Why a run failed, in the words that we wrote for a person, from the events of the run."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg

from dinmo_pipeline.intercom.errors import UnavailableError
from dinmo_pipeline.segments.errors import SourceUnavailableError
from dinmo_pipeline.state.errors import StateBusyError

TRANSIENT_ERRORS = (SourceUnavailableError, StateBusyError, UnavailableError)
"""Errors, with those derived from them, after which the same run may succeed later."""

# Dagster could not reach the process that was to run it.
_UNREACHABLE = "DagsterUserCodeUnreachableError"
_INTERRUPTED = dg.DagsterExecutionInterruptedError.__name__
# The key of a failure's metadata, with the reason of each activation.
FAILED = "failed_activations"


@dataclass(frozen=True, slots=True)
class Failed:
    """Why an activation failed in a run: `summary` starts with the status, such as `held`.

    `is_ours` if the words are, and not those of an error that nobody thought of.
    """

    summary: str
    is_transient: bool
    is_held: bool = False
    is_ours: bool = True

    @property
    def reason(self) -> str:
        """The summary without the status."""
        return self.summary.removeprefix("failed. ")


def failed_by(error: Exception) -> Failed:
    """What an exception means for its activation."""
    is_ours = type(error).__module__.startswith("dinmo_pipeline.")
    text = str(error) if is_ours else f"{type(error).__name__}: {error}"
    return Failed(f"failed. {text}", isinstance(error, TRANSIENT_ERRORS), is_ours=is_ours)


def failures_in(events: Iterable[dg.DagsterEvent]) -> dict[str, Failed]:
    """Why each activation failed that a run names; empty when another error ended the run."""
    failure = _failure_in(events)
    found: Any = failure.metadata[FAILED].value if failure and FAILED in failure.metadata else {}
    return {key: Failed(**values) for key, values in found.items()}


def was_interrupted(events: Iterable[dg.DagsterEvent]) -> bool:
    """Whether a person, or SIGTERM, ended the run."""
    return any(error.cls_name == _INTERRUPTED for error in _errors_of(events))


def is_transient(events: Sequence[dg.DagsterEvent]) -> bool:
    """Whether a failed run may succeed when it is repeated: it was killed, or its error is transient."""
    errors = list(_errors_of(events))
    return not errors or any(map(_is_transient, errors))


def _is_transient(error: Any) -> bool:
    names = {_UNREACHABLE, *(name for kind in TRANSIENT_ERRORS for name in _names(kind))}
    while error:
        if error.cls_name in names:
            return True
        error = error.cause
    return False


def _names(kind: type[Exception]) -> Iterator[str]:
    """The names of a class and of those derived from it: Dagster keeps only names."""
    yield kind.__name__
    for derived in kind.__subclasses__():
        yield from _names(derived)


def error_of(events: Iterable[dg.DagsterEvent]) -> str:
    """Our own words for the first error, of a step or of the run before its first step.

    An error that is not ours is shown by its innermost cause.
    """
    error = next(_errors_of(events), None)
    while error and error.cause and not error.message.startswith("dinmo_pipeline."):
        error = error.cause
    if not error:
        return "The run ended without an error to show."
    # Dagster writes the class before the sentence: `dinmo_pipeline.segments.errors.SourceError: …`.
    return re.sub(rf"^[\w.]*{error.cls_name}: ", "", error.message).strip()


def summary_of(events: Sequence[dg.DagsterEvent]) -> str:
    """Why a run failed that names no activation, and what to do about it."""
    if any(_errors_of(events)):
        return error_of(events)
    return next((event.message for event in events if event.is_run_failure and event.message), "")


def _failure_in(events: Iterable[dg.DagsterEvent]) -> Any:
    """The first `Failure` of ours that ended a step: its `description` and `metadata`."""
    failures = (event.step_failure_data.user_failure_data for event in events if event.is_step_failure)
    return next(filter(None, failures), None)


def _errors_of(events: Iterable[dg.DagsterEvent]) -> Iterator[Any]:
    return filter(None, (getattr(event.event_specific_data, "error", None) for event in events))
