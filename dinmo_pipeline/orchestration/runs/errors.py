"""Why a run failed, in the words that we wrote for a person, from the events of the run."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
_SUMMARY = "summary"
_IS_TRANSIENT = "is_transient"


def failure_of(
    activation: str, summary: str, metadata: Mapping[str, Any], *, is_transient: bool
) -> dg.Failure:
    """The error that ends a run of an activation; its metadata holds the `summary` by itself, too."""
    return dg.Failure(
        f"{activation}: {summary}",
        metadata={_SUMMARY: summary, _IS_TRANSIENT: is_transient, **metadata},
        allow_retries=False,
    )


def failure_metadata(events: Iterable[dg.DagsterEvent]) -> dict[str, Any]:
    """The metadata of our own `Failure` as plain values; empty when another error ended the run."""
    failure = _failure_in(events)
    return {key: value.value for key, value in failure.metadata.items()} if failure else {}


def was_interrupted(events: Iterable[dg.DagsterEvent]) -> bool:
    """Whether a person, or SIGTERM, ended the run."""
    return any(error.cls_name == _INTERRUPTED for error in _errors_of(events))


def is_transient(events: Sequence[dg.DagsterEvent]) -> bool:
    """Whether a failed run may succeed when it is repeated: it was killed, or its error is transient."""
    errors = list(_errors_of(events))
    if not errors:
        return True
    found = failure_metadata(events).get(_IS_TRANSIENT)
    return bool(found) if found is not None else any(map(_is_transient, errors))


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
    """Why a run failed and what to do about it, without the name of its activation."""
    summary = failure_metadata(events).get(_SUMMARY)
    if summary:
        return str(summary)
    if any(_errors_of(events)):
        return error_of(events)
    return next((event.message for event in events if event.is_run_failure and event.message), "")


def _failure_in(events: Iterable[dg.DagsterEvent]) -> Any:
    """The first `Failure` of ours that ended a step: its `description` and `metadata`."""
    failures = (event.step_failure_data.user_failure_data for event in events if event.is_step_failure)
    return next(filter(None, failures), None)


def _errors_of(events: Iterable[dg.DagsterEvent]) -> Iterator[Any]:
    return filter(None, (getattr(event.event_specific_data, "error", None) for event in events))
