"""The sensors that repeat runs which failed for a transient reason, such as a source that was away.

The pauses between the attempts grow: 1, 5, 25, 125 minutes and so on, up to the next run of the activation's
own schedule, and at most for a day. A run whose reason is lasting, such as a wrong token, is not repeated:
the tick names it until a newer run succeeds.

A cursor holds the failed runs that no newer run has replaced. What a retry needs to know about the runs
before it is in its tags. Each job has a sensor of its own, because Dagster 1.13 warns of a beta feature
whenever it loads a sensor with several jobs.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
from dagster import DagsterEventType as Event
from dagster import DagsterRunStatus as RunStatus

from dinmo_pipeline.config.declarations import Activation
from dinmo_pipeline.orchestration.naming import (
    APPLY_TAG_CHANGES,
    INTERCOM_TAGS,
    RECONCILE_TAGS,
    SYNC_MEMBERSHIP,
    retries_name,
)
from dinmo_pipeline.orchestration.runs.errors import is_transient, summary_of, was_interrupted
from dinmo_pipeline.orchestration.runs.lifecycle import activations_under_way, finished_runs
from dinmo_pipeline.orchestration.sensors.staleness import next_tick

INTERVAL_SECONDS = 60
LONGEST = timedelta(days=1)
# Each tick looks at these runs again, since clocks differ; none is judged twice.
_OVERLAP = timedelta(minutes=2)

# Tags of a retry: which attempt it is, when the first one failed (a timestamp), and the run it repeats.
ATTEMPT_TAG = "dinmo/attempt"
FIRST_FAILED_TAG = "dinmo/first_failed"
RETRY_OF_TAG = "dinmo/retry_of"

_FINISHED = (RunStatus.SUCCESS, RunStatus.FAILURE, RunStatus.CANCELED)
_FAILURES = {Event.STEP_FAILURE, Event.RESOURCE_INIT_FAILURE, Event.RUN_FAILURE}
_LAUNCHED_BY = ("dagster/schedule_name", "dagster/sensor_name")
_RETRIED_BY_DAGSTER = "dagster/will_retry"


@dataclass(frozen=True, slots=True)
class FailedRun:
    """The newest run of a job for an activation, which failed; times are timestamps.

    `why_not` says why it is not repeated; it is empty if it may be.
    """

    activation: str
    job: str
    run_id: str
    ended: float
    attempt: int
    first_failed: float
    why_not: str
    summary: str

    @property
    def due(self) -> datetime:
        """When to repeat it."""
        return datetime.fromtimestamp(self.ended, UTC) + timedelta(minutes=5 ** (self.attempt - 1))


@dataclass(frozen=True, slots=True)
class Decision:
    """The runs to repeat now, the others, and a sentence about each of the others."""

    launch: tuple[FailedRun, ...]
    kept: tuple[FailedRun, ...]
    sentences: tuple[str, ...]


def decide(
    failed: Iterable[FailedRun],
    *,
    activations: Mapping[str, Activation],
    under_way: Collection[str],
    now: datetime,
) -> Decision:
    """Decide about each failed run of a job; `under_way` are the activations with an unfinished run."""
    launch, kept, sentences = [], [], []
    for run in failed:
        activation = activations.get(run.activation)
        if activation is None or not activation.enabled:
            continue
        until = _until(activation, run)
        if not run.why_not and run.due < until and run.due <= now and run.activation not in under_way:
            launch.append(run)
            continue
        kept.append(run)
        if run.why_not:
            then = f"It is not repeated: {run.why_not}."
        elif run.due >= until:
            then = f"It is not repeated again: {_given_up(run, until)}."
        elif run.due <= now:
            then = "Another run of the activation is under way."
        else:
            then = f"Attempt {run.attempt + 1} follows at {run.due:%H:%M:%S} UTC."
        sentences.append(f"{_what_failed(run)} {then}")
    return Decision(tuple(launch), tuple(kept), tuple(sentences))


def _what_failed(run: FailedRun) -> str:
    return f"{run.activation}: {run.job} failed. {run.summary.removeprefix('failed. ')}"


def _until(activation: Activation, run: FailedRun) -> datetime:
    """The moment from which on a failed run is not repeated: its schedule's next tick, or a day later."""
    first = datetime.fromtimestamp(run.first_failed, UTC)
    if run.job == RECONCILE_TAGS:
        cron = activation.reconciliation.schedule if activation.is_reconciled else None
    else:
        cron = activation.schedule if activation.is_scheduled else None
    ticks = [next_tick(cron, activation.timezone, first)] if cron else []
    return min([first + LONGEST, *ticks])


def _given_up(run: FailedRun, until: datetime) -> str:
    first = datetime.fromtimestamp(run.first_failed, UTC)
    if until == first + LONGEST:
        return "it has failed for a day"
    return f"its schedule runs at {until:%Y-%m-%d %H:%M} UTC"


def build_retries_sensors(activations: Mapping[str, Activation]) -> list[dg.SensorDefinition]:
    """A sensor for each job, which repeats the runs of all enabled activations."""
    return [_sensor(job, activations) for job in (SYNC_MEMBERSHIP, APPLY_TAG_CHANGES, RECONCILE_TAGS)]


def _sensor(job: str, activations: Mapping[str, Activation]) -> dg.SensorDefinition:
    @dg.sensor(
        name=retries_name(job),
        job_name=job,
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=(
            f"Repeats runs of {job} that failed for a transient reason, after 1, 5, 25 and more minutes."
        ),
    )
    def retries_sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        return _tick(context, job, activations)

    return retries_sensor


def _tick(
    context: dg.SensorEvaluationContext, job: str, activations: Mapping[str, Activation]
) -> dg.SensorResult:
    now = datetime.now(UTC)
    cursor = _Cursor.read(context.cursor, now)
    failed = {run.activation: run for run in cursor.failed}
    judged = dict(cursor.judged)
    for activation, records in _finished(context.instance, job, activations, cursor.since).items():
        new = [record for record in records if (record.end_time or 0.0) > judged.get(activation, 0.0)]
        if new:
            judged[activation] = new[-1].end_time or 0.0
            failed.pop(activation, None)
            if run := _failure(context.instance, job, activation, new[-1]):
                failed[activation] = run
    decision = decide(
        failed.values(),
        activations=activations,
        under_way=_under_way(context.instance, job) if failed else (),
        now=now,
    )
    for run in decision.launch:
        context.log.info("%s Attempt %d starts now.", _what_failed(run), run.attempt + 1)
    requests = [request for run in decision.launch if (request := _request(context.instance, run))]
    recent = (now - 2 * _OVERLAP).timestamp()
    kept = _Cursor(now, decision.kept, {key: at for key, at in judged.items() if at > recent})
    skip_reason = None if requests else "\n".join(decision.sentences) or "No failed run to repeat."
    return dg.SensorResult(run_requests=requests, skip_reason=skip_reason, cursor=kept.write())


def _finished(
    instance: dg.DagsterInstance, job: str, activations: Iterable[str], since: datetime
) -> dict[str, list[dg.RunRecord]]:
    """The finished runs of a job, by activation; for the tags also those that computed new changes.

    Such changes are applied by a run of their own, so a failed run for older ones is not repeated.
    """
    runs = finished_runs(instance, activations, since, _FINISHED)

    def counts(run: dg.DagsterRun) -> bool:
        replaces = job == APPLY_TAG_CHANGES and run.job_name == SYNC_MEMBERSHIP and run.is_success
        return run.job_name == job or replaces

    return {
        key: [record for record in records if counts(record.dagster_run)] for key, records in runs.items()
    }


def _under_way(instance: dg.DagsterInstance, job: str) -> set[str]:
    """The activations for which a retry would not be alone."""
    jobs = (RECONCILE_TAGS,) if job == RECONCILE_TAGS else (SYNC_MEMBERSHIP, APPLY_TAG_CHANGES)
    return {activation for each in jobs for activation in activations_under_way(instance, each)}


def _failure(
    instance: dg.DagsterInstance, job: str, activation: str, record: dg.RunRecord
) -> FailedRun | None:
    """How a run failed; None for a run that ended otherwise, or that something else will repeat."""
    run = record.dagster_run
    if run.job_name != job or run.status != RunStatus.FAILURE or run.tags.get(_RETRIED_BY_DAGSTER) == "true":
        return None
    entries = instance.all_logs(run.run_id, of_type=_FAILURES)
    events = [entry.dagster_event for entry in entries if entry.dagster_event]
    interrupted = was_interrupted(events)
    if interrupted and not any(tag in run.tags for tag in _LAUNCHED_BY):
        return None  # a person ended their own command
    ended = record.end_time or record.create_timestamp.timestamp()
    return FailedRun(
        activation=activation,
        job=job,
        run_id=run.run_id,
        ended=ended,
        attempt=int(run.tags.get(ATTEMPT_TAG, 1)),
        first_failed=float(run.tags.get(FIRST_FAILED_TAG, ended)),
        why_not=_why_not(run, is_transient=interrupted or is_transient(events)),
        summary=summary_of(events),
    )


def _why_not(run: dg.DagsterRun, *, is_transient: bool) -> str:
    if not is_transient:
        return "the reason will last"
    ops: Any = run.run_config.get("ops", {})
    config = ops.get(INTERCOM_TAGS, {}).get("config", {})
    if config.get("allow_large_removal") or config.get("allow_large_growth"):
        return "whoever allowed the large removal had looked at the changes of that moment"
    return ""


def _request(instance: dg.DagsterInstance, run: FailedRun) -> dg.RunRequest | None:
    """A run with the same configuration; None if the failed run was deleted meanwhile."""
    failed = instance.get_run_by_id(run.run_id)
    if failed is None:
        return None
    return dg.RunRequest(
        run_key=f"retry:{run.run_id}",
        partition_key=run.activation,
        run_config=failed.run_config,
        tags={
            ATTEMPT_TAG: str(run.attempt + 1),
            FIRST_FAILED_TAG: str(run.first_failed),
            RETRY_OF_TAG: run.run_id,
        },
    )


@dataclass(frozen=True, slots=True)
class _Cursor:
    """When the last tick was, the failed runs, and the end of the last judged run of each activation."""

    at: datetime
    failed: Sequence[FailedRun]
    judged: Mapping[str, float]

    @property
    def since(self) -> datetime:
        """The moment from which on to look at runs."""
        return self.at - _OVERLAP

    @classmethod
    def read(cls, cursor: str | None, now: datetime) -> "_Cursor":
        """The last tick's cursor; the first tick looks at a whole day."""
        if not cursor:
            return cls(now - LONGEST, (), {})
        read = json.loads(cursor)
        failed = [FailedRun(**values) for values in read["failed"]]
        return cls(datetime.fromtimestamp(read["at"], UTC), failed, read["judged"])

    def write(self) -> str:
        return json.dumps(
            {
                "at": self.at.timestamp(),
                "failed": [asdict(run) for run in self.failed],
                "judged": self.judged,
            }
        )
