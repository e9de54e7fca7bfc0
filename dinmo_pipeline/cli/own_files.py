"""Files that a command writes on request: replaced whole, and never over one that it did not make."""

import tempfile
from pathlib import Path

import click

_HEAD = 4_000  # characters in which a file names its maker


def write_own_file(path: Path, text: str, *, marker: str, what: str) -> None:
    """Write a file, entirely or not at all; an earlier one is replaced if its head contains `marker`.

    Raises:
        click.ClickException: the file is somebody else's, or cannot be written.
    """
    try:
        if path.exists() and marker not in _head(path):
            raise click.ClickException(
                f"{path} exists and was not written by this command; it is left as it is."
                " Name another file, or delete that one."
            )
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, delete=False) as temporary:
            temporary.write(text)
        Path(temporary.name).chmod(path.stat().st_mode if path.exists() else 0o644)
        Path(temporary.name).replace(path)
    except OSError as error:
        raise click.ClickException(f"Cannot write {what} to {path}: {error.strerror}.") from error


def _head(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(_HEAD).decode(errors="replace")
