"""An emulated workspace, its clients, and a clock that their waits advance."""

import threading
from collections import Counter
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from dinmo_pipeline.emulator import EmulatorServer, EmulatorSettings, NewContact
from dinmo_pipeline.emulator.faults import Faults, read_faults
from dinmo_pipeline.intercom.client import IntercomClient
from dinmo_pipeline.intercom.pacing.pacer import Pacer
from dinmo_pipeline.intercom.retry import RetryPolicy

TOKEN = "made-up-token-of-tests"


@dataclass
class Clock:
    """Seconds, both as Unix time and as a monotonic clock; sleeping advances it."""

    now: float = 1_800_000_000.0
    slept: list[float] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self.now += seconds
            self.slept.append(seconds)

    def client(self, base_url: str, **options: Any) -> IntercomClient:
        """A client that waits on this clock, without jitter."""
        share = options.pop("rate_limit_share", 0.8)
        options.setdefault("retry", RetryPolicy(random=lambda: 0.0))
        return IntercomClient(
            options.pop("token", TOKEN),
            base_url,
            pacer=Pacer(share, clock=self, sleep=self.sleep),
            sleep=self.sleep,
            **options,
        )


@dataclass
class Workspace:
    """One workspace of the emulator, seen from both sides."""

    server: EmulatorServer
    clock: Clock
    client: IntercomClient = field(init=False)

    def __post_init__(self) -> None:
        self.client = self.clock.client(self.server.base_url)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.client.close()

    def reset(self, **settings: Any) -> None:
        """Empty the workspace, with the default settings except for these."""
        self.server.emulator.reset(EmulatorSettings(**settings))

    def speak(self, version: str) -> IntercomClient:
        """Switch the client to another API version."""
        self.client.close()
        self.client = self.clock.client(self.server.base_url, version=version)
        return self.client

    def fail(self, *rules: dict[str, Any]) -> None:
        """Make calls fail on purpose; see the emulator's faults."""
        self.server.emulator.faults = Faults(read_faults(list(rules)))

    def users(self, count: int, **attributes: Any) -> list[str]:
        """Create users u0@example.com, u1@example.com … with the user ids 0, 1 …; returns their ids."""
        return self.create(
            NewContact(email=f"u{n}@example.com", external_id=str(n), **attributes) for n in range(count)
        )

    def create(self, contacts: Any) -> list[str]:
        """Create contacts without any checks; returns their ids."""
        return self.server.store.create_many(contacts)

    def change(self, contact_id: str, **changes: Any) -> None:
        """Change a contact's fields."""
        contact = self.server.store.live.get(contact_id)
        assert contact
        self.server.store.replace(contact, **changes)

    def merge(self, source: str, target: str) -> None:
        """Merge a contact into another, which gets its tags."""
        contacts = [self.server.store.live.get(one) for one in (source, target)]
        assert all(contacts)
        self.server.store.merge(*contacts)

    def tag(self, name: str, *contact_ids: str) -> str:
        """Create a tag and put it on contacts; returns its id."""
        store = self.server.store
        tag = store.ensure_tag(name)
        for contact_id in contact_ids:
            contact = store.live.get(contact_id)
            assert contact
            store.tag(contact, tag)
        return tag.id

    def tagged(self, name: str) -> set[str]:
        """The ids of the contacts that carry a tag."""
        tag = self.server.store.tag_named(name)
        return {contact.id for contact in self.server.store.tagged(tag)} if tag else set()

    @property
    def calls(self) -> Counter[str]:
        """The number of calls so far, by "METHOD /route/{template}"."""
        return self.server.emulator.stats.calls

    @property
    def refused(self) -> int:
        """The number of calls over the budget so far."""
        return self.server.emulator.stats.refused
