"""What an audience shows after each run: a point of its plots, with a sentence, and the result of its check.

Dagster takes 6 to 9 ms of processor time for an event, and most syncs find nothing new. So a point is logged
if a number has changed since the last one, and otherwise once a day; the check when it fails, with every
point, and when it passes again.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime
from typing import Any

import dagster as dg

from dinmo_pipeline.config.declarations import Activation
from dinmo_pipeline.orchestration.metadata import number_in
from dinmo_pipeline.orchestration.naming import IN_SYNC, SEGMENT_MEMBERSHIP, Names
from dinmo_pipeline.orchestration.runs.errors import Failed
from dinmo_pipeline.state.stuck import stuck_members
from dinmo_pipeline.state.syncs import SyncNumbers
from dinmo_pipeline.sync.guards.holds import Hold, remedy
from dinmo_pipeline.sync.operations.sync_result import not_done, what_happened
from dinmo_pipeline.sync.standing import State, nobody_matched
from dinmo_pipeline.text.masking import mask_identifier

Event = dg.AssetMaterialization | dg.AssetCheckEvaluation

POINT = ("members", "tagged_contacts", "entered", "left", "tagged", "untagged")
"""The numbers that decide whether there is something new to plot."""
PLOTTED = (*POINT, "not_in_intercom", "never_looked_up", "skipped", "failed", "pending", "api_calls")
"""The numbers of each point; `match_rate` and `other_carriers` come with them once they are known."""
_STATE = "state"


@dataclass(frozen=True, slots=True)
class _Point:
    """The numbers of POINT, and the day."""

    numbers: Mapping[str, int]
    on: date


@dataclass(frozen=True, slots=True)
class _Shown:
    """What an audience shows: its newest point, and the state that its check found."""

    point: _Point | None = None
    state: str | None = None


_NOTHING = _Shown()


class AudienceLog:
    """The events of the audiences of a run. Two queries read what they showed before."""

    def __init__(
        self,
        names: Names,
        instance: dg.DagsterInstance,
        activations: Iterable[str],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._names = names
        self._instance = instance
        self._clock = clock
        self._shown = _shown(names, instance, activations)

    def synced(
        self,
        activation: Activation,
        numbers: SyncNumbers,
        *,
        stuck: int = 0,
        look_failed: str | None = None,
        sample: Mapping[str, Iterable[str]] | None = None,
    ) -> Iterator[Event]:
        """An audience is what its segment says, as far as Intercom let it.

        `sample` are some identifiers whose change was applied, by `tagged` and `untagged`.
        """
        key = activation.key
        shown, point = self._shown.get(key, _NOTHING), self._point_of(numbers)
        is_news = shown.point != point
        if is_news:
            yield dg.AssetMaterialization(
                self._names.audience(key),
                description=what_happened(numbers),
                metadata=self._metadata(activation, numbers, sample or {}),
            )
            self._shown[key] = replace(shown, point=point)
        state, reason = _judged(numbers, stuck, look_failed)
        # A difference from Intercom remains until somebody compares again.
        if state is State.OK and shown.state == State.DRIFT:
            return
        if is_news or state is not State.OK or shown.state != State.OK:
            yield self._evaluation(key, state, reason, is_error=False)

    def has_news(self, activation: str, numbers: SyncNumbers) -> bool:
        """Whether `synced` would have an event to log, by the numbers of POINT; then it needs all of them."""
        shown = self._shown.get(activation, _NOTHING)
        return shown.state != State.OK or shown.point != self._point_of(numbers)

    def held(self, activation: str, hold: Hold) -> dg.AssetCheckEvaluation:
        """A guard holds the changes of an audience."""
        return self._evaluation(
            activation, State.HELD, f"Held. {hold.sentence} {remedy(hold.reason, activation)}"
        )

    def failed(self, activation: Activation, failed: Failed) -> Iterator[Event]:
        """A run could not do what it should for an audience."""
        if failed.is_held:
            reason = failed.summary
            yield self._evaluation(activation.key, State.HELD, f"{reason[0].upper()}{reason[1:]}")
        else:
            yield self._evaluation(activation.key, State.FAILED, failed.reason)

    def broken(self, activation: str, failed: Failed) -> dg.AssetCheckEvaluation:
        """The declarations of an audience cannot be used."""
        return self._evaluation(activation, State.BROKEN, failed.reason)

    def compared(self, activation: str, difference: str | None) -> Iterator[Event]:
        """An audience was compared with Intercom: what differs, or None."""
        if difference:
            yield self._evaluation(activation, State.DRIFT, difference, is_error=False)
        elif self._shown.get(activation, _NOTHING).state == State.DRIFT:
            yield self._evaluation(activation, State.OK, "")

    def _point_of(self, numbers: SyncNumbers) -> _Point:
        known = {name: value for name in POINT if (value := getattr(numbers, name)) is not None}
        return _Point(known, self._clock().date())

    def _evaluation(
        self, activation: str, state: State, reason: str, *, is_error: bool = True
    ) -> dg.AssetCheckEvaluation:
        self._shown[activation] = replace(self._shown.get(activation, _NOTHING), state=state)
        return in_sync(self._names, activation, state, reason, is_error=is_error)

    def _metadata(
        self, activation: Activation, numbers: SyncNumbers, sample: Mapping[str, Iterable[str]]
    ) -> dict[str, Any]:
        found = asdict(numbers)
        rate, others, rest = numbers.match_rate, numbers.other_carriers, not_done(numbers)
        query = _query_of(self._names, self._instance, activation.key)
        return {
            "what_happened": what_happened(numbers),
            **({"not_done": dg.MetadataValue.md("\n".join(f"- {each}" for each in rest))} if rest else {}),
            **{name: found[name] for name in PLOTTED if found[name] is not None},
            **({"match_rate": rate} if rate is not None else {}),
            **({"other_carriers": others} if others is not None else {}),
            **{f"sample_{change}": ", ".join(map(mask_identifier, ids)) for change, ids in sample.items()},
            **({"query": query} if query else {}),
        }


def in_sync(
    names: Names, activation: str, state: State, reason: str, *, is_error: bool
) -> dg.AssetCheckEvaluation:
    """The check of an audience: it passes unless somebody should look at it."""
    return dg.AssetCheckEvaluation(
        asset_key=names.audience(activation),
        check_name=IN_SYNC,
        passed=not state.needs_a_person,
        severity=dg.AssetCheckSeverity.ERROR if is_error else dg.AssetCheckSeverity.WARN,
        description=reason or None,
        metadata={_STATE: state.value},
    )


def _judged(numbers: SyncNumbers, stuck: int, look_failed: str | None) -> tuple[State, str]:
    """The state after a sync that was carried through, and why it is not ok."""
    if nobody := nobody_matched(numbers.members, numbers.not_in_intercom):
        return State.NOBODY_MATCHED, nobody
    if stuck:
        return State.STUCK, stuck_members(stuck)
    if numbers.failed or numbers.pending:
        return State.FAILED, " ".join(not_done(numbers))
    if look_failed:
        return State.UNCHECKED, f"Intercom could not be asked what changed there. {look_failed}"
    return State.OK, ""


def _shown(names: Names, instance: dg.DagsterInstance, activations: Iterable[str]) -> dict[str, _Shown]:
    keys = list(activations)
    if not keys:
        return {}
    checks = {names.audience_check(key): key for key in keys}
    found = instance.event_log_storage.get_latest_asset_check_execution_by_key(list(checks))
    states = {checks[check]: _state_in(record) for check, record in found.items()}
    records = instance.get_asset_records([names.audience(key) for key in keys])
    points = {record.asset_entry.asset_key.path[-1]: record.asset_entry for record in records}
    return {key: _Shown(_point_in(points.get(key)), states.get(key)) for key in keys}


def _state_in(record: Any) -> str | None:
    evaluation = record.evaluation
    state = evaluation.metadata.get(_STATE) if evaluation else None
    return str(state.value) if state else None


def _point_in(entry: Any) -> _Point | None:
    record = entry.last_materialization_record if entry else None
    if record is None or record.asset_materialization is None:
        return None
    metadata = record.asset_materialization.metadata
    numbers = {name: number_in(metadata, name) for name in POINT if name in metadata}
    return _Point(numbers, datetime.fromtimestamp(record.timestamp, UTC).date())


def _query_of(names: Names, instance: dg.DagsterInstance, activation: str) -> dg.MetadataValue | None:
    """The SQL by which the segment was last read."""
    where = dg.AssetRecordsFilter(names.key(SEGMENT_MEMBERSHIP), asset_partitions=[activation])
    records = instance.fetch_materializations(where, limit=1).records
    found = records[0].asset_materialization if records else None
    return found.metadata.get("query") if found else None
