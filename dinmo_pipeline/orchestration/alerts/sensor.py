"""The sensor that posts a message when an activation gets into trouble, and when it is out of it.

It judges finished runs, whatever launched them: a change set that a guard holds does not fail a run, a
failing query and a refusal by Intercom fail different jobs, and the same failure an hour later is not news.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

import dagster as dg
from dagster import DagsterEventType as Event

from dinmo_pipeline.config.declarations import Activation, Project
from dinmo_pipeline.orchestration import naming
from dinmo_pipeline.orchestration.alerts.troubles import Trouble, as_message, news
from dinmo_pipeline.orchestration.alerts.verdict import (
    ChangesComputed,
    CheckEvaluated,
    Finding,
    RunFailed,
    TagsApplied,
    Verdict,
    troubles_after,
    verdict,
)
from dinmo_pipeline.orchestration.metadata import CHANGES_TO_APPLY, number_in
from dinmo_pipeline.orchestration.naming import Names, names_of
from dinmo_pipeline.orchestration.resources import AlertsResource
from dinmo_pipeline.orchestration.runs.batch import activations_of, sentence_about
from dinmo_pipeline.orchestration.runs.errors import was_interrupted
from dinmo_pipeline.orchestration.runs.lifecycle import (
    ASSET_PAGE_JOB,
    FAILURE_EVENTS,
    failures_of,
    finished_runs,
)
from dinmo_pipeline.orchestration.sensors.staleness import Observer

INTERVAL_SECONDS = 60
# Each tick looks at these runs again, since clocks differ; none is judged twice.
_OVERLAP = timedelta(minutes=2)
_FIRST_TICK_LOOKS_BACK = timedelta(days=1)
# The first tick meets the runs of a whole day; the later ones of them say all that matters.
MAX_RUNS_PER_TICK = 10  # of one activation
_FINISHED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]
_JUDGED_EVENTS = {*FAILURE_EVENTS, Event.ASSET_CHECK_EVALUATION}


@dataclass(frozen=True, slots=True)
class Standing:
    """The kinds of trouble that an activation was in after its run that ended at `as_of`.

    `known_since` is when it was first seen, or last seen paused; both are timestamps.
    """

    as_of: float
    kinds: Sequence[str]
    known_since: float


def build_alerts_sensor(project: Project) -> dg.SensorDefinition:
    """The sensor; it needs the `alerts` resource."""
    activations, names = project.activations, names_of(project)

    @dg.sensor(
        name=names.of(naming.ALERTS_SENSOR),
        asset_selection=dg.AssetSelection.assets(names.key(naming.INTERCOM_TAGS)),
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        required_resource_keys={names.resource(naming.ALERTS)},
        description="Posts a message when an activation gets into trouble, and when it is out of it.",
    )
    def alerts_sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        now = datetime.now(UTC)
        since, before = _read_cursor(context.cursor, now)
        runs = finished_runs(names, context.instance, (*naming.JOB_OPS, ASSET_PAGE_JOB), since, _FINISHED)
        new = Standing(0.0, (), now.timestamp())
        verdicts = _verdicts(names, context.instance, runs, {key: s.as_of for key, s in before.items()})
        observer = Observer(project, context.instance)
        lines, after = [], {}
        for activation in activations.values():
            standing = before.get(activation.key, new)
            ended = [at for at, _ in verdicts.get(activation.key, ())]
            troubles = troubles_after(
                standing.kinds, (found for _, found in verdicts.get(activation.key, ()))
            )
            if Trouble.BEHIND in standing.kinds or not troubles:
                troubles |= _behind(observer, activation, now, standing.known_since)
            line = news(f"{activation.key} (tag {activation.name!r})", standing.kinds, troubles)
            lines += [line] if line else []
            known_since = now.timestamp() if activation.key in observer.paused else standing.known_since
            after[activation.key] = Standing(max(ended, default=standing.as_of), tuple(troubles), known_since)
        for key, problems in project.broken_of("activation").items():
            standing = before.get(key, new)
            troubles = dict.fromkeys(standing.kinds, "")
            troubles[Trouble.DECLARATIONS] = sentence_about(problems)
            line = news(key, standing.kinds, troubles)
            lines += [line] if line else []
            after[key] = Standing(standing.as_of, tuple(troubles), standing.known_since)
        if lines:
            # An error ends the tick before its cursor is kept, so the next tick posts the same.
            alerts: AlertsResource = getattr(context.resources, names.resource(naming.ALERTS))
            alerts.post(as_message(lines))
        return dg.SensorResult(
            skip_reason="\n".join(lines) or "Nothing new to report.",
            cursor=_write_cursor(now, after),
        )

    return alerts_sensor


def _verdicts(
    names: Names,
    instance: dg.DagsterInstance,
    runs: Sequence[dg.RunRecord],
    judged: Mapping[str, float],
) -> dict[str, list[tuple[float, Verdict]]]:
    """What new runs say about their activations, oldest first: the end of each run, and the verdict."""
    verdicts: dict[str, list[tuple[float, Verdict]]] = {}
    for record in reversed(runs):
        ended = record.end_time or 0.0
        new = [
            activation
            for activation in activations_of(names, record.dagster_run)
            if ended > judged.get(activation, 0.0) and len(verdicts.get(activation, ())) < MAX_RUNS_PER_TICK
        ]
        if new:
            findings = _findings(names, instance, record, new)
            for activation in new:
                found = verdict(findings[activation])
                verdicts.setdefault(activation, []).insert(0, (ended, found))
    return verdicts


def _findings(
    names: Names, instance: dg.DagsterInstance, record: dg.RunRecord, activations: Sequence[str]
) -> dict[str, list[Finding]]:
    run = record.dagster_run
    entries = instance.all_logs(run.run_id, of_type=_JUDGED_EVENTS)
    events = [entry.dagster_event for entry in entries if entry.dagster_event]
    findings: dict[str, list[Finding]] = {activation: [] for activation in activations}
    for event in events:
        found = _finding(names, event)
        if found and (partition := _partition_of(event)) in findings:
            findings[partition].append(found)
    if not any(event.event_type == Event.RUN_FAILURE for event in events) or was_interrupted(events):
        return findings
    for activation, failed in failures_of(names, run, events).items():
        if activation in findings:
            findings[activation].append(
                RunFailed(names.job_of(run) or run.job_name, failed.summary, failed.is_held)
            )
    return findings


def _partition_of(event: dg.DagsterEvent) -> str:
    if event.event_type == Event.ASSET_CHECK_EVALUATION:
        return event.asset_check_evaluation_data.partition or ""
    return event.partition or ""


def _finding(names: Names, event: dg.DagsterEvent) -> Finding | None:
    if event.event_type == Event.ASSET_CHECK_EVALUATION:
        check = event.asset_check_evaluation_data
        return CheckEvaluated(check.check_name, check.passed, check.description or "")
    if event.event_type != Event.ASSET_MATERIALIZATION or event.asset_key is None:
        return None
    asset = names.keys.get(event.asset_key)
    if asset == naming.MEMBERSHIP_CHANGES:
        metadata = event.step_materialization_data.materialization.metadata
        return ChangesComputed(number_in(metadata, CHANGES_TO_APPLY))
    return TagsApplied() if asset == naming.INTERCOM_TAGS else None


def _behind(observer: Observer, activation: Activation, now: datetime, known_since: float) -> dict[str, str]:
    if not activation.is_automatic:
        return {}
    found = observer.staleness_of(activation, now, known_since=datetime.fromtimestamp(known_since, UTC))
    return {Trouble.BEHIND: found.description} if found.stale else {}


def _read_cursor(cursor: str | None, now: datetime) -> tuple[datetime, dict[str, Standing]]:
    """The moment from which on to look at runs, and the standing of each activation."""
    if not cursor:
        return now - _FIRST_TICK_LOOKS_BACK, {}
    read = json.loads(cursor)
    # An earlier release did not keep since when an activation is known.
    first_seen = {"known_since": now.timestamp()}
    standing = {key: Standing(**first_seen | values) for key, values in read["activations"].items()}
    return datetime.fromtimestamp(read["at"], UTC) - _OVERLAP, standing


def _write_cursor(now: datetime, standing: Mapping[str, Standing]) -> str:
    return json.dumps(
        {
            "at": now.timestamp(),
            "activations": {key: asdict(each) for key, each in standing.items()},
        }
    )
