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
    """Counters since the start, the last reset, or the last time they were zeroed.

    Attributes:
        calls: Calls by "METHOD /route/{template}".
        statuses: Responses by HTTP status; "lost" counts calls without a response.
        contacts_created: Contacts created by `POST /contacts`.
        max_in_window: The most calls admitted in one 10-second window.
        refused: Calls over the budget (429).
    """

    calls: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)
    contacts_created: int = 0
    max_in_window: int = 0
    refused: int = 0


class Emulator:
    """Everything that changes while the emulator runs.

    Args:
        settings: Settings of the workspace.
        clock: Unix time in seconds, for rate-limit windows, timestamps and the index lag.
    """

    def __init__(self, settings: EmulatorSettings, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.resets = 0
        self.reset(settings)

    def reset(self, settings: EmulatorSettings) -> None:
        """Start over with an empty workspace, no faults, and counters at zero."""
        self.resets += 1
        self.settings = settings
        self.store = Store(
            self.clock,
            index_lag_s=settings.index_lag_s,
            seed=settings.seed,
            first_tag_id=settings.first_tag_id,
        )
        self.results = Results()
        self.request_ids = Ids(settings.seed)
        self.window = Window(start=0)
        self.faults = Faults([])
        self.stats = Stats()
