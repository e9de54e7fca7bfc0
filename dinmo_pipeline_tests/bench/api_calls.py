"""How many API calls a sync makes, compared with the number that we promise.

The emulator counts the calls, in its own process and without a rate limit. So the counts are exact and the
same on every machine; the seconds are not.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from rich.console import Console
from rich.table import Table

from dinmo_pipeline.state.contacts.directory import record_missing, record_signup_look
from dinmo_pipeline.sync.session import Session, utc_now
from dinmo_pipeline_tests.bench.syncing import (
    TAG_NAME,
    UNLIMITED,
    Intercom,
    declare_members,
    email,
    have_tagged,
    intercom,
    know,
    session,
    sync,
)


def bench(console: Console, folder: Path) -> None:
    """Run all syncs, and print their calls and seconds."""
    table = Table(title="API calls", title_justify="left")
    for column in ("Sync", "Calls by route"):
        table.add_column(column)
    for column in ("Calls", "Promised", "Seconds"):
        table.add_column(column, justify="right")
    with intercom(rate_limit=UNLIMITED) as workspace:
        for measure in (_ten_thousand, _large_workspace, _steady_state):
            place = folder / measure.__name__
            place.mkdir()
            workspace.reset()
            measure(_Counting(table, workspace, place))
    console.print(table)


class _Counting:
    """Runs syncs, each of which adds a row to the table."""

    def __init__(self, table: Table, workspace: Intercom, folder: Path) -> None:
        self._table = table
        self.workspace = workspace
        self.folder = folder

    @contextmanager
    def session(self, key: str = "vip") -> Iterator[Session]:
        with session(self.folder, self.workspace.base_url, key) as one:
            yield one

    def sync(self, label: str, max_calls: int, members: range | None, key: str = "vip") -> None:
        """Sync these members, given by number; None keeps the present ones."""
        with self.session(key) as syncing:
            if members is not None:
                declare_members(syncing, map(email, members))
            self.workspace.stats()
            started = time.perf_counter()
            sync(syncing, self.folder)
            seconds = time.perf_counter() - started
        calls = self.workspace.stats()["calls"]
        total = sum(calls.values())
        self._table.add_row(
            label,
            "\n".join(f"{count:,} {route}" for route, count in sorted(calls.items())),
            f"{total:,}" if total <= max_calls else f"[red]{total:,}",
            f"{max_calls:,}",
            f"{seconds:.1f}",
        )


def _ten_thousand(counting: _Counting) -> None:
    """In a workspace so large that listing it takes more calls than searching."""
    counting.workspace.seed(map(email, range(40_000)))
    counting.sync("10,000 enter, all unknown", 410, range(10_000))
    counting.sync("10,000 enter, all known", 210, range(10_000), "second")
    counting.sync("nothing changed", 1, range(10_000))
    counting.sync("10,000 leave", 10_010, range(0))


def _large_workspace(counting: _Counting) -> None:
    counting.workspace.seed(map(email, range(250_000)))
    counting.sync(
        "first sync of 200,000 in a workspace of 250,000",
        1_670 + 4_000,
        range(200_000),
    )


def _steady_state(counting: _Counting) -> None:
    """A day after the last sync; 100 of the missing members are among those who signed up."""
    members, missing, new, joined = 1_000_000, 300_000, 1_000, 100
    yesterday = utc_now() - timedelta(days=1)
    workspace = counting.workspace
    # A sync does not look up tagged users, so a single one is enough for the tag to exist.
    workspace.seed([email(0)], tags=[TAG_NAME])
    present = range(members - missing)
    absent = [email(number) for number in range(members - missing, members)]
    with counting.session() as before:
        known = [(f"{number:024x}", email(number)) for number in present]
        know(before, known)
        have_tagged(before, known)
        with before.state.transaction() as connection:
            record_missing(connection, "main", "email", absent, now=yesterday)
            record_signup_look(connection, "main", until=yesterday)
    signed_up = absent[:joined] + [f"new{number}@example.com" for number in range(new - joined)]
    workspace.seed(signed_up, since=int((yesterday + timedelta(hours=12)).timestamp()))
    label = f"{members:,} members, {missing:,} not in Intercom, {new:,} new contacts"
    counting.sync(label, 50, range(members))
    counting.sync("… and again right away", 50, None)
