"""`dinmo init`: make the files of a new project, from flags or from a person's answers."""

import os
import re
import sys
import tempfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, get_args

import click

from dinmo_pipeline.cli.dagster_home import SETTINGS_NAME, default_settings, make_dagster_home
from dinmo_pipeline.cli.messages import echo, report
from dinmo_pipeline.cli.new_project.answers import Answers, Region
from dinmo_pipeline.cli.new_project.declarations import SCHEMA_FILE, declarations_text, schema_line
from dinmo_pipeline.cli.new_project.dg_project import DECLARATIONS, dg_project
from dinmo_pipeline.cli.new_project.surroundings import (
    IGNORED,
    MODULE_FILES,
    PYPROJECT,
    env_example,
    env_text,
    workspace,
)
from dinmo_pipeline.cli.new_project.writing import (
    Written,
    add_variables,
    ignore,
    refuse_existing,
    write_new,
)
from dinmo_pipeline.cli.project import json_text
from dinmo_pipeline.config import DgProject, json_schema, load_project
from dinmo_pipeline.config.declarations import Source
from dinmo_pipeline.config.declarations.activations import MatchBy
from dinmo_pipeline.config.declarations.warehouse import SourceType
from dinmo_pipeline.config.locating import NAMES
from dinmo_pipeline.config.strict_yaml.problems import Place

if TYPE_CHECKING:
    from dinmo_pipeline.segments.proposal import Proposal

_FILE: Final = NAMES[0]
_SOURCES: Final[tuple[SourceType, ...]] = get_args(SourceType)
_LOCAL: Final = frozenset({"duckdb", "parquet", "csv"})
_STATE: Final = "state.duckdb"
_COMPONENT_NAME: Final = re.compile("[A-Za-z_][A-Za-z0-9_]*")
_MAX_TABLES_SHOWN: Final = 10


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), default=".")
@click.option("--source", metavar="TYPE[:PATH]", help=f"{', '.join(_SOURCES)}; the first three with a path.")
@click.option("--table", help="The table of people; by default the likeliest of the DuckDB file.")
@click.option("--key", help="The column that identifies a row of it.")
@click.option("--column", help="The column with the email or the user id that Intercom knows.")
@click.option("--match-by", type=click.Choice(get_args(MatchBy)), help="What that column holds.")
@click.option(
    "--region", type=click.Choice(get_args(Region)), help="Of the workspace; without it, a local Intercom."
)
@click.option("--sample", is_flag=True, help="Use the demo's shop instead of a source of your own.")
@click.option("--component", metavar="NAME", help="Add a component to the `dg` project in FOLDER instead.")
def init(
    folder: Path,
    *,
    source: str | None,
    table: str | None,
    key: str | None,
    column: str | None,
    match_by: MatchBy | None,
    region: Region | None,
    sample: bool,
    component: str | None,
) -> None:
    r"""Make a project in FOLDER: declarations, and what Dagster, git and your editor need beside them.

    Asks for what the options leave open, if there is a terminal. Overwrites nothing.

    \b
    Examples:
      dinmo init
      dinmo init my_project --sample
    """
    if sample:
        if source or table or key or column or match_by or region or component:
            raise click.UsageError("--sample brings its own source and declarations. Leave out the others.")
        _make_sample(folder)
        return
    into = dg_project(folder) if component else None
    if component and not _COMPONENT_NAME.fullmatch(component):
        raise click.UsageError(f"{component!r} cannot name a component. Use letters, digits and '_'.")
    declarations = into.defs / str(component) / DECLARATIONS if into else folder
    # Refuse before a person answers questions for nothing.
    refuse_existing([folder / name for name in NAMES] if into is None else [declarations.parent])
    asks = source is None and bool(sys.stdin and sys.stdin.isatty())
    if source is None:
        if not asks:
            raise click.UsageError(
                "Name your warehouse with --source, such as --source duckdb:shop.duckdb, or use --sample."
            )
        source = _ask_for_source()
    source_type, path = _read_source(source)
    proposed = _propose(source_type, path, table, column)
    if asks:
        proposed = _ask_about(proposed)
        region = region or _ask_for_region()
    answers = Answers(
        source=source_type,
        location=_from(declarations, path) if path else None,
        state=_from(declarations, folder / (f"{component}_{_STATE}" if into else _STATE)),
        table=proposed.table,
        key=key or proposed.key,
        column=column or proposed.column,
        match_by=match_by or proposed.match_by,
        region=region,
        in_project=into is not None,
    )
    text = declarations_text(answers)
    _require_right(text)
    if into:
        _add_component(into, declarations, text, answers)
    else:
        _make_project(folder, text, answers)


def _make_project(folder: Path, text: str, answers: Answers) -> None:
    written = Written()
    write_new(folder, {_FILE: text, SCHEMA_FILE: json_text(json_schema())}, written)
    _surround(folder, written, answers, ignored=IGNORED)
    _report(folder, written, is_local=answers.region is None)


def _make_sample(folder: Path) -> None:
    from dinmo_pipeline.demo.project import declared_texts  # noqa: PLC0415  # imports DuckDB
    from dinmo_pipeline.demo.warehouse import build_warehouse  # noqa: PLC0415

    warehouse = folder / "warehouse.duckdb"
    refuse_existing([*(folder / name for name in NAMES), warehouse])
    line = schema_line(f"../{SCHEMA_FILE}")
    texts = {f"declarations/{name}": line + text for name, text in declared_texts().items()}
    written = Written()
    write_new(folder, {**texts, SCHEMA_FILE: json_text(json_schema())}, written)
    build_warehouse(warehouse, 1, datetime.now(UTC).date())
    written.made.append(warehouse)
    _surround(folder, written, None, ignored=(*IGNORED, "warehouse.duckdb*"))
    _report(folder, written, is_local=True)


def _surround(folder: Path, written: Written, answers: Answers | None, *, ignored: tuple[str, ...]) -> None:
    """Make the files around the declarations; `answers` is None for the sample."""
    needs_uri = answers is not None and answers.location is None
    is_local = answers is None or answers.region is None
    has_module = not (folder / "pyproject.toml").exists()
    texts = {
        SETTINGS_NAME: default_settings(),
        "workspace.yaml": workspace(has_module=has_module),
        ".env.example": env_example(needs_uri=needs_uri),
    }
    if has_module:
        texts |= {"pyproject.toml": PYPROJECT, **MODULE_FILES}
    write_new(folder, texts, written)
    home = make_dagster_home(folder.resolve())
    add_variables(folder, env_text(home, is_local=is_local, needs_uri=needs_uri), written)
    ignore(folder, ignored, written)


def _add_component(into: DgProject, declarations: Path, text: str, answers: Answers) -> None:
    from dinmo_pipeline.component.scaffolding import component_text  # noqa: PLC0415  # imports Dagster

    written = Written()
    component = declarations.parent
    write_new(
        component,
        {
            "defs.yaml": component_text(component.name, f"{DECLARATIONS}/"),
            f"{DECLARATIONS}/{_FILE}": text,
            f"{DECLARATIONS}/{SCHEMA_FILE}": json_text(json_schema()),
        },
        written,
    )
    needs_uri = answers.location is None
    write_new(into.folder, {".env.example": env_example(needs_uri=needs_uri)}, written)
    env = env_text(None, is_local=answers.region is None, needs_uri=needs_uri)
    add_variables(into.folder, env, written)
    ignore(into.folder, IGNORED, written)
    _report(into.folder, written, is_local=answers.region is None)


def _report(folder: Path, written: Written, *, is_local: bool) -> None:
    for verb, files in (("Made", written.made), ("Added lines to", written.extended), ("Kept", written.kept)):
        if files:
            names = ", ".join(os.path.relpath(file, folder) for file in files)
            echo(f"{verb} {names}.")
    there = "" if folder.resolve() == Path.cwd() else f"cd {folder} && "
    if is_local:
        echo(f"Next: {there}dinmo dev --emulator")
    else:
        echo(f"Next: set the variables in .env, then {there}dinmo check --online")


def _require_right(text: str) -> None:
    """Check the declarations before they are written: a name may hold what none of ours may.

    Raises:
        ConfigError: with every problem.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / _FILE
        file.write_text(text, "utf-8")
        load_project(file)


def _read_source(text: str) -> tuple[SourceType, Path | None]:
    """The type and the absolute path of `duckdb:warehouse.duckdb`."""
    name, _, path = text.partition(":")
    source_type = next((each for each in _SOURCES if each == name), None)
    if source_type is None:
        raise click.UsageError(f"{name!r} is not a kind of source. Choose from {', '.join(_SOURCES)}.")
    if source_type not in _LOCAL:
        if path:
            raise click.UsageError(
                f"A {source_type} source has no path. Its connection URI goes into .env, for its password."
            )
        return source_type, None
    if not path:
        raise click.UsageError(f"Where is it? For example --source {source_type}:warehouse.")
    found = Path(path).expanduser().absolute()
    if not found.exists() or found.is_dir() != (source_type != "duckdb"):
        kind = "file" if source_type == "duckdb" else "folder"
        raise click.UsageError(f"There is no {kind} {found}.")
    return source_type, found


def _propose(source_type: SourceType, path: Path | None, table: str | None, column: str | None) -> "Proposal":
    """What to declare, as far as the source shows it; what a person named wins.

    Raises:
        click.UsageError: nothing can be proposed, or the table is not there.
        SourceError: the source cannot be read.
    """
    from dinmo_pipeline.segments import open_source  # noqa: PLC0415  # 0.3 s to import
    from dinmo_pipeline.segments.proposal import Proposal, proposals, tables_of  # noqa: PLC0415

    if path is None or source_type != "duckdb":
        if not table or not column:
            raise click.UsageError("Name the table of your users with --table, and its column with --column.")
        return Proposal(table, None, column, _kind_of(column))
    source = Source(source_type, path, None, Place("", 1, 1))
    with open_source(source, uri=None, on_wait=report) as opened:
        tables = tables_of(opened)
    if table and table not in tables:
        raise click.UsageError(f"There is no table {table!r} in {path}. It has {_listed(tables)}.")
    chosen = proposals({table: tables[table]} if table else tables)
    if chosen:
        return chosen[0]
    if table and column:
        return Proposal(table, None, column, _kind_of(column))
    where = f"the table {table!r}" if table else str(path)
    raise click.UsageError(
        f"No column of {where} looks like an email. Name the table and the column of the identifier with"
        f" --table and --column. Tables: {_listed(tables)}."
    )


def _kind_of(column: str) -> MatchBy:
    return "email" if "mail" in column.lower() else "user_id"


def _listed(tables: dict[str, list[str]]) -> str:
    names = list(tables)[:_MAX_TABLES_SHOWN]
    return ", ".join(names) + (", …" if len(tables) > len(names) else "") if names else "no tables"


def _from(folder: Path, path: Path) -> str:
    """A path as the declarations in a folder name it."""
    return Path(os.path.relpath(path.absolute(), folder.absolute())).as_posix()


def _ask_for_source() -> str:
    kind = click.prompt("Where are your users?", type=click.Choice(_SOURCES), default="duckdb", err=True)
    if kind not in _LOCAL:
        return str(kind)
    what = "Which file" if kind == "duckdb" else "Which folder"
    return f"{kind}:{click.prompt(what, type=click.Path(exists=True, path_type=str), err=True)}"


def _ask_about(proposed: "Proposal") -> "Proposal":
    table = click.prompt("Table of users", default=proposed.table, err=True)
    column = click.prompt("Column that Intercom knows them by", default=proposed.column, err=True)
    match_by = click.prompt(
        "Is that an email or a user id?",
        type=click.Choice(get_args(MatchBy)),
        default=proposed.match_by,
        err=True,
    )
    key = click.prompt("Column that identifies a row", default=proposed.key or "", err=True)
    return replace(proposed, table=table, key=key or None, column=column, match_by=match_by)


def _ask_for_region() -> Region | None:
    choices = ("local", *get_args(Region))
    answer = click.prompt(
        "Which Intercom? local: on this machine, to try it out",
        type=click.Choice(choices),
        default="local",
        err=True,
    )
    return next((region for region in get_args(Region) if region == answer), None)
