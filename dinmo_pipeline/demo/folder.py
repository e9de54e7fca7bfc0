"""The demo's own folder: the demo creates and deletes only the files that it made there."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb

_MANIFEST: Final = "made-by-dinmo-demo.json"
# What stands beside a state file and belongs to it: write-ahead log, journal, locks.
_STATE_COMPANIONS: Final = (".wal", ".journal", ".locks")


class NotTheDemoError(Exception):
    """Something in the demo's place belongs to a person; the message says what, and how to go on."""


@dataclass(frozen=True)
class DemoFolder:
    """The folder that holds the demo's warehouse and its state.

    A manifest in it lists the files that the demo made. The warehouse is listed with its size and time of
    change, since a person may have put a file of their own in its place. For the same reason a state that
    knows a destination other than the demo's is left alone.
    """

    path: Path
    destination: str

    @property
    def warehouse(self) -> Path:
        """The DuckDB file of the shop."""
        return self.path / "warehouse.duckdb"

    @property
    def state(self) -> Path:
        """The state of the demo's syncs."""
        return self.path / "state.duckdb"

    def clear(self) -> None:
        """Delete what an earlier demo made here, and leave everything else.

        Raises:
            NotTheDemoError: a file in the way is not the demo's, or is in use. Nothing was deleted.
        """
        for objection in (self._objection_to_warehouse(), self._objection_to_state()):
            if objection:
                raise NotTheDemoError(f"{objection} Nothing was deleted.")
        self.warehouse.unlink(missing_ok=True)
        for file in _with_companions(self.state):
            if file.is_dir():
                shutil.rmtree(file)
            else:
                file.unlink(missing_ok=True)
        self._write_manifest({})

    @contextmanager
    def making(self, file: Path) -> Iterator[None]:
        """List a file that the block makes.

        It is listed before it exists, so that a killed demo leaves nothing unlisted.
        """
        self._write_manifest({**self._manifest(), file.name: None})
        yield
        self._write_manifest({**self._manifest(), file.name: _fingerprint(file)})

    def _objection_to_warehouse(self) -> str | None:
        if not _is_there(self.warehouse):
            return None
        manifest = self._manifest()
        if self.warehouse.name not in manifest or not _is_plain_file(self.warehouse):
            return _not_ours(self.warehouse)
        if manifest[self.warehouse.name] not in (None, _fingerprint(self.warehouse)):
            return f"{self.warehouse} was changed since the demo made it. {_MOVE_IT}"
        return None

    def _objection_to_state(self) -> str | None:
        there = [file for file in _with_companions(self.state) if _is_there(file)]
        if not there:
            return None
        if self.state.name not in self._manifest():
            return _not_ours(there[0])
        if there[0] != self.state:
            return None
        return self._objection_to_ledger()

    def _objection_to_ledger(self) -> str | None:
        if not _is_plain_file(self.state):
            return _not_ours(self.state)
        try:
            with duckdb.connect(str(self.state), read_only=True) as connection:
                rows = connection.execute("SELECT destination FROM dinmo.workspaces").fetchall()
        except duckdb.Error:
            return (
                f"{self.state} cannot be read. Close whatever uses it, such as the Dagster UI,"
                " or delete the file yourself."
            )
        others = sorted({destination for (destination,) in rows} - {self.destination})
        if others:
            return f"{self.state} holds the ledger of destination {others[0]!r}. {_MOVE_IT}"
        return None

    def _manifest(self) -> dict[str, list[int] | None]:
        try:
            found = json.loads((self.path / _MANIFEST).read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def _write_manifest(self, files: dict[str, list[int] | None]) -> None:
        self.path.mkdir(parents=True, exist_ok=True)
        (self.path / _MANIFEST).write_text(json.dumps(files, indent=2) + "\n", "utf-8")


_MOVE_IT: Final = "Move it somewhere else, then run the demo again."


def _not_ours(file: Path) -> str:
    return f"{file} was not made by the demo. {_MOVE_IT}"


def _with_companions(state: Path) -> tuple[Path, ...]:
    return (state, *(Path(f"{state}{ending}") for ending in _STATE_COMPANIONS))


def _is_there(file: Path) -> bool:
    return file.exists() or file.is_symlink()


def _is_plain_file(file: Path) -> bool:
    return file.is_file() and not file.is_symlink()


def _fingerprint(file: Path) -> list[int]:
    """Size in bytes and time of the last change in nanoseconds."""
    status = file.stat()
    return [status.st_size, status.st_mtime_ns]
