"""When to repeat a call, and how long to wait before."""

import random
from collections.abc import Callable
from dataclasses import dataclass

# None of these rejects the request itself. 409 is a definite answer and is not retried.
RETRIED_STATUSES = frozenset(
    {
        408,  # request timeout
        429,  # rate limit; the wait comes from the answer's headers
        500,  # "server_error"; also seen for queries that work a moment later
        502,  # gateway, usually an HTML page
        503,  # "service_unavailable"
        504,  # gateway timeout; the request may have been carried out
    }
)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Exponential back-off.

    Attributes:
        attempts: the number of calls, including the first.
        first_wait_seconds: the wait before the second attempt; it doubles each time.
        max_wait_seconds: the longest wait, even if a header asks for more.
        jitter: up to this part of the wait is added at random, so that waiting calls spread.
    """

    attempts: int = 5
    first_wait_seconds: float = 0.5
    max_wait_seconds: float = 30.0
    jitter: float = 0.2
    random: Callable[[], float] = random.random

    def wait_seconds(self, attempt: int, requested: float | None = None) -> float:
        """The wait after an attempt (1 for the first), at least the seconds that the server requested."""
        wait = max(self.first_wait_seconds * 2.0 ** (attempt - 1), requested or 0.0)
        return min(wait, self.max_wait_seconds) * (1 + self.jitter * self.random())
