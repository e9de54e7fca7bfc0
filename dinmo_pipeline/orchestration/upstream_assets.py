"""Finds the assets of the Dagster project that fill the tables of segments, such as dbt models."""

from collections.abc import Iterable, Mapping, Sequence

import dagster as dg

from dinmo_pipeline.config.declarations import Project
from dinmo_pipeline.config.models import OWN_ASSETS
from dinmo_pipeline.segments.tables_read import table_id
from dinmo_pipeline.segments.upstream import KnownAsset, TableIndex, find_upstream

_TABLE_NAME = "dagster/table_name"


def with_upstream_found(project: Project, specs: Iterable[dg.AssetSpec] | None) -> Project:
    """The project with `upstream: auto` replaced by the assets that fill its tables.

    `specs` are the other assets of the Dagster project; the dbt manifest, if one is declared, has more. Where
    they are given, tables without an asset are logged; a command that does not know them cannot tell.
    """
    found = find_upstream(project, known_assets(specs or ()))
    for warning in found.warnings if specs is not None else ():
        dg.get_dagster_logger("dinmo_pipeline").warning(warning)
    return found.project


def upstream_of_tables(
    tables: Iterable[str], specs: Iterable[dg.AssetSpec]
) -> Mapping[str, Sequence[dg.AssetKey]]:
    """The assets that fill each table, by their metadata `dagster/table_name`, which dbt assets have.

    A table may be named without its schema or database, if that leaves one that it can be.
    """
    index = TableIndex((table_id(asset.table), asset.key) for asset in known_assets(specs))
    return {table: [dg.AssetKey(key.split("/")) for key in index.find(table).values] for table in tables}


def known_assets(specs: Iterable[dg.AssetSpec]) -> list[KnownAsset]:
    """The assets whose table is known; not the pipeline's own, which come after the segments."""
    found = []
    for spec in specs:
        table = spec.metadata.get(_TABLE_NAME)
        name = table.value if isinstance(table, dg.TextMetadataValue) else table
        if isinstance(name, str) and name and spec.key.path[-1] not in OWN_ASSETS:
            found.append(KnownAsset(spec.key.to_user_string(), name))
    return found
