"""What a new project is about: the answers that its files are made from."""

from dataclasses import dataclass
from typing import Final, Literal

from dinmo_pipeline.config.declarations.activations import MatchBy
from dinmo_pipeline.config.declarations.warehouse import SourceType

Region = Literal["us", "eu", "au"]
TOKEN_VARIABLE: Final = "INTERCOM_ACCESS_TOKEN"  # noqa: S105  # its name
URI_VARIABLE: Final = "WAREHOUSE_URI"


@dataclass(frozen=True, slots=True)
class Answers:
    """The source, the people in it, and the workspace.

    Attributes:
        source: The kind of warehouse.
        location: The DuckDB file or the folder of files, as the declarations name it; None for others.
        state: The state file, as the declarations name it.
        table: The table of people, as the declarations name it.
        key: The column that identifies its rows, if any.
        column: The column with the identifier that Intercom knows.
        match_by: What that identifier is.
        region: Where the Intercom workspace is; None for a local Intercom.
        in_project: Whether they become part of a Dagster project, which may fill the tables.
    """

    source: SourceType
    location: str | None
    state: str
    table: str
    key: str | None
    column: str
    match_by: MatchBy
    region: Region | None
    in_project: bool = False
