"""When and how long to wait before a call is made again, as a value."""

import random
from collections.abc import Callable
from dataclasses import dataclass

# Each of these says nothing against the request itself. 409 is a real answer and is not repeated.
RETRIED_STATUSES = frozenset(
    {
        408,  # request time-out
        429,  # rate limit; the wait comes from the answer's headers
        500,  # "server_error"; also seen for queries that work a moment later
        502,  # gateway, usually an HTML page
        503,  # "service_unavailable"
        504,  # gateway time-out; the request may have been carried out
    }
)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Exponential back-off.

    Attributes:
        attempts: calls in all, the first one included.
        first_wait_seconds: the wait before the second attempt; it doubles from there.
        longest_wait_seconds: no single wait is longer, also not one that a header asks for.
        jitter: a random part of the wait, 0 to 1, is added, so that many waiters do not wake as one.
    """

    attempts: int = 5
    first_wait_seconds: float = 0.5
    longest_wait_seconds: float = 30.0
    jitter: float = 0.2
    random: Callable[[], float] = random.random

    def wait_seconds(self, attempt: int, asked: float | None = None) -> float:
        """The wait after `attempt` (1 for the first); `asked` is what the server asked for at least."""
        wait = max(self.first_wait_seconds * 2.0 ** (attempt - 1), asked or 0.0)
        return min(wait, self.longest_wait_seconds) * (1 + self.jitter * self.random())
