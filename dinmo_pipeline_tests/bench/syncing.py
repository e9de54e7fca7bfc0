"""An activation and an emulated workspace of any size, for benchmarks of syncs."""

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import requests

from dinmo_pipeline.contact import Contact
from dinmo_pipeline.emulator import EmulatorSettings
from dinmo_pipeline.intercom.client import IntercomClient
from dinmo_pipeline.state.changes import compute_changes, store_changes
from dinmo_pipeline.state.contacts.directory import record_contacts
from dinmo_pipeline.state.file.database import StateDatabase
from dinmo_pipeline.state.ledger import AppliedChange, record_outcomes
from dinmo_pipeline.state.membership import refresh_membership
from dinmo_pipeline.state.syncs import SyncNumbers
from dinmo_pipeline.state.tags.owners import ActivationTag, record_tag
from dinmo_pipeline.sync.guards.limits import Released
from dinmo_pipeline.sync.operations.apply import apply_changes
from dinmo_pipeline.sync.operations.compute_changes import refresh_changes
from dinmo_pipeline.sync.session import Session, utc_now
from dinmo_pipeline_tests.emulator.process import running_process
from dinmo_pipeline_tests.state.declaring import activation, staged

TAG_NAME = "VIP"
# For benchmarks that do not measure pacing.
UNLIMITED = 1_000_000
_CONTACTS_PER_CALL = 20_000
_DEFAULT_SINCE = int(datetime(2025, 1, 1, tzinfo=UTC).timestamp())


def email(number: int) -> str:
    """The email of a user, and of the member with the same number."""
    return f"user{number:07}@example.com"


class Intercom:
    """The control endpoints of an emulator that runs in its own process."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url

    def reset(self) -> None:
        """Empty the workspace and zero the counters."""
        self._control("POST", "reset", json={})

    def seed(
        self, emails: Iterable[str], *, tags: Iterable[str] = (), since: int = _DEFAULT_SINCE
    ) -> list[str]:
        """Create users, one per second since a time in Unix seconds; their ids, in the same order."""
        rows = (
            {"email": one, "tags": [*tags], "created_at": since + number} for number, one in enumerate(emails)
        )
        ids: list[str] = []
        while part := list(islice(rows, _CONTACTS_PER_CALL)):
            ids += self._control("POST", "contacts", json=part)["ids"]
        return ids

    def stats(self) -> dict[str, Any]:
        """The emulator's counters since the last time this was called."""
        return self._control("GET", "stats", params={"reset": "1"})

    def _control(self, method: str, path: str, **options: Any) -> Any:
        answer = requests.request(method, f"{self.base_url}/_emulator/{path}", timeout=120, **options)
        answer.raise_for_status()
        return answer.json()


@contextmanager
def intercom(**settings: Any) -> Iterator[Intercom]:
    """Run an emulator in its own process."""
    with running_process(EmulatorSettings(**settings)) as process:
        yield Intercom(process.base_url)


@contextmanager
def session(
    folder: Path, base_url: str, key: str = "vip", *, memory_limit: str | None = None
) -> Iterator[Session]:
    """A session of one activation with the client's default settings; its state is in the folder."""
    activated = activation(key, segment=key, name=TAG_NAME if key == "vip" else key)
    with IntercomClient("token-of-the-benchmark", base_url) as client:
        state = StateDatabase(str(folder / "state.duckdb"), memory_limit=memory_limit)
        yield Session(activated, state, client, logging.getLogger("dinmo.bench"))


def declare_members(session: Session, members: Iterable[str]) -> None:
    """Replace the segment's members."""
    reader = pa.table({"identifier": pa.array(members, pa.string())}).to_reader()
    activation = session.activation
    refresh_membership(
        session.state,
        activation.key,
        activation.match_by,
        staged(reader, activation.match_by, now=session.clock()),
    )


def sync(session: Session, folder: Path) -> SyncNumbers:
    """Compute the changes and apply them, as both jobs do; the numbers, with all calls.

    Raises:
        RuntimeError: the sync did not complete.
    """
    computed = refresh_changes(session)
    return apply(session, folder, calls=computed.api_calls)


def apply(session: Session, folder: Path, *, calls: int = 0) -> SyncNumbers:
    """Apply the changes; `calls` were made before.

    Raises:
        RuntimeError: the sync did not complete.
    """
    result = apply_changes(session, folder / "locks", released=Released(removal=True))
    if result.status != "ok" or result.numbers.failed or result.numbers.pending:
        raise RuntimeError(f"the sync is {result.status}: {result.reason}; {result.numbers}")
    numbers: dict[str, Any] = {name: getattr(result.numbers, name) for name in SyncNumbers.__slots__}
    return SyncNumbers(**numbers | {"api_calls": result.numbers.api_calls + calls})


def know(session: Session, contacts: Iterable[tuple[str, str]]) -> None:
    """Record that an earlier sync found these contacts, given as (contact id, email)."""
    # That sync also recorded the workspace; without a record, one that lacks the contacts is refused.
    session.intercom.verify_again()
    seen = [Contact(contact_id, address, None) for contact_id, address in contacts]
    with session.state.transaction() as connection:
        record_contacts(connection, "main", seen, by_email=True, now=utc_now())


def have_tagged(session: Session, contacts: Iterable[tuple[str, str]]) -> None:
    """Record that an earlier sync tagged these contacts, given as (contact id, email)."""
    tag = session.intercom.tags.find(session.activation.name)
    if tag is None:
        raise LookupError(session.activation.name)
    key = session.activation.key
    done = [AppliedChange("entered", address, one, "applied") for one, address in contacts]
    with session.state.transaction() as connection:
        record_tag(connection, key, "main", ActivationTag(tag.id, tag.name))
        record_outcomes(connection, key, "main", "earlier", done, now=utc_now())


def compare(session: Session) -> None:
    """Compute and store the change set, without calls."""
    with session.state.transaction() as connection:
        compute_changes(connection, session.activation)
        store_changes(connection, session.activation)
