"""Writes the files of a new project, and overwrites none."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import click

_PRIVATE = frozenset({".env"})


@dataclass
class Written:
    """The files that were made, extended, or left as they were."""

    made: list[Path] = field(default_factory=list)
    extended: list[Path] = field(default_factory=list)
    kept: list[Path] = field(default_factory=list)


def refuse_existing(files: Iterable[Path]) -> None:
    """Refuse to go on if a file is there, before anything is written.

    Raises:
        click.UsageError: with every one of them.
    """
    existing = [str(file) for file in files if file.exists() or file.is_symlink()]
    if existing:
        raise click.UsageError(
            f"`dinmo init` overwrites nothing, and there is already {' and '.join(existing)}. Choose another"
            " folder, or move what is there."
        )


def write_new(folder: Path, texts: Mapping[str, str], written: Written) -> None:
    """Write each file that is not there yet.

    Raises:
        click.ClickException: one cannot be written.
    """
    for name, text in texts.items():
        file = folder / name
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("x", encoding="utf-8") as opened:
                if file.name in _PRIVATE:
                    file.chmod(0o600)
                opened.write(text)
        except FileExistsError:
            written.kept.append(file)
        except OSError as error:
            raise click.ClickException(f"{file} cannot be written: {error.strerror}.") from error
        else:
            written.made.append(file)


def ignore(folder: Path, patterns: Iterable[str], written: Written) -> None:
    """Make .gitignore, or add the lines to it that it lacks."""
    file = folder / ".gitignore"
    try:
        before = file.read_text("utf-8")
    except FileNotFoundError:
        write_new(folder, {file.name: "".join(f"{each}\n" for each in patterns)}, written)
        return
    except (OSError, UnicodeDecodeError) as error:
        raise click.ClickException(f"{file} cannot be read: {error}.") from error
    present = {line.strip().strip("/") for line in before.splitlines()}
    missing = [each for each in patterns if each.strip("/") not in present]
    if missing:
        gap = "" if not before or before.endswith("\n") else "\n"
        with file.open("a", encoding="utf-8") as opened:
            opened.write(gap + "".join(f"{each}\n" for each in missing))
        written.extended.append(file)
