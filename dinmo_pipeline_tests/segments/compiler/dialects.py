"""The SQL of a set of segments in each dialect, as files that a person can read: `golden/<dialect>.sql`.

`python -m dinmo_pipeline_tests.segments.compiler.dialects` writes them anew; review what changed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa

from dinmo_pipeline.config.declarations.conditions import (
    AllOf,
    AnyOf,
    Condition,
    Duration,
    Not,
    Relative,
)
from dinmo_pipeline.segments import ColumnType, MissingTableError, Table, select_members
from dinmo_pipeline_tests.segments.declaring import (
    field,
    in_segment,
    listed,
    model,
    project,
    related,
    segment,
)

FOLDER = Path(__file__).with_name("golden")
DIALECTS = ("duckdb", "postgres", "redshift", "snowflake", "bigquery", "databricks")
NOW = datetime(2026, 3, 15, 12, 0, tzinfo=UTC)

CUSTOMERS = {
    "id": ColumnType("integer", "integer"),
    "email": ColumnType("text", "text"),
    "spent": ColumnType("decimal", "decimal(10, 2)"),
    "vip": ColumnType("boolean", "boolean"),
    "born": ColumnType("date", "date"),
    "seen": ColumnType("timestamp", "timestamp"),
    "bought": ColumnType("timestamptz", "timestamptz"),
}
ORDERS = {
    "order_id": ColumnType("integer", "integer"),
    "shop": ColumnType("integer", "integer"),
    "customer_id": ColumnType("integer", "integer"),
    "amount": ColumnType("decimal", "decimal(10, 2)"),
    "day": ColumnType("date", "date"),
}
LINES = {
    "order_id": ColumnType("integer", "integer"),
    "shop": ColumnType("integer", "integer"),
    "pieces": ColumnType("integer", "integer"),
}


@dataclass(frozen=True)
class DescribedSource:
    """A description of a warehouse: enough to compile for, but not to run on."""

    dialect: str
    tables: Mapping[str, Mapping[str, ColumnType]]

    def table(self, name: str) -> Table:
        """A table of the description."""
        if name not in self.tables:
            raise MissingTableError(name, ())
        return Table(tuple(name.split(".")), self.tables[name])

    def columns(self, table: str) -> Mapping[str, ColumnType]:
        """Its columns."""
        return self.table(table).columns

    def judge(self, select: str) -> None:
        """Every text is fine here."""
        assert select

    def query_columns(self, sql: str) -> Mapping[str, ColumnType]:
        """Every query gives customers here."""
        assert sql
        return CUSTOMERS

    def batches(self, sql: str) -> pa.RecordBatchReader:
        """There is nothing to run on."""
        raise NotImplementedError(sql)

    def count(self, sql: str) -> int:
        """There is nothing to run on."""
        raise NotImplementedError(sql)

    def explain(self, sql: str) -> str:
        """There is nothing to run on."""
        raise NotImplementedError(sql)


WRITTEN = "WITH c AS (SELECT * FROM crm.customers) SELECT * FROM c WHERE id > 5 -- old"
TABLES = {
    "crm.customers": CUSTOMERS,
    "orders": ORDERS,
    "lines": LINES,
    "analytics.trialists": CUSTOMERS,
    "select": CUSTOMERS,
}
MODELS = (
    model("customers", "crm.customers", primary_key="id", orders=("orders", {"id": "customer_id"})),
    model("orders", primary_key="order_id", lines=("lines", {"order_id": "order_id", "shop": "shop"})),
    model("lines"),
)

CONDITIONS: dict[str, Condition] = {
    "equals": field("email", equals='it\'s \\ "x" % _ `é`\n'),
    "not equals": field("email", not_equals="a@b.c"),
    "in": field("id", in_=[1, -2]),
    "not in": field("email", not_in=["a", "b"]),
    "between": field("spent", between=[Decimal("-1.50"), Decimal(1000)]),
    "contains": field("email", contains="100%_\\"),
    "starts with, ignoring case": field("email", starts_with="Ab", ignore_case=True),
    "ends with": field("email", ends_with=".fr"),
    "is set": field("email", is_set=True),
    "is blank": field("spent", is_blank=True),
    "is true": field("vip", is_true=None),
    "not in any": Not(AnyOf((field("vip", is_false=None), field("id", at_least=3)))),
    "a day of dates": field("born", on=date(2026, 3, 1)),
    "a day of timestamps": field("seen", on=date(2026, 3, 1)),
    "a day of instants": field("bought", on=date(2026, 3, 1)),
    "a time": field("seen", before=datetime(2026, 3, 1, 9, 30, 0, 125000, tzinfo=UTC)),
    "within last": field("bought", within_last=Duration(2, "weeks")),
    "within next": field("born", within_next=Duration(1, "months")),
    "hours": field("bought", after=Relative(-2, "hours")),
    "anniversary": field("bought", anniversary_within_next=Duration(1, "weeks")),
    "exists": related("exists", "orders", where=field("amount", greater_than=10)),
    "none, two steps": related("none", "orders.lines", where=field("pieces", at_least=2)),
    "count": related("count", "orders", at_least=2, where=field("day", within_last=Duration(1, "years"))),
    "count, also of nothing": related("count", "orders", at_most=2),
    "count distinct": related("count_distinct", "orders.shop", greater_than=1),
    "sum of two steps": related("sum", "orders.lines.pieces", greater_than=100),
    "not that average": Not(related("avg", "orders.amount", less_than=5)),
    "latest": related("max", "orders.day", before=Relative(-90, "days")),
    "last": related("last", "orders.amount", by="day", at_least=5),
    "two columns": related("exists", "orders", where=related("count", "lines", at_least=2)),
    "in segment": AllOf((in_segment("churned"), Not(in_segment("listed")))),
}
PROJECT = project(
    *MODELS,
    segment("churned", WRITTEN),
    listed("listed", "analytics.trialists"),
    listed("reserved", "select"),
    *(segment(key, condition, over="customers") for key, condition in CONDITIONS.items()),
)


def statements(dialect: str) -> dict[str, str]:
    """The SELECT of each segment."""
    source = DescribedSource(dialect, TABLES)
    return {
        key: select_members(PROJECT, key, "email", source, now=NOW, timezone="Europe/Paris")
        for key in PROJECT.segments
    }


def golden(dialect: str) -> str:
    """The file of a dialect."""
    return "\n".join(f"-- {key}\n{sql};\n" for key, sql in statements(dialect).items())


if __name__ == "__main__":
    for each in DIALECTS:
        (FOLDER / f"{each}.sql").write_bytes(golden(each).encode())
