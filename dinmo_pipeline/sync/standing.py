"""How an activation stands: the worst of all that the state knows, with the reason and what to do."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from dinmo_pipeline.config import Problem
from dinmo_pipeline.config.declarations import Activation
from dinmo_pipeline.config.schedules.phrases import in_words
from dinmo_pipeline.config.schedules.ticks import missed_tick
from dinmo_pipeline.state.coordination.pauses import Pause
from dinmo_pipeline.state.overview import ActivationOverview, Difference, HeldChanges, Unread
from dinmo_pipeline.state.stuck import stuck_members
from dinmo_pipeline.sync.guards.holds import remedy
from dinmo_pipeline.text.wording import counted

# Of fewer members, all may well be missing in Intercom: nobody of a new segment has signed up yet.
MIN_MEMBERS_TO_MATCH = 10
_REST = "The next sync will finish the rest."


class State(StrEnum):
    """The state of an activation, the worst first; the values are codes that `dinmo explain` knows."""

    BROKEN = "broken"
    FAILED = "failed"
    HELD = "held"
    INTERRUPTED = "interrupted"
    NOBODY_MATCHED = "nobody_matched"
    DRIFT = "drift"
    STUCK = "stuck"
    UNUSUAL_SIZE = "unusual_size"
    OVERDUE = "overdue"
    UNCHECKED = "unchecked"
    PAUSED = "paused"
    RUNNING = "running"
    ORPHANED = "orphaned"
    DISABLED = "disabled"
    NEVER_SYNCED = "never_synced"
    OK = "ok"

    @property
    def label(self) -> str:
        """The state in words."""
        return self.value.replace("_", " ")

    @property
    def needs_a_person(self) -> bool:
        """Whether somebody should look at it."""
        return self in _TROUBLES


_TROUBLES = frozenset(list(State)[: list(State).index(State.PAUSED)])


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that keeps an activation from being ok: why, and what a person can do about it."""

    state: State
    reason: str
    to_do: str = ""

    @property
    def sentence(self) -> str:
        """Both in one line."""
        return f"{self.reason} {self.to_do}".strip()


@dataclass(frozen=True, slots=True)
class Standing:
    """The findings about an activation, the worst first."""

    findings: tuple[Finding, ...] = ()

    @property
    def state(self) -> State:
        """The worst of them."""
        return self.findings[0].state if self.findings else State.OK


def standing(
    key: str,
    declared: Activation | None,
    known: ActivationOverview | None,
    *,
    stuck: int = 0,
    paused: Pause | None = None,
    broken: Sequence[Problem] = (),
    is_locked: Callable[[str], bool],
    now: datetime,
) -> Standing:
    """How an activation stands; `is_locked` says whether a process works on it.

    `declared` is None if it is orphaned, or `broken` by the problems of its declaration; `known` is None
    before the state knows it.
    """
    found = [*_of_declaration(key, declared, broken)]
    if paused:
        found.append(Finding(State.PAUSED, paused.sentence, f"To go on: dinmo resume {key}"))
    if known:
        found += _of_last_runs(key, known, is_locked)
        found += _of_tags(key, declared, known, stuck)
        if declared and not paused:
            found += _of_schedule(declared, known, now)
    if known is None or (known.last_status is None and known.in_sync_at is None):
        found.append(Finding(State.NEVER_SYNCED, ""))
    order = list(State)
    return Standing(tuple(sorted(found, key=lambda each: order.index(each.state))))


def nobody_matched(members: int, not_in_intercom: int) -> str | None:
    """A sentence if none of a segment's members is a user in Intercom, and there are enough to wonder."""
    if not_in_intercom < members or members < MIN_MEMBERS_TO_MATCH:
        return None
    return f"None of {members:,} members were found in Intercom: wrong column or `match_by`?"


def _of_declaration(key: str, declared: Activation | None, broken: Sequence[Problem]) -> Iterator[Finding]:
    for problem in broken:
        yield Finding(State.BROKEN, str(problem), "Its tag stays as it was until this is corrected.")
    if declared is None and not broken:
        yield Finding(
            State.ORPHANED,
            "No longer declared; its contacts keep their tag.",
            f"To take it off: dinmo retire {key}",
        )
    elif declared and not declared.enabled:
        yield Finding(State.DISABLED, "Disabled in the declarations; its contacts keep their tag.")


def _of_last_runs(key: str, known: ActivationOverview, is_locked: Callable[[str], bool]) -> Iterator[Finding]:
    if known.unread:
        yield _unread(key, known.unread)
    if known.held:
        yield _held(key, known.held)
    if known.last_status == "running" and is_locked(key):
        yield Finding(State.RUNNING, "A sync is running.")
    elif known.last_status == "running":
        # Nothing of a killed process writes to the state; the next sync does.
        yield Finding(State.INTERRUPTED, "The process of the last sync ended before the sync did.", _REST)
    elif known.last_status in ("failed", "interrupted") and not _is_superseded(known):
        again = "" if known.last_status == "interrupted" else f"To try again: dinmo sync {key}"
        yield Finding(State(known.last_status), known.last_reason or "", again)
    if known.look_failed:
        yield Finding(
            State.UNCHECKED,
            f"Intercom could not be asked what changed there. {known.look_failed}",
            "Each sync asks again.",
        )


def _is_superseded(known: ActivationOverview) -> bool:
    """Whether Intercom was found to be right after the last sync: then there was nothing left to do."""
    return bool(known.in_sync_at and known.last_sync_at and known.in_sync_at > known.last_sync_at)


def _unread(key: str, unread: Unread) -> Finding:
    often = "" if unread.failures == 1 else f" at the last {unread.failures:,} attempts"
    return Finding(
        State.FAILED,
        f"The segment could not be read{often}, since {moment(unread.since)}. {unread.reason}",
        f"Its tag stays as it was. To try again: dinmo sync {key}",
    )


def _held(key: str, held: HeldChanges) -> Finding:
    return Finding(State.HELD, held.because, remedy(held.reason, key))


def _of_tags(
    key: str, declared: Activation | None, known: ActivationOverview, stuck: int
) -> Iterator[Finding]:
    if nobody := nobody_matched(known.members, known.not_in_intercom):
        to_do = f"To see a few of them: dinmo segments {declared.segment}" if declared else ""
        yield Finding(State.NOBODY_MATCHED, nobody, to_do)
    if known.drift:
        yield _drift(key, known.drift)
    if stuck:
        yield Finding(State.STUCK, stuck_members(stuck))
    if known.size_note:
        yield Finding(State.UNUSUAL_SIZE, known.size_note, f"To see who: dinmo history {key}")


def _drift(key: str, drift: Difference) -> Finding:
    lacks, carries = (
        "lacks" if drift.missing == 1 else "lack",
        "carries" if drift.unexpected == 1 else "carry",
    )
    found = (
        f"Compared with Intercom at {moment(drift.at)}: {counted(drift.missing, 'expected contact')} {lacks}"
        f" the tag; {counted(drift.unexpected, 'contact')} {carries} it unexpectedly."
    )
    return Finding(
        State.DRIFT,
        f"{found} {drift.reason or ''}".strip(),
        f"To compare again: dinmo reconcile {key}; --repair fixes it.",
    )


def _of_schedule(declared: Activation, known: ActivationOverview, now: datetime) -> Iterator[Finding]:
    since = known.in_sync_at or known.read_at
    if not (declared.is_scheduled and since):
        return
    missed = missed_tick(declared.schedule, declared.timezone, since=since, now=now)
    if missed:
        last = f"last in sync {moment(known.in_sync_at)}" if known.in_sync_at else "never in sync"
        yield Finding(
            State.OVERDUE,
            f"Behind its schedule ({in_words(declared.schedule)}) since {moment(missed)}: {last}.",
            "Look for failed runs, and check that the schedule and Dagster's daemon are running.",
        )


def moment(at: datetime) -> str:
    """A time as messages show it."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
