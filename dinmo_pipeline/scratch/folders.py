"""Private folders for what does not fit into memory, or replaces a file in one step.

The next process removes those of a killed one.
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dinmo_pipeline.scratch.marks import is_abandoned, mark

_PREFIX = "dinmo-spill-"
_HIDDEN_PREFIX = ".dinmo-scratch-"
_ALIVE = "alive"


@contextmanager
def scratch_folder(parent: Path | None = None) -> Iterator[Path]:
    """A folder that only this user can read, and that is deleted after the block.

    It is in the system's folder for temporary files, or, hidden, in `parent`.
    """
    remove_abandoned(parent)
    prefix = _HIDDEN_PREFIX if parent else _PREFIX
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
    try:
        with mark(folder / _ALIVE):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def remove_abandoned(parent: Path | None = None) -> None:
    """Delete the folders of killed processes, which may be as large as a segment or the state."""
    place, prefix = (parent, _HIDDEN_PREFIX) if parent else (Path(tempfile.gettempdir()), _PREFIX)
    for folder in place.glob(f"{prefix}*"):
        with suppress(OSError), is_abandoned(folder / _ALIVE) as abandoned:
            if abandoned:
                shutil.rmtree(folder, ignore_errors=True)
