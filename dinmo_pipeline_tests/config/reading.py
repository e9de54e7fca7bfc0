"""Declarations as text, read the way a user's are."""

import tempfile
from dataclasses import replace
from pathlib import Path

from dinmo_pipeline.config import ConfigError, Problem, load_project
from dinmo_pipeline.config.declarations import Project
from dinmo_pipeline.config.declarations.conditions import Condition

SOURCE_AND_STATE = """\
source: {type: duckdb, database: warehouse.duckdb}
state: {database: state.duckdb}
"""
DESTINATION = "destinations: {main: {access_token: {env: INTERCOM_ACCESS_TOKEN}}}\n"
MODELS = """\
models:
  customers: {key: customer_id, relations: {orders: {model: orders, join: customer_id}}}
  orders: {key: order_id, relations: {lines: {model: order_lines, join: order_id}}}
  order_lines: {table: shop.order_lines}
"""


def load(text: str) -> Project:
    """The project in a file `project.yaml` with this text."""
    return load_files({"project.yaml": text}, "project.yaml")


def load_partly(text: str) -> Project:
    """The project in a file with this text, without what cannot be used."""
    return load_files({"project.yaml": text}, "project.yaml", partly=True)


def load_files(files: dict[str, str | bytes], path: str = "", *, partly: bool = False) -> Project:
    """The project at `path` in a new folder with these files."""
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            file = Path(folder, name)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content if isinstance(content, bytes) else content.encode())
        try:
            return load_project(Path(folder, path), partly=partly)
        except ConfigError as error:
            raise _without_folder(error, folder) from None


def _without_folder(error: ConfigError, folder: str) -> ConfigError:
    """The same problems with file names as from inside of the folder."""
    return ConfigError(tuple(_relative(problem, folder) for problem in error.problems))


def _relative(problem: Problem, folder: str) -> Problem:

    file = problem.place.file.removeprefix(folder).lstrip("/") or "."
    place = replace(problem.place, file=file)
    message = problem.message.replace(f"{folder}/", "")
    return replace(problem, place=place, message=message)


def refusal(text: str) -> ConfigError:
    """The error that a text is refused with."""
    return refusal_of_files({"project.yaml": text}, "project.yaml")


def refusal_of_files(files: dict[str, str | bytes], path: str = "") -> ConfigError:
    """The error that files are refused with."""
    try:
        load_files(files, path)
    except ConfigError as error:
        return error
    raise AssertionError("the declarations were accepted")


def messages(text: str) -> list[str]:
    """The sentences of a refusal."""
    return [problem.message for problem in refusal(text).problems]


def with_where(where: str) -> str:
    """A project whose only segment has this condition, in YAML."""
    segment = f"segments: {{s: {{model: customers, where: {where}}}, t: {{table: t}}}}\n"
    return SOURCE_AND_STATE + MODELS + segment


def condition(where: str) -> Condition:
    """The condition written as `where`."""
    found = load(with_where(where)).segments["s"].where
    assert found is not None
    return found
