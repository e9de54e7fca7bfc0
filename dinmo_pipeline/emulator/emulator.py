"""The emulator's state: one workspace, its settings, faults and counters."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from dinmo_pipeline.emulator.faults import Faults
from dinmo_pipeline.emulator.rate import Window
from dinmo_pipeline.emulator.settings import EmulatorSettings
from dinmo_pipeline.emulator.workspace.ids import Ids
from dinmo_pipeline.emulator.workspace.paging import Results
from dinmo_pipeline.emulator.workspace.store import Store


@dataclass(slots=True)
class Stats:
    """What was asked of the emulator.

    Attributes:
        calls: By "METHOD /route/{template}".
        statuses: By HTTP status, or "lost" when no answer was given.
        contacts_created: Through `POST /contacts`.
        most_in_window: Most calls that were admitted in one 10-second window.
        refused: Calls over the budget, answered 429.
    """

    calls: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)
    contacts_created: int = 0
    most_in_window: int = 0
    refused: int = 0


class Emulator:
    """Everything that changes while the emulator runs.

    Args:
        settings: Of the workspace.
        clock: Unix time in seconds; windows, timestamps and the index lag follow it.
    """

    def __init__(self, settings: EmulatorSettings, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.resets = 0
        self.reset(settings)

    def reset(self, settings: EmulatorSettings) -> None:
        """Start again with an empty workspace, no faults, and counters at zero."""
        self.resets += 1
        self.settings = settings
        self.store = Store(self.clock, index_lag_s=settings.index_lag_s, seed=settings.seed)
        self.results = Results()
        self.request_ids = Ids(settings.seed)
        self.window = Window(start=0)
        self.faults = Faults([])
        self.stats = Stats()
