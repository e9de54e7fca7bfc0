"""Memory of applying change sets of growing size, each in its own process.

Entering members are unknown at first, so they are looked up (by listing, which takes the fewest calls) and
then tagged; leaving ones are untagged one by one. It reports the memory while calls are in flight, which is
most of the time of a sync, and the peak. DuckDB has the memory limit of a sparing state (see StateDatabase).
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from dinmo_pipeline.sync.session import progress_listener
from dinmo_pipeline_tests.bench.child import Stopwatch, in_child, resident_mb
from dinmo_pipeline_tests.bench.syncing import (
    TAG_NAME,
    UNLIMITED,
    Intercom,
    apply,
    compare,
    declare_members,
    email,
    have_tagged,
    intercom,
    know,
    session,
)

# Each removal is a call, so their sizes are smaller.
ENTERING, LEAVING = (10_000, 100_000), (1_000, 10_000)
_NOTES = "memory"


def bench(
    console: Console,
    folder: Path,
    entering: Sequence[int] = ENTERING,
    leaving: Sequence[int] = LEAVING,
) -> None:
    """Apply change sets of these sizes, and print their calls, seconds and memory."""
    table = Table(title="Applying changes", title_justify="left")
    for column in ("Changes", "Calls", "Seconds", "MB while calling", "Peak MB"):
        table.add_column(column, justify="right")
    with intercom(rate_limit=UNLIMITED) as workspace:
        in_child(note_imports, folder)
        table.add_row("none: only imports", "", "", *_noted(folder))
        for change, sizes, prepare in (
            ("enter", entering, prepare_entering),
            ("leave", leaving, prepare_leaving),
        ):
            for size in sizes:
                cells = _applied(workspace, folder / f"{change}-{size}", prepare, size)
                table.add_row(f"{size:,} {change}", *cells)
    console.print(table)
    console.print("Aim: the same for all sizes, at most DuckDB's 64 MB above the imports.")


def _applied(
    workspace: Intercom,
    folder: Path,
    prepare: Callable[[Path, str, int], dict[str, float]],
    size: int,
) -> list[str]:
    """Apply one change set; its calls, seconds and memory, formatted."""
    folder.mkdir()
    workspace.reset()
    in_child(prepare, folder, workspace.base_url, size)
    workspace.stats()
    seconds = in_child(apply_all, folder, workspace.base_url).total
    calls = sum(workspace.stats()["calls"].values())
    return [f"{calls:,}", f"{seconds:.1f}", *_noted(folder)]


def prepare_entering(folder: Path, base_url: str, size: int) -> dict[str, float]:
    """Members who are users, but have not been looked up yet."""
    Intercom(base_url).seed(map(email, range(size)))
    with session(folder, base_url) as preparing:
        declare_members(preparing, map(email, range(size)))
        compare(preparing)
    return {}


def prepare_leaving(folder: Path, base_url: str, size: int) -> dict[str, float]:
    """Users who have the tag, and are no longer members."""
    emails = [email(number) for number in range(size)]
    tagged = list(zip(Intercom(base_url).seed(emails, tags=[TAG_NAME]), emails, strict=True))
    with session(folder, base_url) as preparing:
        know(preparing, tagged)
        have_tagged(preparing, tagged)
        declare_members(preparing, [])
        compare(preparing)
    return {}


def apply_all(folder: Path, base_url: str) -> dict[str, float]:
    """Do what the job `apply_tag_changes` does, without Dagster; note the memory."""
    max_mb = 0

    def measure(_label: str, _done: int, _total: int) -> None:
        nonlocal max_mb
        max_mb = max(max_mb, resident_mb("VmRSS"))

    progress_listener.set(measure)
    watch = Stopwatch()
    with session(folder, base_url) as applying:
        apply(applying, folder)
    watch.lap("apply")
    _note(folder, max_mb)
    return watch.seconds


def note_imports(folder: Path) -> dict[str, float]:
    """Do nothing but note the memory."""
    _note(folder, resident_mb("VmRSS"))
    return {}


def _note(folder: Path, calling_mb: int) -> None:
    (folder / _NOTES).write_text(f"{calling_mb} {resident_mb('VmHWM')}")


def _noted(folder: Path) -> list[str]:
    """The memory while calling and the peak, formatted."""
    return [f"{int(each):,}" if int(each) else "?" for each in (folder / _NOTES).read_text().split()]
