"""What the report says, as values: read from the state in a fixed number of queries, and bounded."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from functools import partial
from typing import TypeVar

import duckdb

from dinmo_pipeline.config.declarations import Activation, Project
from dinmo_pipeline.config.schedules.phrases import in_words
from dinmo_pipeline.state.coordination.pauses import Pause, pauses
from dinmo_pipeline.state.file.database import StateDatabase
from dinmo_pipeline.state.file.locks import is_locked
from dinmo_pipeline.state.file.paths import lock_folder
from dinmo_pipeline.state.looking.audiences import (
    MAX_COMPARED,
    Bucket,
    Moves,
    Overlap,
    Period,
    last_moves,
    overlap_of,
    periods,
)
from dinmo_pipeline.state.overview import ActivationOverview, overview
from dinmo_pipeline.state.stuck import count_stuck
from dinmo_pipeline.sync.standing import Standing, State, standing
from dinmo_pipeline.text.masking import mask_identifier
from dinmo_pipeline.text.wording import counted

_Fact = TypeVar("_Fact")

# With 200 audiences and 120 periods each, the page has 3 MB; a browser draws only what is scrolled into view.
MAX_CHARTED = 200
_MAX_DAYS_BY_DAY = 120
_RECENT = timedelta(days=14)
_WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Move:
    """A member who entered or left, masked."""

    at: datetime
    change: str
    who: str


@dataclass(frozen=True, slots=True)
class Audience:
    """An activation as the page shows it; numbers are None before the state knows them.

    `periods` and `moves` are empty if there was no room for its charts.
    """

    key: str
    tag: str
    description: str | None
    destination: str | None
    schedule: str
    standing: Standing
    known: ActivationOverview | None
    entered: int
    left: int
    periods: tuple[Period, ...] = ()
    moves: tuple[Move, ...] = ()

    @property
    def is_charted(self) -> bool:
        """Whether it has a section with charts of its own."""
        return bool(self.periods)


@dataclass(frozen=True, slots=True)
class Calls:
    """The calls that a destination's syncs made, by the start of each period."""

    destination: str
    rate_limit_share: float
    by_period: tuple[tuple[date, int], ...]


@dataclass(frozen=True, slots=True)
class Report:
    """The whole page: `audiences` by need, then size; `left_out` says what there was no room for."""

    made_at: datetime
    days: int
    bucket: Bucket
    audiences: tuple[Audience, ...]
    overlap: Overlap | None
    calls: tuple[Calls, ...]
    left_out: tuple[str, ...]


def read_report(states: Sequence[StateDatabase], project: Project, *, days: int, now: datetime) -> Report:
    """Read the report from the state, which may have a file for each destination."""
    since = now - timedelta(days=days)
    bucket: Bucket = "day" if days <= _MAX_DAYS_BY_DAY else "week"
    facts = _Facts()
    for state in states:
        with state.reading() as connection:
            facts.add(_facts(connection, project, state.database, since=since, bucket=bucket))
    audiences = sorted(_audiences(project, facts, now), key=_need)
    charted = [each.key for each in audiences if each.key in facts.periods][:MAX_CHARTED]
    compared = _comparable(project, audiences)
    moves: dict[str, Moves] = {}
    overlaps: list[Overlap] = []
    for state in states:
        there = [key for key in compared if _is_in(project, key, state.database)]
        with state.reading() as connection:
            moves |= last_moves(connection, charted, since=max(since, now - _RECENT))
            if len(there) > 1 and (found := overlap_of(connection, there)):
                overlaps.append(found)
    overlap = max(overlaps, key=lambda each: len(each.activations), default=None)
    return Report(
        now,
        days,
        bucket,
        tuple(
            _with_charts(each, facts.periods[each.key], moves.get(each.key, Moves()))
            if each.key in charted
            else each
            for each in audiences
        ),
        overlap,
        tuple(_calls(project, facts.periods)),
        tuple(_left_out(audiences, charted, compared, overlap)),
    )


@dataclass(slots=True)
class _Facts:
    """What the state knows of each activation."""

    known: dict[str, ActivationOverview] = field(default_factory=dict)
    stuck: dict[str, int] = field(default_factory=dict)
    paused: dict[str, Pause] = field(default_factory=dict)
    periods: dict[str, list[Period]] = field(default_factory=dict)

    def add(self, more: "_Facts") -> None:
        """Add what another state file knows."""
        self.known |= more.known
        self.stuck |= more.stuck
        self.paused |= more.paused
        self.periods |= more.periods


def _facts(
    connection: duckdb.DuckDBPyConnection,
    project: Project,
    database: str,
    *,
    since: datetime,
    bucket: Bucket,
) -> _Facts:
    """What a state file knows of the activations that are in it now."""

    def here(found: Mapping[str, _Fact]) -> dict[str, _Fact]:
        return {key: each for key, each in found.items() if _is_in(project, key, database)}

    return _Facts(
        here(overview(connection)),
        here(count_stuck(connection)),
        here(pauses(connection)),
        here(periods(connection, since=since, bucket=bucket)),
    )


def _is_in(project: Project, key: str, database: str) -> bool:
    """Whether a state file is that of an activation; one that is no longer declared may be in any."""
    declared = project.activations.get(key)
    return declared is None or project.state.database_of(declared.destination) == database


def _audiences(project: Project, facts: _Facts, now: datetime) -> Iterable[Audience]:
    for key in dict.fromkeys((*project.activations, *facts.known)):
        declared, found = project.activations.get(key), facts.known.get(key)
        week = [each for each in facts.periods.get(key, ()) if each.start > (now - _WEEK).date()]
        yield Audience(
            key,
            declared.name if declared else (found and found.tag_name) or key,
            declared.description if declared else None,
            declared.destination if declared else None,
            _schedule(declared),
            standing(
                key,
                declared,
                found,
                stuck=facts.stuck.get(key, 0),
                paused=facts.paused.get(key),
                broken=project.broken_of("activation").get(key, ()),
                is_locked=partial(is_locked, lock_folder(project.state)),
                now=now,
            ),
            found,
            entered=sum(each.entered for each in week),
            left=sum(each.left for each in week),
        )


def _schedule(declared: Activation | None) -> str:
    if declared is None:
        return "no longer declared"
    return "after upstream" if declared.follows_upstream else in_words(declared.schedule)


def _need(audience: Audience) -> tuple[int, int, str]:
    state = audience.standing.state
    worst = list(State).index(state) if state.needs_a_person else len(State)
    return (worst, -(audience.known.members if audience.known else 0), audience.key)


def _with_charts(audience: Audience, by_period: Sequence[Period], moves: Moves) -> Audience:
    newest = sorted(
        [
            *(Move(at, "entered", mask_identifier(who)) for at, who in moves.entered),
            *(Move(at, "left", mask_identifier(who)) for at, who in moves.left),
        ],
        key=lambda move: move.at,
        reverse=True,
    )
    return replace(audience, periods=tuple(by_period), moves=tuple(newest))


def _comparable(project: Project, audiences: Iterable[Audience]) -> list[str]:
    """The largest audiences of the kind of identifier that most have: others cannot be compared with them."""
    sized = sorted(
        (each for each in audiences if each.known and each.known.members and each.key in project.activations),
        key=lambda each: -(each.known.members if each.known else 0),
    )
    kinds = [project.activations[each.key].match_by for each in sized]
    usual = max(kinds, key=kinds.count, default=None)
    return [each.key for each, kind in zip(sized, kinds, strict=True) if kind == usual]


def _calls(project: Project, by_period: Mapping[str, Sequence[Period]]) -> Iterable[Calls]:
    for key, destination in project.destinations.items():
        sums: dict[date, int] = {}
        for activation in project.activations.values():
            if activation.destination == key:
                for period in by_period.get(activation.key, ()):
                    sums[period.start] = sums.get(period.start, 0) + period.api_calls
        yield Calls(key, destination.rate_limit_share, tuple(sorted(sums.items())))


def _left_out(
    audiences: Sequence[Audience], charted: Sequence[str], compared: Sequence[str], overlap: Overlap | None
) -> Iterable[str]:
    if len(charted) == MAX_CHARTED < len(audiences):
        yield f"Charts are shown for the {MAX_CHARTED} audiences that need a look or are the largest."
    if overlap is None and len(compared) > 1:
        yield "The audiences have too many members to show here who is in several of them."
    elif overlap and len(compared) > MAX_COMPARED:
        yield f"Only the {MAX_COMPARED} largest audiences are compared with each other."
    elsewhere = len(compared) - len(overlap.activations) if overlap and len(compared) <= MAX_COMPARED else 0
    if elsewhere > 0:
        yield f"{_not_compared(elsewhere)} another state file."
    others = sum(1 for each in audiences if each.known and each.known.members) - len(compared)
    if overlap and others > 0:
        yield f"{_not_compared(others)} another kind of identifier."


def _not_compared(number: int) -> str:
    return (
        f"{counted(number, 'audience')} {'is' if number == 1 else 'are'} not compared with the others, having"
    )
