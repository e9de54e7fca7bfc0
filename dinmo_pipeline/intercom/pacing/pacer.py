"""Paces calls to the workspace's budget: the allowed share is used, and no call is refused."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

from dinmo_pipeline.intercom.pacing.budget import Budget
from dinmo_pipeline.intercom.pacing.rate_headers import RateHeaders
from dinmo_pipeline.intercom.pacing.shared_budget import keeper

# A waiting call checks the budget this often, since an answer or another process may change its turn.
_POLL_SECONDS = 0.05


class Pacer:
    """Decides when each call may go out; thread-safe.

    Args:
        share: the part of the workspace's budget to use, above 0 and up to 1.
        shared: a file through which all processes of this machine share the budget of one workspace.
        clock: monotonic seconds, the same for all those processes.
        sleep: waits some seconds.
    """

    def __init__(
        self,
        share: float,
        shared: Path | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._share = share
        self._clock = clock
        self._sleep = sleep
        self._budget = keeper(shared)
        self._queue = threading.Lock()

    def wait_for_turn(self) -> int:
        """Block until one more call fits the budget; returns the call's number, for `learn`.

        Raises:
            ConfigurationError: the shared file cannot be used.
        """
        # One thread polls and the others queue behind it; otherwise all would wake for one turn.
        with self._queue:
            while True:
                wait, call = self._budget.change(self._take)
                if not wait:
                    return call
                self._sleep(min(wait, _POLL_SECONDS))

    def learn(self, headers: RateHeaders, call: int) -> None:
        """Update the budget from the answer to a call."""
        self._budget.change(
            lambda budget: (budget.reported(headers, call, self._clock()), None),
        )

    def close_for(self, seconds: float) -> None:
        """Let no call out for some seconds, as a 429 requests."""
        self._budget.change(
            lambda budget: (budget.closed(seconds, self._share, self._clock()), None),
        )

    def _take(self, budget: Budget) -> tuple[Budget, tuple[float, int]]:
        now = self._clock()
        budget = budget.as_of(now)
        due = budget.due(self._share, now)
        if due > now:
            return budget, (due - now, 0)
        budget = budget.after_call(self._share, now)
        return budget, (0.0, budget.taken)
