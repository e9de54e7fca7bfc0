"""Intercom's rate limit: calls counted in 10-second windows."""

from dataclasses import dataclass
from typing import Final

WINDOW_S: Final = 10

# Recorded in 525 of 525 responses: the reset lies 2 s after the end of the window.
_RESET_AFTER_END_S: Final = 2


@dataclass(frozen=True, slots=True)
class Window:
    """A window and the calls in it.

    Attributes:
        start: Unix seconds, a multiple of 10.
        used: How many calls were admitted.
    """

    start: int
    used: int = 0


@dataclass(frozen=True, slots=True)
class Admission:
    """Whether a call was admitted, and the rate-limit headers of its response.

    Attributes:
        window: The window, with this call counted if it was admitted.
        admitted: Whether any budget was left.
        limit: Calls per window.
        remaining: The value of `X-RateLimit-Remaining`. Recorded: it is one too high, so the first
            call of a window shows the limit.
        reset: The value of `X-RateLimit-Reset`, in Unix seconds.
    """

    window: Window
    admitted: bool
    limit: int
    remaining: int
    reset: int


def admit(window: Window, now: float, limit: int) -> Admission:
    """Count a call.

    Args:
        window: The latest window; if it is over, a new one starts.
        now: Unix seconds.
        limit: Calls per window.
    """
    start = int(now) - int(now) % WINDOW_S
    used = window.used if window.start == start else 0
    reset = start + WINDOW_S + _RESET_AFTER_END_S
    if used >= limit:
        return Admission(Window(start, used), admitted=False, limit=limit, remaining=0, reset=reset)
    return Admission(Window(start, used + 1), admitted=True, limit=limit, remaining=limit - used, reset=reset)
