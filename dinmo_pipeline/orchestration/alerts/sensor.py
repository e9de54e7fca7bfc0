"""The sensor that posts a message when an activation gets into trouble, and when it is out of it.

It judges finished runs, whatever launched them: a change set that a guard holds does not fail a run, a
failing query and a refusal by Intercom fail different jobs, and the same failure an hour later is not news.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
from dagster import DagsterEventType as Event

from dinmo_pipeline.config.declarations import Activation, Alerts, Project
from dinmo_pipeline.orchestration import naming
from dinmo_pipeline.orchestration.alerts.errors import AlertError
from dinmo_pipeline.orchestration.alerts.outbox import deliver
from dinmo_pipeline.orchestration.alerts.resource import AlertsResource, Channel
from dinmo_pipeline.orchestration.alerts.troubles import Seen, Subject, Trouble, news
from dinmo_pipeline.orchestration.alerts.verdict import (
    ChangesComputed,
    CheckEvaluated,
    Finding,
    Judged,
    RunFailed,
    TagsApplied,
    Waiting,
    troubles_after,
    verdict,
)
from dinmo_pipeline.orchestration.metadata import CHANGES_TO_APPLY, number_in
from dinmo_pipeline.orchestration.naming import Names, names_of
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
MAX_RUNS_PER_TICK = 10  # of one activation
# So long a failure may pass by itself. The retries sensors repeat its run after 1 and 5 minutes.
_PATIENCE = timedelta(minutes=10)
_FINISHED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]
_JUDGED_EVENTS = {*FAILURE_EVENTS, Event.ASSET_CHECK_EVALUATION}


@dataclass(frozen=True, slots=True)
class Standing:
    """The kinds of trouble that an activation was in after its run that ended at `as_of`.

    `known_since` is when it was first seen, or last seen paused; both are timestamps. `waiting` is trouble
    that may pass by itself, by kind.
    """

    as_of: float
    kinds: Sequence[str]
    known_since: float
    waiting: Mapping[str, Waiting] = field(default_factory=dict)


def build_alerts_sensor(project: Project, resources: Mapping[Alerts, AlertsResource]) -> dg.SensorDefinition:
    """The sensor. It initialises a resource only when there is something to send."""
    activations, names = project.activations, names_of(project)
    heartbeat = resources.get(project.alerts) if project.alerts and project.alerts.heartbeat else None

    @dg.sensor(
        name=names.of(naming.ALERTS_SENSOR),
        asset_selection=dg.AssetSelection.assets(names.key(naming.INTERCOM_TAGS)),
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Sends a message when an activation gets into trouble, and when it is out of it.",
    )
    def alerts_sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        now = datetime.now(UTC)
        since, before, undelivered = _read_cursor(context.cursor, now)
        runs = finished_runs(names, context.instance, (*naming.JOB_OPS, ASSET_PAGE_JOB), since, _FINISHED)
        new = Standing(0.0, (), now.timestamp())
        verdicts = _verdicts(names, context.instance, runs, {key: s.as_of for key, s in before.items()})
        observer = Observer(project, context.instance)
        lines: dict[str, str | None] = {}
        after = {}
        for activation in activations.values():
            standing = before.get(activation.key, new)
            judged = verdicts.get(activation.key, ())
            seen, waiting = troubles_after(standing.kinds, standing.waiting, judged)
            for kind in [k for k, each in waiting.items() if each.since <= (now - _PATIENCE).timestamp()]:
                seen[kind] = Seen(waiting[kind].sentence, waiting.pop(kind).run_id)
            if Trouble.BEHIND in standing.kinds or not _kinds(seen):
                seen |= _behind(observer, activation, now, standing.known_since)
            lines[activation.key] = news(_subject(project, activation), standing.kinds, seen)
            known_since = now.timestamp() if activation.key in observer.paused else standing.known_since
            as_of = max((each.ended for each in judged), default=standing.as_of)
            after[activation.key] = Standing(as_of, _kinds(seen), known_since, waiting)
        for key, problems in project.broken_of("activation").items():
            standing = before.get(key, new)
            seen = {
                **dict.fromkeys(standing.kinds, Seen("")),
                Trouble.DECLARATIONS: Seen(sentence_about(problems)),
            }
            lines[key] = news(Subject(key), standing.kinds, seen)
            after[key] = Standing(standing.as_of, _kinds(seen), standing.known_since)
        # An error ends the tick before its cursor is kept, so the next tick sends the same.
        new_lines = {key: line for key, line in lines.items() if line}
        delivery = deliver(_addressed(project, resources, new_lines, undelivered), undelivered)
        for failure in delivery.failures:
            context.log.error("%s It is tried again at the next tick; the other channels have it.", failure)
        reason = "\n".join([*new_lines.values(), *delivery.failures]) or "Nothing new to report."
        if heartbeat and not delivery.failures:
            reason += _beat(heartbeat)
        return dg.SensorResult(skip_reason=reason, cursor=_write_cursor(now, after, delivery.undelivered))

    return alerts_sensor


def _verdicts(
    names: Names,
    instance: dg.DagsterInstance,
    runs: Sequence[dg.RunRecord],
    judged: Mapping[str, float],
) -> dict[str, list[Judged]]:
    """What new runs say about their activations, oldest first.

    Once a run of a job has done its work on an activation, earlier ones of that job have nothing to add, and
    their logs are not read: the first tick meets the runs of a whole day.
    """
    verdicts: dict[str, list[Judged]] = {}
    # A run of an asset's own page has only that asset, so it says nothing of others.
    done: set[tuple[str, str]] = set()
    for record in reversed(runs):
        ended, job = record.end_time or 0.0, names.job_of(record.dagster_run)
        new = [
            activation
            for activation in activations_of(names, record.dagster_run)
            if ended > judged.get(activation, 0.0)
            and (job, activation) not in done
            and len(verdicts.get(activation, ())) < MAX_RUNS_PER_TICK
        ]
        if new:
            findings = _findings(names, instance, record, new)
            for activation in new:
                found = findings[activation]
                judged_now = Judged(ended, record.dagster_run.run_id, verdict(found))
                verdicts.setdefault(activation, []).insert(0, judged_now)
                if job and found and not any(isinstance(each, RunFailed) for each in found):
                    done.add((job, activation))
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
            job = names.job_of(run) or run.job_name
            found = RunFailed(job, failed.summary, failed.is_held, failed.is_transient)
            findings[activation].append(found)
    return findings


def _partition_of(event: dg.DagsterEvent) -> str:
    if event.event_type == Event.ASSET_CHECK_EVALUATION:
        return event.asset_check_evaluation_data.partition or ""
    return event.partition or ""


def _finding(names: Names, event: dg.DagsterEvent) -> Finding | None:
    if event.event_type == Event.ASSET_CHECK_EVALUATION:
        check = event.asset_check_evaluation_data
        is_error = check.severity == dg.AssetCheckSeverity.ERROR
        return CheckEvaluated(check.check_name, check.passed, check.description or "", is_error)
    if event.event_type != Event.ASSET_MATERIALIZATION or event.asset_key is None:
        return None
    asset = names.keys.get(event.asset_key)
    if asset == naming.MEMBERSHIP_CHANGES:
        metadata = event.step_materialization_data.materialization.metadata
        return ChangesComputed(number_in(metadata, CHANGES_TO_APPLY))
    return TagsApplied() if asset == naming.INTERCOM_TAGS else None


def _behind(observer: Observer, activation: Activation, now: datetime, known_since: float) -> dict[str, Seen]:
    if not activation.is_automatic:
        return {}
    found = observer.staleness_of(activation, now, known_since=datetime.fromtimestamp(known_since, UTC))
    return {Trouble.BEHIND: Seen(found.description)} if found.stale else {}


def _kinds(seen: Mapping[str, Seen]) -> tuple[str, ...]:
    """The kinds of trouble that are not over."""
    return tuple(kind for kind, each in seen.items() if each.sentence is not None)


def _subject(project: Project, activation: Activation) -> Subject:
    alerts = project.alerts_of(activation.key)
    url = alerts.dagster_url if alerts else None
    return Subject(activation.key, activation.name, activation.segment, url)


def _addressed(
    project: Project,
    resources: Mapping[Alerts, AlertsResource],
    lines: Mapping[str, str],
    undelivered: Mapping[str, Sequence[str]],
) -> Iterator[tuple[Channel, Sequence[str]]]:
    """The channels that get something, each with the new lines for it."""
    addressed: dict[Alerts, list[str]] = {each: [] for each in resources if undelivered}
    for key, line in lines.items():
        alerts = project.alerts_of(key)
        if alerts:
            addressed[alerts] = [*addressed.get(alerts, ()), line]
    for alerts, new in addressed.items():
        for channel in resources[alerts].channels():
            yield channel, new


def _beat(heartbeat: AlertsResource) -> str:
    """Call the heartbeat; what to say if nobody answers, for the service itself reports that."""
    try:
        heartbeat.beat()
    except AlertError as error:
        return f"\n{error}"
    return ""


def _read_cursor(
    cursor: str | None, now: datetime
) -> tuple[datetime, dict[str, Standing], dict[str, list[str]]]:
    """The moment from which on to look at runs, the standing of each activation, and what was not sent."""
    if not cursor:
        return now - _FIRST_TICK_LOOKS_BACK, {}, {}
    read = json.loads(cursor)
    # An earlier release did not keep since when an activation is known.
    first_seen = {"known_since": now.timestamp()}
    standing = {key: _read_standing(first_seen | values) for key, values in read["activations"].items()}
    return datetime.fromtimestamp(read["at"], UTC) - _OVERLAP, standing, read.get("undelivered", {})


def _read_standing(values: dict[str, Any]) -> Standing:
    waiting = {kind: Waiting(**each) for kind, each in values.pop("waiting", {}).items()}
    return Standing(**values, waiting=waiting)


def _write_cursor(
    now: datetime, standing: Mapping[str, Standing], undelivered: Mapping[str, Sequence[str]]
) -> str:
    return json.dumps(
        {
            "at": now.timestamp(),
            "activations": {key: asdict(each) for key, each in standing.items()},
            **({"undelivered": undelivered} if undelivered else {}),
        }
    )
