"""Peak memory of applying change sets of growing size, each in a process of its own.

Entering members are unknown at first, so they are looked up (listed, which takes the fewest calls), then
tagged; leaving ones are untagged one by one. Told are the memory while calls are under way, which is where a
sync spends its time, and the peak. DuckDB has the limit of a sparing state (see StateDatabase).
"""

from collections.abc import Sequence
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

# Removals take a call each: the sizes that a benchmark has time for.
ENTERING, LEAVING = (10_000, 100_000), (1_000, 10_000)
_NOTES = "memory"


def bench(
    console: Console,
    folder: Path,
    entering: Sequence[int] = ENTERING,
    leaving: Sequence[int] = LEAVING,
) -> None:
    """Apply change sets of these sizes and print what they took."""
    table = Table(title="Applying changes", title_justify="left")
    for column in ("Changes", "Calls", "Seconds", "MB while calling", "Peak MB"):
        table.add_column(column, justify="right")
    with intercom(rate_limit=UNLIMITED) as workspace:
        in_child(note_imports, folder)
        table.add_row("none: the imports alone", "", "", *_noted(folder))
        for change, sizes, prepare in (
            ("enter", entering, prepare_entering),
            ("leave", leaving, prepare_leaving),
        ):
            for size in sizes:
                place = folder / f"{change}-{size}"
                place.mkdir()
                workspace.reset()
                in_child(prepare, place, workspace.base_url, size)
                workspace.stats()
                seconds = in_child(apply_all, place, workspace.base_url).total
                calls = sum(workspace.stats()["calls"].values())
                changes = f"{size:,} {change}"
                table.add_row(changes, f"{calls:,}", f"{seconds:.1f}", *_noted(place))
    console.print(table)
    console.print(
        "Aim: flat, whatever the size; DuckDB's 64 MB come on top of the imports when the state has them."
    )


def prepare_entering(folder: Path, base_url: str, size: int) -> dict[str, float]:
    """Members nobody has looked for, all of them users."""
    Intercom(base_url).seed(map(email, range(size)))
    with session(folder, base_url) as preparing:
        declare_members(preparing, map(email, range(size)))
        compare(preparing)
    return {}


def prepare_leaving(folder: Path, base_url: str, size: int) -> dict[str, float]:
    """Users who carry the tag, and are members no more."""
    emails = [email(number) for number in range(size)]
    tagged = list(zip(Intercom(base_url).seed(emails, tags=[TAG_NAME]), emails, strict=True))
    with session(folder, base_url) as preparing:
        know(preparing, tagged)
        have_tagged(preparing, tagged)
        declare_members(preparing, [])
        compare(preparing)
    return {}


def apply_all(folder: Path, base_url: str) -> dict[str, float]:
    """What the job `apply_tag_changes` does, without Dagster; notes its memory."""
    most = 0

    def notice(_label: str, _done: int, _total: int) -> None:
        nonlocal most
        most = max(most, resident_mb("VmRSS"))

    progress_listener.set(notice)
    watch = Stopwatch()
    with session(folder, base_url) as applying:
        apply(applying, folder)
    watch.lap("apply")
    _note(folder, most)
    return watch.seconds


def note_imports(folder: Path) -> dict[str, float]:
    """A process that does nothing."""
    _note(folder, resident_mb("VmRSS"))
    return {}


def _note(folder: Path, calling: int) -> None:
    (folder / _NOTES).write_text(f"{calling} {resident_mb('VmHWM')}")


def _noted(folder: Path) -> list[str]:
    """The memory while calling and the peak, as they are shown."""
    return [
        f"{int(each):,}" if int(each) else "?" for each in (folder / _NOTES).read_text().split()
    ]
