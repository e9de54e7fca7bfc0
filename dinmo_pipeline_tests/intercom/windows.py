"""Intercom's rate limit without Intercom: fixed windows, other apps, answers that take time."""

import heapq
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from dinmo_pipeline.intercom.pacing.pacer import Pacer
from dinmo_pipeline.intercom.pacing.rate_headers import RateHeaders

WINDOW = 10.0


def no_headers(_headers: RateHeaders) -> RateHeaders | None:
    return None


def as_they_are(headers: RateHeaders) -> RateHeaders | None:
    return headers


@dataclass
class Windows:
    """Callers on one clock, which their sleeps advance; answers arrive while a caller sleeps.

    Attributes:
        limit: calls per window, ours and others'.
        round_trip: seconds from a call to its answer.
        others: calls per second of other apps, at random times.
        shown: the headers that arrive, from those sent.
        in_flight: the maximum number of calls in flight.
    """

    limit: int
    round_trip: float = 0.1
    others: float = 0.0
    shown: Callable[[RateHeaders], RateHeaders | None] = as_they_are
    in_flight: int = 64
    now: float = 1_000.0
    ours: Counter[int] = field(default_factory=Counter)
    used: Counter[int] = field(default_factory=Counter)
    refused: int = 0

    def __post_init__(self) -> None:
        self._answers: list[tuple[float, int, Callable[[], None]]] = []
        self._dice = random.Random(7)  # noqa: S311
        self._others_until = self.now

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let time pass, and answers arrive."""
        until = self.now + seconds
        while self._answers and self._answers[0][0] <= until:
            at, _, arrive = heapq.heappop(self._answers)
            self.now = max(self.now, at)
            arrive()
        self.now = max(self.now, until)

    def call(self, pacer: Pacer) -> None:
        """Make one call when its turn comes; its answer arrives later."""
        while len(self._answers) >= self.in_flight:
            self.sleep(max(self._answers[0][0] - self.now, 0.0))
        number = pacer.wait_for_turn()
        self._let_others_call()
        window = int(self.now // WINDOW)
        self.ours[window] += 1
        admitted = self.used[window] < self.limit
        headers = RateHeaders(
            self.limit,
            # One too high, as recorded, and the reset two seconds late.
            self.limit - self.used[window],
            (window + 1) * WINDOW + 2 - self.now,
        )
        self.used[window] += admitted
        self.refused += not admitted

        def arrive() -> None:
            shown = self.shown(headers)
            if shown:
                pacer.learn(shown, number)
            if not admitted:
                pacer.close_for(shown.reset_in if shown and shown.reset_in else WINDOW)

        heapq.heappush(self._answers, (self.now + self.round_trip, number, arrive))

    def busy(self, pacer: Pacer, *, windows: int) -> None:
        """Call as fast as the pacer allows, for this many windows."""
        until = self.now + windows * WINDOW
        while self.now < until:
            self.call(pacer)

    def _let_others_call(self) -> None:
        while self.others and self._others_until < self.now:
            self._others_until += self._dice.expovariate(self.others)
            window = int(self._others_until // WINDOW)
            self.used[window] = min(self.used[window] + 1, self.limit)
