"""Activations as the declarations create them, and rows as a source streams them."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import duckdb
import pyarrow as pa

from dinmo_pipeline.config.declarations import Activation, MatchBy
from dinmo_pipeline.config.strict_yaml.problems import Place
from dinmo_pipeline.state.membership import Stage, StagedMembers, stage_members

NOW = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)


def activation(key: str = "vip", **settings: Any) -> Activation:
    """An activation with the built-in defaults."""
    defaults: dict[str, Any] = {
        "segment": "vip",
        "destination": "main",
        "name": "VIP",
        "column": "email",
        "place": Place("activations.yaml", 1, 1),
    }
    return Activation(key=key, **{**defaults, **settings})


def rows_of(identifiers: Iterable[str | None], *, rows_a_batch: int = 1_000_000) -> pa.RecordBatchReader:
    """A stream of one text column `identifier`."""
    table = pa.table({"identifier": pa.array(identifiers, pa.string())})
    return table.to_reader(max_chunksize=rows_a_batch)


def staged(
    rows: pa.RecordBatchReader,
    match_by: MatchBy,
    *,
    now: datetime = NOW,
    identifier_type: str | None = None,
) -> Stage:
    """Rows in place of a source; they are read once."""

    def stage(connection: duckdb.DuckDBPyConnection) -> StagedMembers:
        stage_members(connection, rows, match_by)
        return StagedMembers(now, identifier_type)

    return stage
