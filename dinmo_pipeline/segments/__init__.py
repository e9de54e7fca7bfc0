"""A declared segment becomes one SELECT of identifiers in the dialect of the source, then Arrow batches."""

from dinmo_pipeline.segments.errors import MissingTableError, SegmentError, SourceError
from dinmo_pipeline.segments.members import (
    IDENTIFIER,
    ActivatedSelect,
    refuse_unfit_numbers,
    select_activated,
    select_members,
)
from dinmo_pipeline.segments.sources.opening import OpenSource, open_source
from dinmo_pipeline.segments.sql.columns import ColumnKind, ColumnType, Table

__all__ = [
    "IDENTIFIER",
    "ActivatedSelect",
    "ColumnKind",
    "ColumnType",
    "MissingTableError",
    "OpenSource",
    "SegmentError",
    "SourceError",
    "Table",
    "open_source",
    "refuse_unfit_numbers",
    "select_activated",
    "select_members",
]
