"""Why a run failed, in the words that we wrote for a person, from the events of the run."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import dagster as dg

_INTERRUPTED = dg.DagsterExecutionInterruptedError.__name__
_SUMMARY = "summary"


def failure_of(activation: str, summary: str, metadata: Mapping[str, Any]) -> dg.Failure:
    """The error that ends a run of an activation; its metadata holds the `summary` by itself, too."""
    return dg.Failure(
        f"{activation}: {summary}", metadata={_SUMMARY: summary, **metadata}, allow_retries=False
    )


def failure_metadata(events: Iterable[dg.DagsterEvent]) -> dict[str, Any]:
    """The metadata of our own `Failure` as plain values; empty when another error ended the run."""
    failure = _failure_in(events)
    return {key: value.value for key, value in failure.metadata.items()} if failure else {}


def was_interrupted(events: Iterable[dg.DagsterEvent]) -> bool:
    """Whether a person, or SIGTERM, ended the run."""
    return any(error.cls_name == _INTERRUPTED for error in _errors_of(events))


def error_of(events: Iterable[dg.DagsterEvent]) -> str:
    """The innermost cause of the first error: of a step, or of the run before its first step."""
    error = next(_errors_of(events), None)
    while error and error.cause:
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
