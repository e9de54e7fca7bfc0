"""Make the calls of many changes in parallel, and record each outcome, whatever happens."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import partial

from dinmo_pipeline.intercom.errors import UnavailableError
from dinmo_pipeline.intercom.tags import BULK_SIZE
from dinmo_pipeline.state.ledger import AppliedChange, Outcome, PlannedChange, record_outcomes
from dinmo_pipeline.sync.paging import rows_by_page
from dinmo_pipeline.sync.parallel import batches, in_parallel
from dinmo_pipeline.sync.session import Session
from dinmo_pipeline.sync.tagging import Tagger

# Outcomes are recorded together, up to so many, and none is kept for longer than so many seconds.
_OUTCOMES_PER_RECORD = 2_000
_MAX_SECONDS_UNRECORDED = 2.0
# This many calls in a row without a definite answer mean that Intercom is down.
_MAX_FAILURES_IN_A_ROW = 5


def tag_all(
    session: Session, tagger: Tagger, label: str, total: int, changes: Iterable[PlannedChange]
) -> Counter[Outcome]:
    """Tag the contacts of changes, 50 per call, and count the outcomes. See `_make_calls`."""
    return _make_calls(session, label, total, batches(changes, BULK_SIZE), tagger.tag_users)


def untag_all(
    session: Session, tagger: Tagger, total: int, changes: Iterable[PlannedChange]
) -> Counter[Outcome]:
    """Untag the contacts of changes, one per call, and count the outcomes. See `_make_calls`."""
    return _make_calls(
        session,
        "untagging",
        total,
        batches(changes, 1),
        lambda batch: [tagger.untag(change) for change in batch],
    )


def pages_of(read: Callable[[int, int], list[PlannedChange]], limit: int) -> Iterator[PlannedChange]:
    """All changes, read page by page: those after a position, at most `limit` at a time."""
    return rows_by_page(read, lambda change: change.position, start=0, limit=limit)


def _make_calls(
    session: Session,
    label: str,
    total: int,
    work: Iterator[list[PlannedChange]],
    call: Callable[[list[PlannedChange]], list[AppliedChange]],
) -> Counter[Outcome]:
    """Make the calls in parallel, record their outcomes in batches, and count them.

    `label` and `total` are for the progress, in contacts.

    Raises:
        IntercomError: see the intercom layer; earlier outcomes are recorded.
        TagChangedError: the tag was deleted or renamed meanwhile; earlier outcomes are recorded.
    """
    recorder = _Recorder(session)
    counted: Counter[Outcome] = Counter()
    failures = 0
    try:
        for outcomes in in_parallel(call, work):
            recorder.add(outcomes)
            counted.update(outcome.outcome for outcome in outcomes)
            session.progress(label, counted.total(), total)
            failures = failures + 1 if all(o.outcome == "pending" for o in outcomes) else 0
            if failures >= _MAX_FAILURES_IN_A_ROW:
                raise UnavailableError(
                    f"Intercom gave no answer to {failures} calls in a row"
                    f" ({outcomes[0].reason}). The next sync will do the rest."
                )
    finally:
        recorder.flush()
    return counted


class _Recorder:
    """Collects outcomes, and records them when there are many or the oldest has waited too long."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._waiting: list[AppliedChange] = []
        self._flushed = time.monotonic()

    def add(self, outcomes: list[AppliedChange]) -> None:
        self._waiting.extend(outcomes)
        due = time.monotonic() - self._flushed >= _MAX_SECONDS_UNRECORDED
        if due or len(self._waiting) >= _OUTCOMES_PER_RECORD:
            self.flush()

    def flush(self) -> None:
        session = self._session
        if self._waiting:
            session.state.transact(
                partial(
                    record_outcomes,
                    activation=session.activation.key,
                    destination=session.activation.destination,
                    sync_id=session.sync_id,
                    outcomes=self._waiting,
                    now=session.clock(),
                )
            )
        self._waiting = []
        self._flushed = time.monotonic()
