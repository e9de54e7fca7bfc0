"""Which declarations the running daemon has: a file beside the state, written at each tick.

A file, because `dinmo status` should not wait seconds for Dagster to load, and because a tick can write it
while a sync holds the state.
"""

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

# Ticks come every 30 seconds, and one may take a minute.
_MAX_AGE: Final = timedelta(minutes=3)


@dataclass(frozen=True, slots=True)
class LoadedDeclarations:
    """What the daemon had loaded at its last tick: the fingerprint of the declarations."""

    fingerprint: str
    seen_at: datetime

    def is_current(self, now: datetime) -> bool:
        """Whether the daemon still ticks."""
        return now - self.seen_at <= _MAX_AGE


def record_loaded(locks: Path, fingerprint: str) -> None:
    """Record in the folder of the locks what the daemon has loaded. A tick goes on if that is not possible.

    A daemon on another machine has no such folder, and is not noticed here.
    """
    if not fingerprint:
        return
    with suppress(OSError):
        locks.mkdir(exist_ok=True, mode=0o700)
        _file(locks).write_text(fingerprint, "utf-8")


def read_loaded(locks: Path) -> LoadedDeclarations | None:
    """What the daemon had loaded at its last tick; None if there was none on this machine."""
    file = _file(locks)
    try:
        fingerprint = file.read_text("utf-8").strip()
        seen_at = datetime.fromtimestamp(file.stat().st_mtime, UTC)
    except (OSError, ValueError):
        return None
    return LoadedDeclarations(fingerprint, seen_at) if fingerprint else None


def _file(locks: Path) -> Path:
    return locks / "declarations-of-the-daemon"
