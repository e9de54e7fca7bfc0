"""Marks of living runs, beside the locks."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dinmo_pipeline.scratch.marks import is_abandoned, mark
from dinmo_pipeline.state.file.paths import make_lock_folder

_SUFFIX = ".run"


@contextmanager
def run_mark(folder: Path, run_id: str) -> Iterator[None]:
    """Mark a run as alive within the block. Re-entrant.

    Raises:
        StateUnusableError: the folder of the locks cannot be created.
    """
    make_lock_folder(folder)
    file = folder / f"{run_id}{_SUFFIX}"
    if file.exists():
        yield
        return
    with mark(file):
        yield


def dead_runs(folder: Path) -> Iterator[tuple[str, Path]]:
    """The runs that were killed, each with its mark, which stays locked while the caller handles it."""
    for file in sorted(folder.glob(f"*{_SUFFIX}")):
        with is_abandoned(file) as dead:
            if dead:
                yield file.stem, file
