"""The three assets, partitioned by activation: membership, its changes, the tags in Intercom.

Two ops make them: one reads segments and computes changes, the other applies them. A run works on the
activations of its batch, and logs the events of each for its partition.
"""

import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self

import dagster as dg
import duckdb
from pydantic import Field

from dinmo_pipeline.config.declarations import Activation, Project
from dinmo_pipeline.orchestration import checks
from dinmo_pipeline.orchestration.audiences.events import AudienceLog
from dinmo_pipeline.orchestration.metadata import (
    changes_metadata,
    description_metadata,
    membership_metadata,
    sync_metadata,
)
from dinmo_pipeline.orchestration.naming import (
    INTERCOM_TAGS,
    MEMBERSHIP_CHANGES,
    READ_SEGMENTS,
    SEGMENT_MEMBERSHIP,
    SOURCE,
    STATE,
    Names,
    names_of,
)
from dinmo_pipeline.orchestration.resources import (
    IntercomResource,
    clients_of,
    source_of,
    state_of,
)
from dinmo_pipeline.orchestration.runs.batch import (
    DECISIONS,
    HELD_TAG,
    BatchConfig,
    Events,
    Work,
    broken_in,
    keys_in,
    listed,
)
from dinmo_pipeline.orchestration.runs.errors import Failed
from dinmo_pipeline.orchestration.runs.handover import Computed, hand_over
from dinmo_pipeline.orchestration.runs.turns import taken_turn
from dinmo_pipeline.orchestration.sensors.upstream import (
    upstream_keys,
    upstream_metadata,
)
from dinmo_pipeline.orchestration.specs import Specs
from dinmo_pipeline.state.changes import count_changes
from dinmo_pipeline.state.errors import StateError
from dinmo_pipeline.state.file.database import StateDatabase
from dinmo_pipeline.state.membership import refresh_and_look
from dinmo_pipeline.state.readings import StoredReading, applied_reading, record_unread
from dinmo_pipeline.state.stuck import count_stuck
from dinmo_pipeline.state.syncs import SyncNumbers, newest_outcomes
from dinmo_pipeline.state.upkeep.history import is_first_reading_of_day, remove_old_rows
from dinmo_pipeline.sync.guards.limits import Released
from dinmo_pipeline.sync.guards.lost_identifiers import what_changed
from dinmo_pipeline.sync.guards.usual_size import SizeChange, judge_size
from dinmo_pipeline.sync.operations.apply import apply_changes
from dinmo_pipeline.sync.operations.compute_changes import (
    ComputedChanges,
    refresh_changes,
    unchanged_numbers,
    with_current_members,
)
from dinmo_pipeline.sync.operations.sync_result import summary, what_happened
from dinmo_pipeline.sync.session import Session
from dinmo_pipeline.sync.workspace import OpenedWorkspace

if TYPE_CHECKING:
    from dinmo_pipeline.intercom.client import IntercomClient
    from dinmo_pipeline.segments import ActivatedSelect, OpenSource

# A sync trusts what it read about its tag for as long as it takes, so a batch may trust a list for a minute.
_LISTING_SECONDS = 60.0
# A day's rows take less than a second. The first time there may be years of them.
_TRIMMING_SECONDS = 30.0

_CHANGES = {"tagged": "entered", "untagged": "left"}
_SAMPLE_SIZE = 3


class ReadConfig(BatchConfig):
    """What a person may ask for in one run of `read_segments`."""

    # Read everything that Intercom has of the members again.
    recheck: bool = False


class ApplyConfig(BatchConfig):
    """What a person may decide for one run of `intercom_tags`."""

    allow_large_removal: bool = Field(default=False, description=DECISIONS["allow_large_removal"])
    allow_large_growth: bool = Field(default=False, description=DECISIONS["allow_large_growth"])
    # The fingerprints of reviewed plans, by activation; any other changes are held.
    expected_changes: dict[str, str] | None = None


def build_assets(
    project: Project,
    specs: Specs,
    destinations: Mapping[str, IntercomResource],
    partitions: dg.PartitionsDefinition[str],
) -> list[dg.AssetsDefinition]:
    """The assets of a project, with some specs."""
    return [
        _read_segments(project, specs, destinations, partitions),
        _intercom_tags(project, specs, destinations, partitions),
    ]


def _ops_of_assets(
    names: Names,
    op: str,
    partitions: dg.PartitionsDefinition[str],
    specs: Iterable[dg.AssetSpec],
    resources: Iterable[str],
) -> Callable[[Callable[..., Iterator[Any]]], dg.AssetsDefinition]:
    """The decorator of an op that materializes some assets for the activations of a batch."""
    specs = list(specs)
    return dg.multi_asset(
        name=names.of(op),
        specs=specs,
        check_specs=[
            check for spec in specs for check in checks.check_specs(names, names.keys[spec.key], partitions)
        ],
        partitions_def=partitions,
        can_subset=True,
        required_resource_keys=set(map(names.resource, resources)),
    )


def _read_segments(
    project: Project,
    specs: Specs,
    destinations: Mapping[str, IntercomResource],
    partitions: dg.PartitionsDefinition[str],
) -> dg.AssetsDefinition:
    names = names_of(project)
    upstream = upstream_keys(project)
    own = [specs[SEGMENT_MEMBERSHIP], specs[MEMBERSHIP_CHANGES]]

    @_ops_of_assets(names, READ_SEGMENTS, partitions, own, {SOURCE, STATE})
    def read_segments(context: dg.AssetExecutionContext, config: ReadConfig) -> Iterator[Any]:
        selected = {names.keys[key] for key in context.selected_asset_keys}
        state = state_of(names, context)
        audiences = AudienceLog(names, context.instance, keys_in(context, config))
        if SEGMENT_MEMBERSHIP in selected:
            broken = broken_in(context, project, config)
            yield from (checks.unread(names, key, failed) for key, failed in broken.items())
            yield from (audiences.broken(key, failed) for key, failed in broken.items())
        read_now: dict[str, _Read] = {}
        with (
            taken_turn(names, context, project, config) as turn,
            _Source(names, context) as source,
            clients_of(destinations, state) as client_of,
        ):
            session_of = _Sessions(context, project, turn.state, client_of)
            work = Work(context, turn.activations, state.locks, turn.broken)
            is_first_of_day = _is_first_of_day(project, turn.state)

            def read(activation: Activation) -> Events:
                read_now[activation.key] = yield from _read_membership(
                    context, project, turn.state, activation, source, upstream=upstream[activation.key]
                )
                return None

            def compute(activation: Activation) -> Events:
                session = session_of(activation)
                found = read_now.get(activation.key, _NOT_READ)
                computed = yield from _compute_changes(
                    names, context, session, recheck=config.recheck, seconds_to_read=found.seconds
                )
                yield from _audience_after_reading(audiences, session, computed, found)
                held.extend([activation.key] if computed.hold else [])
                return None

            unread: dict[str, str] = {}
            held: list[str] = []

            def not_read(activation: Activation, why: Failed) -> Iterator[Any]:
                unread[activation.key] = why.reason
                yield checks.unread(names, activation.key, why)
                yield from audiences.failed(activation, why)

            if SEGMENT_MEMBERSHIP in selected:
                yield from work.each(read, on_failure=not_read)
                source.close()
                _record_unread(context, turn.state, unread)
            if MEMBERSHIP_CHANGES in selected:
                yield from work.each(compute, on_failure=audiences.failed)
            if held:
                # The run itself succeeds, so without a word it would look as if all was applied.
                context.instance.add_run_tags(context.run.run_id, {HELD_TAG: listed(held)})
            if is_first_of_day:
                _remove_old_rows(context, project, turn.state)
        work.raise_failures()

    return read_segments


def _is_first_of_day(project: Project, state: StateDatabase) -> bool:
    """Whether this run has the day's chance to remove what is old from the state."""
    if not (project.history.keep_syncs or project.history.keep_memberships):
        return False
    return is_first_reading_of_day(state, now=datetime.now(UTC))


def _remove_old_rows(context: dg.AssetExecutionContext, project: Project, state: StateDatabase) -> None:
    ends = time.monotonic() + _TRIMMING_SECONDS
    try:
        removed = remove_old_rows(
            state.sparing(),
            project.history,
            now=datetime.now(UTC),
            is_over=lambda: time.monotonic() > ends,
        )
    except StateError as error:  # tomorrow is early enough
        context.log.warning("Old rows of the state could not be removed. %s", error)
        return
    rows = ", ".join(f"{number:,} of {table}" for table, number in removed.items())
    context.log.info("Rows of the state that `history` no longer keeps: %s removed.", rows)


def _record_unread(
    context: dg.AssetExecutionContext, state: StateDatabase, unread: Mapping[str, str]
) -> None:
    """Let the state know what could not be read, in one transaction; the run fails in any case."""
    if not unread:
        return
    try:
        with state.transaction() as connection:
            record_unread(connection, unread, now=datetime.now(UTC))
    except StateError as error:
        context.log.warning("`dinmo status` will not show what could not be read: %s", error)


def _read_membership(
    context: dg.AssetExecutionContext,
    project: Project,
    state: StateDatabase,
    activation: Activation,
    source: "_Source",
    *,
    upstream: Any,
) -> Generator[Any, None, "_Read"]:
    """Read a segment; returns what was found."""
    # The compiler takes 0.16 s to import, which runs of the other op do without.
    from dinmo_pipeline.orchestration.segment_rows import staging  # noqa: PLC0415

    started, names = time.monotonic(), names_of(project)
    selects: list[ActivatedSelect] = []
    stage = staging(project, activation, source.opened, selects.append)

    def look(
        connection: duckdb.DuckDBPyConnection,
    ) -> tuple[SizeChange | None, StoredReading | None]:
        return judge_size(connection, activation), applied_reading(connection, activation)

    found, (size_change, applied) = refresh_and_look(state, activation.key, activation.match_by, stage, look)
    seconds = time.monotonic() - started
    for remark in selects[0].remarks:
        context.log.warning("%s: %s", activation.key, remark)
    for change in what_changed(found.rows, applied) if applied else ():
        context.log.warning("%s: %s", activation.key, change)
    if size_change:
        context.log.warning("%s: %s", activation.key, size_change.sentence)
    context.log.info(
        "%s: %s members; %s entered, %s left.",
        *(activation.key, found.members, found.entered, found.left),
    )
    yield from _materialized(
        names,
        SEGMENT_MEMBERSHIP,
        activation,
        {**membership_metadata(found, selects[0].sql, seconds), **upstream_metadata(upstream)},
        checks.usable_identifiers(names, activation.key, found.rows, applied),
        checks.usual_size(names, activation.key, found.members, size_change),
    )
    return _Read(seconds, found.entered, found.left)


def _compute_changes(
    names: Names,
    context: dg.AssetExecutionContext,
    session: Session,
    *,
    recheck: bool,
    seconds_to_read: float,
) -> Generator[Any, None, ComputedChanges]:
    """Compute a change set; returns it."""
    started, activation = time.monotonic(), session.activation
    computed = refresh_changes(session, recheck=recheck)
    seconds = time.monotonic() - started
    hand_over(activation.key, Computed(computed, seconds_to_read + seconds))
    if computed.hold:
        context.log.info("%s: held. %s", activation.key, computed.hold.sentence)
    context.log.info(
        "%s: %s to tag, %s to untag.", *(activation.key, computed.changes.entered, computed.changes.left)
    )
    yield from _materialized(
        names,
        MEMBERSHIP_CHANGES,
        activation,
        changes_metadata(computed, seconds),
        checks.removal_guard(names, activation.key, computed),
    )
    return computed


def _intercom_tags(
    project: Project,
    specs: Specs,
    destinations: Mapping[str, IntercomResource],
    partitions: dg.PartitionsDefinition[str],
) -> dg.AssetsDefinition:
    names = names_of(project)

    @_ops_of_assets(names, INTERCOM_TAGS, partitions, [specs[INTERCOM_TAGS]], {STATE})
    def intercom_tags(context: dg.AssetExecutionContext, config: ApplyConfig) -> Iterator[Any]:
        state = state_of(names, context)
        audiences = AudienceLog(names, context.instance, keys_in(context, config))
        with taken_turn(names, context, project, config) as turn, ExitStack() as opened:
            with turn.state.reading() as connection:
                changes = count_changes(connection, [activation.key for activation in turn.activations])
            work = Work(context, turn.activations, state.locks, turn.broken)
            listing_seconds = _LISTING_SECONDS if len(turn.activations) > 1 else 0.0
            client_of = opened.enter_context(clients_of(destinations, state, listing_seconds=listing_seconds))
            session_of = _Sessions(context, project, turn.state, client_of)

            def apply(activation: Activation) -> Events:
                return (yield from _apply(names, context, session_of(activation), config, audiences))

            # Small change sets first, so that nobody waits for hours for one of a hundred thousand.
            yield from work.each(
                apply,
                on_failure=audiences.failed,
                first=lambda activation: changes.get(activation.key, 0),
            )
        work.raise_failures()

    return intercom_tags


def _apply(
    names: Names,
    context: dg.AssetExecutionContext,
    session: Session,
    config: ApplyConfig,
    audiences: AudienceLog,
) -> Events:
    activation = session.activation
    state = state_of(names, context)
    result = apply_changes(
        session,
        state.locks,
        released=Released(config.allow_large_removal, config.allow_large_growth),
        expected_changes=(config.expected_changes or {}).get(activation.key),
    )
    stuck = 0
    if result.status != "ok" or result.numbers.failed:
        with session.state.reading() as connection:
            stuck = count_stuck(connection).get(activation.key, 0)
    metadata = sync_metadata(result, result.tagged_contacts)
    context.log.info("%s: %s", activation.key, what_happened(result.numbers))
    carried_out = checks.changes_carried_out(names, activation.key, result, stuck)
    if result.status != "ok":
        yield carried_out
        return Failed(summary(activation.key, result), result.is_transient, is_held=result.status == "held")
    yield from _materialized(
        names,
        INTERCOM_TAGS,
        activation,
        metadata,
        carried_out,
        checks.only_our_carriers(names, activation, result.numbers.other_carriers),
        checks.match_rate(names, activation.key, result),
        # Whether it is behind its upstream depends on when its members were read, which a sensor looks up.
        *(() if activation.follows_upstream else (checks.up_to_date(names, activation.key),)),
    )
    yield from audiences.synced(
        activation, result.numbers, stuck=stuck, sample=_sample(session, result.numbers)
    )
    return None


def _sample(session: Session, numbers: SyncNumbers) -> dict[str, list[str]]:
    """A few of those who were tagged and untagged in the newest sync."""
    done = {name: change for name, change in _CHANGES.items() if getattr(numbers, name)}
    if not done:
        return {}
    with session.state.reading() as connection:
        return {
            name: newest_outcomes(connection, session.activation.key, change, limit=_SAMPLE_SIZE)
            for name, change in done.items()
        }


def _materialized(
    names: Names,
    asset: str,
    activation: Activation,
    metadata: Mapping[str, Any],
    *evaluations: dg.AssetCheckEvaluation,
) -> Iterator[Any]:
    yield dg.AssetMaterialization(
        names.key(asset), partition=activation.key, metadata={**metadata, **description_metadata(activation)}
    )
    yield from evaluations


@dataclass(frozen=True, slots=True)
class _Read:
    """What the reading of a segment took, and found: who entered and who left."""

    seconds: float = 0.0
    entered: int = 0
    left: int = 0


_NOT_READ = _Read()


def _audience_after_reading(
    audiences: AudienceLog, session: Session, computed: ComputedChanges, found: _Read
) -> Iterator[Any]:
    """What an audience shows once its changes are computed. If there are some, the next run shows them."""
    activation = session.activation
    if computed.hold:
        yield audiences.held(activation.key, computed.hold)
    elif not computed.to_apply:
        numbers = unchanged_numbers(computed, entered=found.entered, left=found.left)
        if computed.look_failed or audiences.has_news(activation.key, numbers):
            numbers = with_current_members(session, numbers)
            yield from audiences.synced(activation, numbers, look_failed=computed.look_failed)


@dataclass(frozen=True, slots=True)
class _Sessions:
    """The sessions of a batch. They share the workspaces of their destinations, each verified once."""

    context: dg.AssetExecutionContext
    project: Project
    state: StateDatabase
    client_of: "Callable[[Activation], IntercomClient]"
    workspaces: dict[str, OpenedWorkspace] = field(default_factory=dict)

    def __call__(self, activation: Activation) -> Session:
        session = Session(
            activation,
            self.state,
            self.client_of(activation),
            self.context.log,
            sync_id=self.context.run.run_id,
            declared=self.project.activations,
            workspace=self.workspaces.get(activation.destination),
        )
        self.workspaces[activation.destination] = session.intercom
        return session


class _Source:
    """The source of a batch, opened for the first query, and again after an error."""

    def __init__(self, names: Names, context: dg.AssetExecutionContext) -> None:
        self._resource = source_of(names, context)
        self._log = context.log
        self._stack = ExitStack()
        self._source: OpenSource | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the source, once everything was read."""
        self._source = None
        self._stack.close()

    @contextmanager
    def opened(self) -> "Iterator[OpenSource]":
        """The open source, for one query."""
        if self._source is None:
            self._source = self._stack.enter_context(self._resource.opened_by(self._log))
        try:
            yield self._source
        except BaseException:
            self.close()
            raise
