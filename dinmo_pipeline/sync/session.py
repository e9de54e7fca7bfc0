"""What every step of a sync works with."""

import logging
import uuid
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime

from dinmo_pipeline.config.declarations import Activation
from dinmo_pipeline.intercom.client import IntercomClient
from dinmo_pipeline.state.file.database import StateDatabase
from dinmo_pipeline.sync.workspace import OpenedWorkspace


def utc_now() -> datetime:
    """The current time, aware."""
    return datetime.now(UTC)


def _ignore_progress(_label: str, _done: int, _total: int) -> None:
    pass


# Called with a label, which names the activation, the number of items done, and the number of items in all.
progress_listener: ContextVar[Callable[[str, int, int], None]] = ContextVar(
    "progress_listener", default=_ignore_progress
)


@dataclass(frozen=True)
class Session:
    """One activation being synced.

    Attributes:
        activation: its settings.
        state: the state database.
        client: calls the destination's workspace; every step uses `intercom` instead.
        log: takes sentences without personal data.
        clock: the current time.
        sync_id: the id of the Dagster run, if there is one.
        declared: all declared activations, of which one may be about to give up the name of its tag.
        records_workspace: whether a newly seen workspace is recorded in the state.
        workspace: that of the destination, if sessions share it, so that it is verified once for all of them.
        intercom: the destination's workspace, verified on first use: no command can forget to.
    """

    activation: Activation
    state: StateDatabase
    client: IntercomClient
    log: logging.Logger
    clock: Callable[[], datetime] = utc_now
    sync_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    declared: Mapping[str, Activation] = field(default_factory=dict)
    records_workspace: bool = True
    workspace: OpenedWorkspace | None = None
    intercom: OpenedWorkspace = field(init=False)

    def __post_init__(self) -> None:
        opened = self.workspace or OpenedWorkspace(
            self.state, self.activation.destination, self.client, records=self.records_workspace
        )
        object.__setattr__(self, "intercom", opened)

    def progress(self, label: str, done: int, total: int) -> None:
        """Report the progress of long work, in items."""
        progress_listener.get()(f"{self.activation.key}: {label}", done, total)
