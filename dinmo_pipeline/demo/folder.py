"""The demo's own folder: the demo deletes only the files that it made there."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb

_MANIFEST: Final = "made-by-dinmo-demo.json"
# Files beside a state file that belong to it: write-ahead log, journal, locks.
_STATE_COMPANIONS: Final = (".wal", ".journal", ".locks")


class NotTheDemoError(Exception):
    """Something in the demo's place is the user's own; the message says what, and what to do."""


@dataclass(frozen=True)
class DemoFolder:
    """The folder that holds the demo's declarations, its warehouse and its state.

    A manifest lists the files that the demo made, with their size and time of change: the user may have
    put another file in the place of one. A state with a destination other than the demo's is left alone
    for the same reason.
    """

    path: Path
    destination: str

    @property
    def warehouse(self) -> Path:
        """The shop's DuckDB file."""
        return self.path / "warehouse.duckdb"

    @property
    def declarations(self) -> Path:
        """The folder of the shop's declarations, a copy of the package's."""
        return self.path / "declarations"

    @property
    def env_file(self) -> Path:
        """The file with the access token, which the emulator takes whatever it is."""
        return self.path / ".env"

    @property
    def state(self) -> Path:
        """The state file of the demo's syncs."""
        return self.path / "state.duckdb"

    def clear(self) -> None:
        """Delete what an earlier demo made here, and nothing else.

        Raises:
            NotTheDemoError: a file in the way is not the demo's, or is in use. Nothing was deleted.
        """
        texts = self._texts()
        objections = (self._objection_to(file) for file in (self.warehouse, *texts))
        for objection in (*objections, self._objection_to_state()):
            if objection:
                raise NotTheDemoError(f"{objection} Nothing was deleted.")
        for file in (self.warehouse, *texts):
            file.unlink(missing_ok=True)
        for file in _with_companions(self.state):
            if file.is_dir():
                shutil.rmtree(file)
            else:
                file.unlink(missing_ok=True)
        self._write_manifest({})

    @contextmanager
    def making(self, file: Path) -> Iterator[None]:
        """List a file in the manifest, before the block makes it: a killed demo leaves no file unlisted."""
        name = self._listed_name(file)
        self._write_manifest({**self._manifest(), name: None})
        yield
        self._write_manifest({**self._manifest(), name: _fingerprint(file)})

    def write(self, file: Path, text: str) -> None:
        """Make a text file."""
        file.parent.mkdir(parents=True, exist_ok=True)
        with self.making(file):
            file.write_text(text, "utf-8")

    def _listed_name(self, file: Path) -> str:
        return file.relative_to(self.path).as_posix()

    def _texts(self) -> tuple[Path, ...]:
        """The declarations in the folder, whoever made them, and the `.env` file beside them."""
        declarations = sorted(self.declarations.rglob("*")) if self.declarations.is_dir() else ()
        return (*(file for file in declarations if not file.is_dir()), self.env_file)

    def _objection_to(self, file: Path) -> str | None:
        if not _exists(file):
            return None
        manifest, name = self._manifest(), self._listed_name(file)
        if name not in manifest or not _is_plain_file(file):
            return _not_ours(file)
        if manifest[name] not in (None, _fingerprint(file)):
            return f"{file} has changed since the demo made it. {_MOVE_IT}"
        return None

    def _objection_to_state(self) -> str | None:
        existing = [file for file in _with_companions(self.state) if _exists(file)]
        if not existing:
            return None
        if self.state.name not in self._manifest():
            return _not_ours(existing[0])
        if existing[0] != self.state:
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
                f"Cannot read {self.state}. Close the program that uses it, such as the Dagster UI,"
                " or delete the file yourself."
            )
        others = sorted({destination for (destination,) in rows} - {self.destination})
        if others:
            return f"{self.state} holds tagged contacts of destination {others[0]!r}. {_MOVE_IT}"
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


_MOVE_IT: Final = "Move it elsewhere, then run the demo again."


def _not_ours(file: Path) -> str:
    return f"{file} was not made by the demo. {_MOVE_IT}"


def _with_companions(state: Path) -> tuple[Path, ...]:
    return (state, *(Path(f"{state}{suffix}") for suffix in _STATE_COMPANIONS))


def _is_plain_file(file: Path) -> bool:
    return file.is_file() and not file.is_symlink()


def _exists(file: Path) -> bool:
    return file.exists() or file.is_symlink()  # a broken link, too


def _fingerprint(file: Path) -> list[int]:
    """Size in bytes, and time of the last change in nanoseconds."""
    status = file.stat()
    return [status.st_size, status.st_mtime_ns]
