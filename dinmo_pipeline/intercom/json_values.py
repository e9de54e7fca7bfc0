"""Single values of Intercom's JSON; anything odd reads as absent."""

from typing import Any


def read_text(value: Any) -> str | None:
    """A text that is not empty."""
    return value if isinstance(value, str) and value else None


def read_id(value: Any) -> str | None:
    """An id as text; older answers hold some as numbers."""
    return str(value) if type(value) is int else read_text(value)
