"""Short ways to write declarations in a test."""

from pathlib import Path
from typing import Any, Literal

from dinmo_pipeline.config.declarations import (
    EnvironmentVariable,
    Join,
    Model,
    Project,
    Relation,
    Segment,
    Source,
    State,
)
from dinmo_pipeline.config.declarations.conditions import (
    Condition,
    FieldCondition,
    InSegment,
    Measure,
    RelatedCondition,
    Test,
)
from dinmo_pipeline.config.strict_yaml.problems import Place

HERE = Place("segments.yaml", 7, 3)
MODELS = Place("models.yaml", 2, 1)


def field(name: str, *, ignore_case: bool = False, **test: Any) -> FieldCondition:
    """`field("country", equals="FR")`."""
    return FieldCondition(name, _test(test, ignore_case=ignore_case), HERE)


def related(
    measure: Measure,
    path: str,
    *,
    by: str | None = None,
    where: Condition | None = None,
    **test: Any,
) -> RelatedCondition:
    """`related("sum", "orders.lines.amount", greater_than=10)`; the path may end in a column."""
    *relations, last = path.split(".")
    if measure in ("exists", "none", "count"):
        relations, column = [*relations, last], None
    else:
        column = last
    return RelatedCondition(measure, tuple(relations), column, by, where, _test(test) if test else None, HERE)


def in_segment(key: str) -> InSegment:
    """`in_segment("churned")`."""
    return InSegment(key, HERE)


def _test(words: dict[str, Any], *, ignore_case: bool = False) -> Test:
    ((operator, value),) = words.items()
    operator = {"in_": "in"}.get(operator, operator)
    value = tuple(value) if isinstance(value, list) else value
    return Test(operator, value, ignore_case=ignore_case)


def model(
    key: str,
    table: str | None = None,
    *,
    primary_key: str | None = None,
    **relations: tuple[str, dict[str, str]],
) -> Model:
    """`model("customers", primary_key="id", orders=("orders", {"id": "customer_id"}))`."""
    declared = {name: Relation(to, Join(tuple(pairs.items()))) for name, (to, pairs) in relations.items()}
    return Model(key, table or key, primary_key, declared, (), MODELS)


def segment(key: str, of: str | Condition, *, over: str | None = None) -> Segment:
    """A segment by its `where` over a model, or by its `sql`."""
    sql, where = (of, None) if isinstance(of, str) else (None, of)
    return Segment(key, key.title(), None, over, where, sql, None, (), HERE)


def listed(key: str, table: str) -> Segment:
    """A segment by its `table`."""
    return Segment(key, key.title(), None, None, None, None, table, (), HERE)


def project(*declared: Model | Segment) -> Project:
    """A project of some models and segments."""
    return Project(
        Source("duckdb", Path("unused.duckdb"), None, HERE),
        State("state.duckdb"),
        {},
        {each.key: each for each in declared if isinstance(each, Model)},
        {each.key: each for each in declared if isinstance(each, Segment)},
        {},
    )


def duckdb_file(path: Path) -> Source:
    """A DuckDB file as source."""
    return Source("duckdb", path, None, HERE)


def folder(type_: Literal["parquet", "csv"], path: Path) -> Source:
    """A folder of files as source."""
    return Source(type_, path, None, HERE)


def postgres() -> Source:
    """PostgreSQL as source."""
    return Source("postgres", None, EnvironmentVariable("WAREHOUSE_URI"), HERE)
