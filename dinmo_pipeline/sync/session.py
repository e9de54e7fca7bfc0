"""What every step of a sync works with."""

import logging
import uuid
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime

from dinmo_pipeline.config.declarations import Activation
from dinmo_pipeline.intercom.client import IntercomClient
from dinmo_pipeline.state.file.database import StateDatabase


def utc_now() -> datetime:
    """The current time, aware."""
    return datetime.now(UTC)


def _nobody_listens(_label: str, _done: int, _total: int) -> None:
    pass


# Who watches the syncs of this process: called with a label, the items done and the items in all.
progress_listener: ContextVar[Callable[[str, int, int], None]] = ContextVar(
    "progress_listener", default=_nobody_listens
)


@dataclass(frozen=True)
class Session:
    """One activation being synced: its settings, the state, the workspace, and who hears of progress.

    `log` gets sentences without personal data. `sync_id` is the Dagster run's id where there is one.
    """

    activation: Activation
    state: StateDatabase
    intercom: IntercomClient
    log: logging.Logger
    clock: Callable[[], datetime] = utc_now
    sync_id: str = field(default_factory=lambda: uuid.uuid4().hex)

    def progress(self, label: str, done: int, total: int) -> None:
        """Tell whoever watches how far long work is, in items."""
        progress_listener.get()(label, done, total)
