"""Writes the files of a new project, and overwrites none."""

import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import click
from dotenv import dotenv_values

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
    if not file.exists():
        write_new(folder, {file.name: "".join(f"{each}\n" for each in patterns)}, written)
        return
    present = {line.strip().strip("/") for line in _text(file).splitlines()}
    _extend(file, [each for each in patterns if each.strip("/") not in present], written)


def add_variables(folder: Path, text: str, written: Written) -> None:
    """Make .env, or add to it the variables that it lacks, each on a line of its own."""
    file = folder / ".env"
    if not file.exists():
        write_new(folder, {file.name: text}, written)
        return
    present = dotenv_values(stream=io.StringIO(_text(file)))
    named = (line.partition("=")[0] for line in text.splitlines())
    lines = zip(named, text.splitlines(), strict=True)
    missing = [line for name, line in lines if name.isidentifier() and "=" in line and name not in present]
    _extend(file, missing, written)


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise click.ClickException(f"{file} cannot be read: {error}.") from error


def _extend(file: Path, lines: Sequence[str], written: Written) -> None:
    if not lines:
        written.kept.append(file)
        return
    before = _text(file)
    gap = "" if not before or before.endswith("\n") else "\n"
    try:
        with file.open("a", encoding="utf-8") as opened:
            opened.write(gap + "".join(f"{each}\n" for each in lines))
    except OSError as error:
        raise click.ClickException(f"{file} cannot be written: {error.strerror}.") from error
    written.extended.append(file)
