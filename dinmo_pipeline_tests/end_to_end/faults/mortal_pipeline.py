"""The sync layer on an emulated workspace, in a process that can be made to die at any tick."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from dinmo_pipeline.config.declarations import Activation
from dinmo_pipeline.emulator import EmulatorServer
from dinmo_pipeline.intercom.client import IntercomClient
from dinmo_pipeline.intercom.pacing.pacer import Pacer
from dinmo_pipeline.intercom.retry import RetryPolicy
from dinmo_pipeline.state.membership import refresh_membership
from dinmo_pipeline.state.syncs import SyncResult
from dinmo_pipeline.sync.guards.limits import Released
from dinmo_pipeline.sync.operations.apply import apply_changes
from dinmo_pipeline.sync.operations.compute_changes import refresh_changes
from dinmo_pipeline.sync.operations.reconcile import Reconciled, reconcile
from dinmo_pipeline.sync.session import Session
from dinmo_pipeline_tests.end_to_end.faults.kept_state import KeptState
from dinmo_pipeline_tests.intercom.workspace import Clock
from dinmo_pipeline_tests.state.declaring import rows_of, staged

# The warnings of thousands of syncs are of no interest.
LOG = logging.getLogger("dinmo.tests.mortal")
LOG.setLevel(logging.CRITICAL)


class Died(BaseException):
    """The process is dead."""


@dataclass
class MortalPipeline:
    """Syncs one workspace with one state, on a clock that waits advance, and that may be wrong by `skew`.

    Each call to Intercom and each look at the clock is a tick. After the last one the process dies: calls in
    flight may be carried out, but nothing is recorded.
    """

    server: EmulatorServer
    clock: Clock
    locks: Path
    state: KeptState = field(default_factory=KeptState)
    declared: dict[str, Activation] = field(default_factory=dict)
    skew: timedelta = timedelta(0)
    _ticks: int | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.client = IntercomClient(
            "made-up-token-of-tests",
            self.server.base_url,
            pacer=Pacer(0.8, clock=self._ticking_clock, sleep=self.clock.sleep),
            retry=RetryPolicy(attempts=3, random=lambda: 0.0),
            sleep=self.clock.sleep,
        )

    @contextmanager
    def dying_after(self, ticks: int) -> Iterator[None]:
        """Within the block, the process dies after this many ticks."""
        self._ticks = ticks
        try:
            yield
        except Died:
            pass
        finally:
            self._ticks = None

    def sync(self, activation: Activation, members: set[str]) -> SyncResult:
        """Read the segment, compute the changes, and apply them; no guard holds."""
        session = self._session(activation)
        refresh_membership(
            self.state,
            activation.key,
            activation.match_by,
            staged(rows_of(sorted(members)), activation.match_by, now=session.clock()),
        )
        refresh_changes(session)
        return apply_changes(session, self.locks, released=Released(removal=True))

    def repair(self, activation: Activation, members: set[str]) -> Reconciled:
        """Reconcile, and repair differences."""
        return reconcile(
            self._session(activation),
            self.locks,
            staged(rows_of(sorted(members)), activation.match_by),
            repair=True,
            recent=timedelta(0),
        )

    def _session(self, activation: Activation) -> Session:
        return Session(
            activation,
            self.state,
            self.client,
            LOG,
            clock=lambda: datetime.fromtimestamp(self._ticking_clock(), UTC) + self.skew,
            declared=self.declared,
        )

    def _ticking_clock(self) -> float:
        self._tick()
        return self.clock()

    def _tick(self) -> None:
        if self._ticks is None:
            return
        if self._ticks <= 0:
            raise Died
        self._ticks -= 1
