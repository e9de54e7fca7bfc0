"""Make the calls of many changes side by side, and record what became of each, whatever happens."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial

from dinmo_pipeline.intercom.errors import UnavailableError
from dinmo_pipeline.state.ledger import AppliedChange, Outcome, PlannedChange, record_outcomes
from dinmo_pipeline.sync.parallel import in_parallel
from dinmo_pipeline.sync.session import Session

# Outcomes are recorded together, but none waits longer than this for its record.
_OUTCOMES_A_RECORD = 2_000
_SECONDS_A_RECORD = 2.0
# After so many calls in a row without a definite answer the sync stops: Intercom is down.
_FAILURES_IN_A_ROW = 5


def work_off(
    session: Session,
    label: str,
    total: int,
    work: Iterator[list[PlannedChange]],
    call: Callable[[list[PlannedChange]], list[AppliedChange]],
) -> Counter[Outcome]:
    """Make the calls side by side, and record their outcomes in batches; how many of each there were.

    `label` and `total` are for who watches the progress, in contacts.

    Raises:
        IntercomError: see the intercom layer; what was answered before is recorded.
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
            if failures >= _FAILURES_IN_A_ROW:
                raise UnavailableError(
                    f"Intercom gave no answer to {failures} calls in a row"
                    f" ({outcomes[0].reason}); the next sync does the rest."
                )
    finally:
        recorder.flush()
    return counted


def pages_of(read: Callable[[int], list[PlannedChange]]) -> Iterator[PlannedChange]:
    """All changes that `read` gives page by page; it gets the position to go on after, first 0."""
    after = 0
    while page := read(after):
        yield from page
        after = page[-1].position


class _Recorder:
    """Keeps outcomes until there are many or the oldest has waited long enough."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._waiting: list[AppliedChange] = []
        self._flushed = time.monotonic()

    def add(self, outcomes: list[AppliedChange]) -> None:
        self._waiting.extend(outcomes)
        due = time.monotonic() - self._flushed >= _SECONDS_A_RECORD
        if due or len(self._waiting) >= _OUTCOMES_A_RECORD:
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
