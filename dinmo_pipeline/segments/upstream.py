"""Finds what fills the tables of segments, by the tables' names: `upstream: auto`, and the lineage of dbt."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from dinmo_pipeline.config.dbt.manifest import DbtNode, Manifest, ManifestError, read_manifest
from dinmo_pipeline.config.declarations import Model, Project, Segment
from dinmo_pipeline.config.models import table_name
from dinmo_pipeline.segments.tables_read import SqlTables, TableId, table_id

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Matched(Generic[Value]):
    """What is known of a table; if several tables may be meant, nothing, and their names."""

    values: tuple[Value, ...]
    may_be: tuple[str, ...] = ()


class TableIndex(Generic[Value]):
    """Finds tables by names that may leave out the schema or the database; case does not count."""

    def __init__(self, known: Iterable[tuple[TableId, Value]]) -> None:
        self._by_last: dict[str, dict[TableId, list[Value]]] = defaultdict(lambda: defaultdict(list))
        for table, value in known:
            folded = tuple(part.casefold() for part in table)
            self._by_last[folded[-1]][folded].append(value)

    def find(self, table: str) -> Matched[Value]:
        """Of the table with this name; otherwise of the only one that it may be.

        >>> index = TableIndex([(("shop", "marts", "customers"), 1), (("shop", "raw", "customers"), 2)])
        >>> index.find("Marts.Customers").values, index.find("customers").may_be
        ((1,), ('shop.marts.customers', 'shop.raw.customers'))
        """
        wanted = table_id(table)
        named = self._by_last.get(wanted[-1], {})
        if wanted in named:
            return Matched(tuple(named[wanted]))
        similar = [known for known in named if _agree(known, wanted)]
        if len(similar) == 1:
            return Matched(tuple(named[similar[0]]))
        return Matched((), tuple(map(table_name, similar)))


def _agree(one: TableId, other: TableId) -> bool:
    """Whether two names agree as far as both go."""
    length = min(len(one), len(other))
    return one[-length:] == other[-length:]


@dataclass(frozen=True, slots=True)
class KnownAsset:
    """A Dagster asset, by its key with '/' between the parts, and the table that it fills."""

    key: str
    table: str


@dataclass(frozen=True, slots=True)
class FoundUpstream:
    """A project in which `upstream: auto` is replaced by keys, and what a person should know of it."""

    project: Project
    warnings: tuple[str, ...] = ()


def find_upstream(project: Project, assets: Iterable[KnownAsset] = ()) -> FoundUpstream:
    """Add to the upstream of models and segments the assets that fill their tables.

    Assets of the Dagster project come first, since a translator may have given them other keys; then those
    that the dbt manifest names.
    """
    models = [each for each in project.models.values() if each.finds_upstream]
    segments = [each for each in project.segments.values() if each.finds_upstream]
    search = _Search(project, assets)
    with SqlTables(project) as sql_tables:
        found_models = {each.key: search.filled(each, "model", (each.table,)) for each in models}
        found_segments = {
            each.key: search.filled(each, "segment", sql_tables.named_by(each)) for each in segments
        }
    return FoundUpstream(
        replace(
            project,
            models={**project.models, **found_models},
            segments={**project.segments, **found_segments},
        ),
        search.warnings(),
    )


Declared = TypeVar("Declared", Model, Segment)


class _Search:
    """Finds assets by table, and notes the tables without one."""

    def __init__(self, project: Project, assets: Iterable[KnownAsset]) -> None:
        self._problems: list[str] = []
        self._unknown: dict[str, None] = {}
        manifest = self._manifest(project)
        nodes = manifest.nodes if manifest else ()
        self._indexes: tuple[TableIndex[str], ...] = (
            TableIndex((table_id(asset.table), asset.key) for asset in assets),
            TableIndex((node.table, node.asset) for node in nodes if node.table),
        )

    def _manifest(self, project: Project) -> Manifest | None:
        try:
            return read_manifest(project.dbt.manifest) if project.dbt else None
        except ManifestError as error:
            self._problems.append(f"{error.message} {error.hint}")
            return None

    def filled(self, declared: Declared, kind: str, tables: Iterable[str]) -> Declared:
        """The object with the assets of its tables among its upstream; nothing is left to find."""
        upstream = self._added(declared.upstream, tables, f"{kind} '{declared.key}'")
        return replace(declared, upstream=upstream, finds_upstream=False)

    def _added(self, listed: Iterable[str], tables: Iterable[str], subject: str) -> tuple[str, ...]:
        found = (key for table in tables for key in self._keys(table, subject))
        return tuple(dict.fromkeys((*listed, *found)))

    def _keys(self, table: str, subject: str) -> tuple[str, ...]:
        for index in self._indexes:
            matched = index.find(table)
            if matched.values:
                return matched.values
            if matched.may_be:
                names = " or ".join(matched.may_be)
                self._problems.append(
                    f"{subject}: the table '{table}' may be {names}, so no asset is taken for it."
                    " Write its schema, or list its assets as `upstream`."
                )
                return ()
        self._unknown[table] = None
        return ()

    def warnings(self) -> tuple[str, ...]:
        """A sentence about each thing that was not found."""
        if not self._unknown:
            return tuple(self._problems)
        unknown = (
            f"upstream: auto found no asset that fills {', '.join(self._unknown)}. An asset is found by its"
            " metadata `dagster/table_name`, or in the manifest of `dbt`."
        )
        return (*self._problems, unknown)


@dataclass(frozen=True, slots=True)
class DbtLineage:
    """The dbt nodes behind a segment, and its other tables, each with the names that it may stand for."""

    nodes: tuple[DbtNode, ...]
    others: Mapping[str, tuple[str, ...]]


def dbt_lineage(project: Project, manifest: Manifest) -> Mapping[str, DbtLineage]:
    """What each activation's segment reads of a dbt project, by the activation's key."""
    index = TableIndex((node.table, node) for node in manifest.nodes if node.table)
    lineages: dict[str, DbtLineage] = {}
    with SqlTables(project) as sql_tables:
        for activation in project.activations.values():
            tables = sql_tables.read_by(project, activation.segment)
            matches = {table: index.find(table) for table in tables}
            nodes = dict.fromkeys(node for matched in matches.values() for node in matched.values)
            lineages[activation.key] = DbtLineage(
                tuple(nodes), {table: each.may_be for table, each in matches.items() if not each.values}
            )
    return lineages
