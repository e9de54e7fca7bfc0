"""The sensors that repeat runs which failed for a transient reason, such as a source that was away.

The pauses between the attempts grow: 1, 5, 25, 125 minutes and so on, up to the next run of the activation's
own schedule, and at most for a day. A run whose reason is lasting, such as a wrong token, is not repeated:
the tick names it until a newer run succeeds. Of a run's activations, only those that failed are repeated.

A cursor holds the failed runs, without the activations that a newer run has worked on. What a retry needs to
know about the runs before it is in its tags. Each job has a sensor of its own, because Dagster 1.13 warns of
a beta feature whenever it loads a sensor with several jobs.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta

import dagster as dg
from dagster import DagsterRunStatus as RunStatus

from dinmo_pipeline.config.declarations import Activation
from dinmo_pipeline.orchestration.naming import (
    APPLY_TAG_CHANGES,
    RECONCILE_TAGS,
    SYNC_MEMBERSHIP,
    Names,
    retries_name,
)
from dinmo_pipeline.orchestration.runs.batch import activations_of, batches, config_of
from dinmo_pipeline.orchestration.runs.errors import was_interrupted
from dinmo_pipeline.orchestration.runs.lifecycle import (
    FAILURE_EVENTS,
    activations_under_way,
    failures_of,
    finished_runs,
)
from dinmo_pipeline.orchestration.runs.pauses import LAUNCHED_BY, paused_activations
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
_RETRIED_BY_DAGSTER = "dagster/will_retry"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why an activation failed in a run; `why_not` says why it is not repeated, and is empty if it may be."""

    summary: str
    why_not: str


@dataclass(frozen=True, slots=True)
class FailedRun:
    """A run of a job, with the activations that failed in it and in no newer run; times are timestamps."""

    job: str
    run_id: str
    ended: float
    attempt: int
    first_failed: float
    failed: Mapping[str, Reason]

    @property
    def due(self) -> datetime:
        """When to repeat it."""
        return datetime.fromtimestamp(self.ended, UTC) + timedelta(minutes=5 ** (self.attempt - 1))

    def only(self, activations: Collection[str]) -> "FailedRun":
        """The same run with some of its activations."""
        return replace(self, failed={key: self.failed[key] for key in self.failed if key in activations})


@dataclass(frozen=True, slots=True)
class Decision:
    """The runs to repeat now, what is left of the others, and a sentence about each activation left."""

    launch: tuple[FailedRun, ...]
    kept: tuple[FailedRun, ...]
    sentences: tuple[str, ...]


def decide(
    failed: Iterable[FailedRun],
    *,
    activations: Mapping[str, Activation],
    under_way: Collection[str],
    paused: Collection[str],
    now: datetime,
) -> Decision:
    """Decide about each activation of the failed runs of a job.

    `under_way` are the activations with an unfinished run.
    """
    launch, kept, sentences = [], [], []
    for run in failed:
        now_due, others = [], []
        for key, reason in run.failed.items():
            activation = activations.get(key)
            if activation is None or not activation.enabled:
                continue
            until = _until(activation, run)
            if key in paused:
                others.append(key)
                sentences.append(f"{_what_failed(run, key)} It is paused.")
                continue
            if not reason.why_not and run.due < until and run.due <= now and key not in under_way:
                now_due.append(key)
                continue
            others.append(key)
            sentences.append(f"{_what_failed(run, key)} {_what_follows(run, reason, until, now)}")
        launch += [run.only(now_due)] if now_due else []
        kept += [run.only(others)] if others else []
    return Decision(tuple(launch), tuple(kept), tuple(sentences))


def _what_failed(run: FailedRun, activation: str) -> str:
    return f"{activation}: {run.job} failed. {run.failed[activation].summary.removeprefix('failed. ')}"


def _what_follows(run: FailedRun, reason: Reason, until: datetime, now: datetime) -> str:
    if reason.why_not:
        return f"It is not repeated: {reason.why_not}."
    if run.due >= until:
        return f"It is not repeated again: {_given_up(run, until)}."
    if run.due <= now:
        return "Another run of the activation is under way."
    return f"Attempt {run.attempt + 1} follows at {run.due:%H:%M:%S} UTC."


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


def build_retries_sensors(names: Names, activations: Mapping[str, Activation]) -> list[dg.SensorDefinition]:
    """A sensor for each job, which repeats the runs of all enabled activations."""
    return [_sensor(names, job, activations) for job in (SYNC_MEMBERSHIP, APPLY_TAG_CHANGES, RECONCILE_TAGS)]


def _sensor(names: Names, job: str, activations: Mapping[str, Activation]) -> dg.SensorDefinition:
    @dg.sensor(
        name=names.of(retries_name(job)),
        job_name=names.of(job),
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=(
            f"Repeats runs of {names.of(job)} that failed for a transient reason, after 1, 5, 25 and more"
            " minutes."
        ),
    )
    def retries_sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        return _tick(names, context, job, activations)

    return retries_sensor


def _tick(
    names: Names, context: dg.SensorEvaluationContext, job: str, activations: Mapping[str, Activation]
) -> dg.SensorResult:
    now = datetime.now(UTC)
    cursor = _Cursor.read(context.cursor, now)
    failed, judged = list(cursor.failed), dict(cursor.judged)
    # New changes are applied by a run of their own, so a failed run for older ones is not repeated.
    jobs = (SYNC_MEMBERSHIP, APPLY_TAG_CHANGES) if job == APPLY_TAG_CHANGES else (job,)
    for record in finished_runs(names, context.instance, jobs, cursor.since, _FINISHED):
        run = record.dagster_run
        if run.run_id in judged:
            continue
        judged[run.run_id] = record.end_time or 0.0
        replaced = set(activations_of(names, run))
        is_of_job = names.job_of(run) == job
        if not is_of_job and failed and not run.is_success:
            replaced -= failures_of(names, run, _events(context.instance, run)).keys()
        failed = [left for each in failed if (left := each.only(each.failed.keys() - replaced)).failed]
        if is_of_job and (new := _failure(names, job, context.instance, record)):
            failed.append(new)
    decision = decide(
        failed,
        activations=activations,
        under_way=_under_way(names, context.instance, job) if failed else (),
        paused=paused_activations(names, context.instance) if failed else (),
        now=now,
    )
    requests: list[dg.RunRequest] = []
    for repeated in decision.launch:
        for key in repeated.failed:
            context.log.info("%s Attempt %d starts now.", _what_failed(repeated, key), repeated.attempt + 1)
        requests += _requests(names, context.instance, repeated, activations)
    recent = (now - 2 * _OVERLAP).timestamp()
    kept = _Cursor(now, decision.kept, {run_id: at for run_id, at in judged.items() if at > recent})
    skip_reason = None if requests else "\n".join(decision.sentences) or "No failed run to repeat."
    return dg.SensorResult(run_requests=requests, skip_reason=skip_reason, cursor=kept.write())


def _under_way(names: Names, instance: dg.DagsterInstance, job: str) -> set[str]:
    """The activations for which a retry would not be alone."""
    jobs = (RECONCILE_TAGS,) if job == RECONCILE_TAGS else (SYNC_MEMBERSHIP, APPLY_TAG_CHANGES)
    return {activation for each in jobs for activation in activations_under_way(names, instance, each)}


def _events(instance: dg.DagsterInstance, run: dg.DagsterRun) -> list[dg.DagsterEvent]:
    entries = instance.all_logs(run.run_id, of_type=FAILURE_EVENTS)
    return [entry.dagster_event for entry in entries if entry.dagster_event]


def _failure(names: Names, job: str, instance: dg.DagsterInstance, record: dg.RunRecord) -> FailedRun | None:
    """How a run failed; None for a run that ended otherwise, or that something else will repeat."""
    run = record.dagster_run
    if run.status != RunStatus.FAILURE or run.tags.get(_RETRIED_BY_DAGSTER) == "true":
        return None
    events = _events(instance, run)
    if was_interrupted(events) and not any(tag in run.tags for tag in LAUNCHED_BY):
        return None  # a person ended their own command
    ended = record.end_time or record.create_timestamp.timestamp()
    return FailedRun(
        job=job,
        run_id=run.run_id,
        ended=ended,
        attempt=int(run.tags.get(ATTEMPT_TAG, 1)),
        first_failed=float(run.tags.get(FIRST_FAILED_TAG, ended)),
        failed={
            key: Reason(failed.summary, _why_not(names, run, is_transient=failed.is_transient))
            for key, failed in sorted(failures_of(names, run, events).items())
        },
    )


def _why_not(names: Names, run: dg.DagsterRun, *, is_transient: bool) -> str:
    if not is_transient:
        return "the reason will last"
    config = config_of(names, run)
    if config.get("allow_large_removal") or config.get("allow_large_growth"):
        return "whoever allowed the large removal had looked at the changes of that moment"
    return ""


def _requests(
    names: Names, instance: dg.DagsterInstance, run: FailedRun, activations: Mapping[str, Activation]
) -> Iterator[dg.RunRequest]:
    """Runs with the same configuration; none if the failed run was deleted meanwhile."""
    failed = instance.get_run_by_id(run.run_id)
    if failed is None:
        return
    tags = {
        ATTEMPT_TAG: str(run.attempt + 1),
        FIRST_FAILED_TAG: str(run.first_failed),
        RETRY_OF_TAG: run.run_id,
    }
    for batch in batches(names, run.job, map(activations.__getitem__, run.failed), config_of(names, failed)):
        # Those of its activations that had another run under way are repeated by a run of their own.
        is_whole = len(batch.activations) == len(activations_of(names, failed))
        yield batch.request(f"retry:{run.run_id}{'' if is_whole else f':{batch.partition_key}'}", tags)


@dataclass(frozen=True, slots=True)
class _Cursor:
    """When the last tick was, the failed runs, and the runs judged lately with their ends."""

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
        failed = [
            FailedRun(**{**run, "failed": {key: Reason(**why) for key, why in run["failed"].items()}})
            for run in read["failed"]
            if "failed" in run  # an earlier release kept a run for each activation
        ]
        return cls(datetime.fromtimestamp(read["at"], UTC), failed, read["judged"])

    def write(self) -> str:
        return json.dumps(
            {
                "at": self.at.timestamp(),
                "failed": [asdict(run) for run in self.failed],
                "judged": self.judged,
            }
        )
