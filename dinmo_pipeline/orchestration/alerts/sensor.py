"""The sensor that tells people when an activation gets into trouble, and when it is out of it.

It judges finished runs, whoever launched them: a change set that a guard holds fails no run, a failing query
fails another job than a refusing Intercom does, and the same failure an hour later is no news.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta

import dagster as dg
from dagster import DagsterEventType as Event

from dinmo_pipeline.config.declarations import Activation
from dinmo_pipeline.orchestration import naming
from dinmo_pipeline.orchestration.alerts.troubles import Trouble, as_message, news
from dinmo_pipeline.orchestration.metadata import CHANGES_TO_APPLY
from dinmo_pipeline.orchestration.resources import AlertsResource
from dinmo_pipeline.orchestration.runs.errors import sentence_of, told_by_failure, was_interrupted
from dinmo_pipeline.orchestration.runs.lifecycle import PARTITION_TAG
from dinmo_pipeline.orchestration.sensors.staleness import staleness_of

INTERVAL_SECONDS = 60
# Looked at again in the next tick, since clocks differ; what was judged is not judged twice.
_OVERLAP = timedelta(minutes=2)
_AT_FIRST = timedelta(days=1)
# Of an activation; the first tick meets those of a day, and later ones hold all that there is to say.
_RUNS_A_TICK = 10
_FINISHED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]
_TELLING = {
    *(Event.STEP_FAILURE, Event.RESOURCE_INIT_FAILURE, Event.RUN_FAILURE),
    *(Event.ASSET_MATERIALIZATION, Event.ASSET_CHECK_EVALUATION),
}
_FAILED = {naming.APPLY_TAG_CHANGES: Trouble.TAGS, naming.RECONCILE_TAGS: Trouble.RECONCILIATION}


@dataclass(frozen=True, slots=True)
class Standing:
    """The kinds of trouble that an activation was in after its run that ended at `as_of` (a timestamp)."""

    as_of: float = 0.0
    kinds: list[str] = field(default_factory=list)


def build_alerts_sensor(activations: Mapping[str, Activation]) -> dg.SensorDefinition:
    """The sensor; it needs the resource of the alerts."""

    @dg.sensor(
        name=naming.ALERTS_SENSOR,
        asset_selection=dg.AssetSelection.assets(naming.INTERCOM_TAGS),
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        required_resource_keys={naming.ALERTS},
        description="Tells people when an activation gets into trouble, and when it is out of it.",
    )
    def alerts_sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        now = datetime.now(UTC)
        since, before = _read_cursor(context.cursor, now)
        runs = _finished_runs(context.instance, activations, since)
        lines, after = [], {}
        for activation in activations.values():
            standing = before.get(activation.key, Standing())
            troubles, as_of = _judged(context.instance, standing, runs.get(activation.key, ()))
            if Trouble.BEHIND in standing.kinds or not troubles:
                troubles |= _behind(context.instance, activation, now)
            line = news(f"{activation.key} (tag {activation.name!r})", standing.kinds, troubles)
            lines += [line] if line else []
            after[activation.key] = Standing(as_of, list(troubles))
        if lines:
            # An error ends the tick before its cursor is kept: the next one tells the same.
            alerts: AlertsResource = getattr(context.resources, naming.ALERTS)
            alerts.post(as_message(lines))
        return dg.SensorResult(
            skip_reason="\n".join(lines) or "Nothing new to tell.",
            cursor=_write_cursor(now, after),
        )

    return alerts_sensor


def _verdict(job: str, events: Sequence[dg.DagsterEvent]) -> dict[str, str | None]:
    """What a finished run says of its activation: by kind of trouble, a sentence, or None when it is over."""
    found: dict[str, str | None] = {}
    for event in events:
        found |= _of_event(event)
    if any(event.event_type == Event.RUN_FAILURE for event in events) and not was_interrupted(
        events
    ):
        held = told_by_failure(events).get("status") == "held"
        found[Trouble.HELD if held else _FAILED.get(job, Trouble.MEMBERSHIP)] = sentence_of(events)
    return found


def _of_event(event: dg.DagsterEvent) -> dict[str, str | None]:
    if event.event_type == Event.ASSET_CHECK_EVALUATION:
        check = event.asset_check_evaluation_data
        if check.check_name == naming.DRIFT:
            return {
                Trouble.DRIFT: None if check.passed else check.description,
                Trouble.RECONCILIATION: None,
            }
        if check.check_name == naming.REMOVAL_GUARD:
            return {Trouble.HELD: None if check.passed else f"held. {check.description}"}
        return {}
    if event.event_type != Event.ASSET_MATERIALIZATION or event.asset_key is None:
        return {}
    asset = event.asset_key.to_user_string()
    if asset == naming.MEMBERSHIP_CHANGES:
        metadata = event.step_materialization_data.materialization.metadata
        nothing = metadata[CHANGES_TO_APPLY].value == 0
        return {Trouble.MEMBERSHIP: None, **({Trouble.TAGS: None} if nothing else {})}
    return {Trouble.TAGS: None, Trouble.HELD: None} if asset == naming.INTERCOM_TAGS else {}


def _judged(
    instance: dg.DagsterInstance, standing: Standing, runs: Iterable[dg.RunRecord]
) -> tuple[dict[str, str], float]:
    """The troubles after some runs, and the end of the last one."""
    troubles = dict.fromkeys(standing.kinds, "")
    as_of = standing.as_of
    for record in runs:
        ended = record.end_time or 0.0
        if ended <= standing.as_of:
            continue
        entries = instance.all_logs(record.dagster_run.run_id, of_type=_TELLING)
        events = [entry.dagster_event for entry in entries if entry.dagster_event]
        told = _verdict(record.dagster_run.job_name, events)
        for kind, sentence in told.items():
            if sentence is None:
                troubles.pop(kind, None)
            else:
                troubles[kind] = sentence
        as_of = max(as_of, ended)
    troubles.pop(Trouble.BEHIND, None)  # no run tells it
    return troubles, as_of


def _finished_runs(
    instance: dg.DagsterInstance, activations: Iterable[str], since: datetime
) -> dict[str, list[dg.RunRecord]]:
    """By activation, the runs that finished since then, oldest first; of very many, the newest."""
    records = instance.get_run_records(
        dg.RunsFilter(
            statuses=_FINISHED, tags={PARTITION_TAG: list(activations)}, updated_after=since
        )
    )
    runs: dict[str, list[dg.RunRecord]] = {}
    for record in sorted(records, key=lambda record: record.end_time or 0.0):
        runs.setdefault(record.dagster_run.tags[PARTITION_TAG], []).append(record)
    return {activation: finished[-_RUNS_A_TICK:] for activation, finished in runs.items()}


def _behind(instance: dg.DagsterInstance, activation: Activation, now: datetime) -> dict[str, str]:
    if not activation.is_scheduled:
        return {}
    found = staleness_of(instance, activation, now)
    return {Trouble.BEHIND: found.description} if found.stale else {}


def _read_cursor(cursor: str | None, now: datetime) -> tuple[datetime, dict[str, Standing]]:
    """From when on runs are looked at, and how the activations stood."""
    if not cursor:
        return now - _AT_FIRST, {}
    read = json.loads(cursor)
    standing = {key: Standing(**values) for key, values in read["activations"].items()}
    return datetime.fromtimestamp(read["at"], UTC) - _OVERLAP, standing


def _write_cursor(now: datetime, standing: Mapping[str, Standing]) -> str:
    return json.dumps(
        {
            "at": now.timestamp(),
            "activations": {key: asdict(each) for key, each in standing.items()},
        }
    )
