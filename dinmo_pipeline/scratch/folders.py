"""Private folders for what does not fit into memory; the next process removes those of a killed one."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dinmo_pipeline.scratch.marks import is_abandoned, mark

_PREFIX = "dinmo-spill-"
_ALIVE = "alive"


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder that only this user can read, and that is deleted after the block."""
    _remove_abandoned()
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
    try:
        with mark(folder / _ALIVE):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _remove_abandoned() -> None:
    """Delete the folders of killed processes, which may be as large as a segment."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(OSError), is_abandoned(folder / _ALIVE) as abandoned:
            if abandoned:
                shutil.rmtree(folder, ignore_errors=True)
