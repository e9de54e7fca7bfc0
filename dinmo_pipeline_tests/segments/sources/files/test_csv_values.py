"""Text of a CSV file becomes a number, a day or a moment where a condition needs one, or it is refused."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dinmo_pipeline.config import load_project
from dinmo_pipeline.config.declarations import Project
from dinmo_pipeline.config.declarations.conditions import Condition, Duration
from dinmo_pipeline.segments import SegmentError, open_source, select_activated
from dinmo_pipeline_tests.segments.declaring import field, model, project, related, segment
from dinmo_pipeline_tests.segments.reading import NOON, members
from dinmo_pipeline_tests.segments.sources.files.reading import opened

YAML = """
source: {{type: csv, folder: warehouse}}
destinations: {{main: {{access_token: {{env: T}}, default_activation: {{timezone: {zone}}}}}}}
state: {{database: state.duckdb}}
models: {{customers: {model}}}
segments: {{chosen: {{{of}}}}}
activations: {{chosen: {{}}}}
"""


@pytest.fixture
def selected(tmp_path: Path) -> Callable[..., tuple[list[str], tuple[str, ...]]]:
    """The emails of a segment of a CSV file, and the remarks on it."""

    def select(
        text: str, of: str, *, model: str = "{}", zone: str = "UTC"
    ) -> tuple[list[str], tuple[str, ...]]:
        (tmp_path / "warehouse").mkdir(exist_ok=True)
        (tmp_path / "warehouse" / "customers.csv").write_text(text)
        path = tmp_path / "dinmo.yaml"
        path.write_text(YAML.format(of=of, model=model, zone=zone))
        declared = load_project(path)
        with open_source(declared.source, uri=None) as source:
            chosen = select_activated(declared, declared.activations["chosen"], source, now=NOON)
            found = source.batches(chosen.sql).read_all().column(0).to_pylist()
        return [email.partition("@")[0] for email in found], chosen.remarks

    return select


def where(condition: str) -> str:
    return f"model: customers, where: {{{condition}}}"


def file(column: str, *values: str) -> str:
    """A file with a row for each value; the emails are c0@x.test, c1@x.test and so on."""
    rows = [f'c{number}@x.test,"{value}"' for number, value in enumerate(values)]
    return "\n".join([f"email,{column}", *rows, ""])


US_DATES = [f"01/{day:02}/2026" for day in range(1, 10)]
JANUARY = where("field: signed_up, between: [2026-01-01, 2026-01-31]")
US_MODEL = '{fields: {signed_up: {type: date, format: "%m/%d/%Y"}}}'


def test_a_row_that_looks_like_a_comment_is_a_row(selected) -> None:
    """csv_hash_rows: twelve of twelve."""
    ids = [*(str(number) for number in range(1000, 1010)), "#1010", "#1011"]
    text = "last_order,email\n" + "".join(f"{id_},c{n}@x.test\n" for n, id_ in enumerate(ids))
    assert len(selected(text, "table: customers")[0]) == 12


@pytest.mark.parametrize(("dates", "members"), [(US_DATES, 9), ([*US_DATES, "01/13/2026"], 10)])
def test_dates_of_another_format_need_a_declared_one(selected, dates: list[str], members: int) -> None:
    """csv_us_dates: whether one of them can be no month does not change the others."""
    text = file("signed_up", *dates)
    with pytest.raises(SegmentError) as caught:
        selected(text, JANUARY)
    (problem,) = caught.value.problems
    assert problem.message == (
        f"In the column 'signed_up', {members} of {members} values are not a day or a moment in ISO 8601,"
        " such as '01/01/2026' (customers.csv, line 2)."
    )
    assert 'fields: {signed_up: {type: date, format: "%m/%d/%Y"}}' in str(problem.hint)
    assert len(selected(text, JANUARY, model=US_MODEL)[0]) == members


def test_utc_z_and_offsets_are_instants(selected) -> None:
    """csv_utc_suffix: the first of March in Paris, however the instant is written."""
    first_of_march = where("field: at, on: 2026-03-01")
    texts = [
        "2026-02-28 23:30:00 UTC",
        "2026-03-01T12:00:00Z",
        "2026-03-01 22:30:00+00",
        "2026-03-01 23:30:00 UTC",
        "2026-03-02T01:30:00,5+05:30",
        "2026-02-28 17:29 -0530",
        "2026-02-28 17:30 -0530",
        "2026-03-01 00:10",
        "2026-03-01",
    ]
    found, remarks = selected(file("at", *texts), first_of_march, zone="Europe/Paris")
    assert found == ["c0", "c1", "c2", "c4", "c6", "c7", "c8"]
    assert remarks == ()


def test_a_short_row_is_named(selected) -> None:
    """csv_short_row: by file and line, also if the segment does not read the missing column."""
    text = "email,plan,note\na@x.test,pro,hi\nb@x.test,pro,y\nc@x.test,free\n"
    with pytest.raises(Exception, match=r"customers\.csv, line 4: the row has 2 values instead of 3"):
        selected(text, "table: customers")


@pytest.mark.parametrize(
    ("condition", "values", "chosen"),
    [
        ("field: x, at_least: 10", ["9", "10", "10.0", "1e1", "+11", "", " 12 ", "009"], "c1 c2 c3 c4 c6"),
        ("field: x, equals: 7", ["7", "07", "7.00", "70"], "c0 c1 c2"),
        ("field: x, in: [1, 2]", ["1", "2", "3"], "c0 c1"),
        ('field: x, equals: "07"', ["7", "07"], "c1"),
        ("field: x, not_equals: 7", ["7", "8", ""], "c1 c2"),
        ("field: x, is: true", ["true", "f", "YES", "0", "1", ""], "c0 c2 c4"),
        ("field: x, equals: false", ["true", "f", "no"], "c1 c2"),
        ("field: x, is: blank", ["", " ", "x"], "c0 c1"),
        ("field: x, within_last: 7 days", ["2026-03-08", "2026-03-07", "2026-03-15", "2026-03-16"], "c0 c2"),
        ("field: x, within_last: 2 hours", ["2026-03-15 10:00", "2026-03-15 09:59"], "c0"),
        ("field: x, before: 2026-03-01", ["2026-02-28", "2026-03-01", "0001-01-01"], "c0 c2"),
        ('field: x, at_least: "2026-03-01"', ["2026-02-28", "2026-03-01"], "c1"),
        ("field: x, contains: '20'", ["2026", "x"], "c0"),
        ("field: x, anniversary: today", ["1999-03-15", "1999-03-16"], "c0"),
    ],
)
def test_a_condition_decides_what_the_text_is(
    selected, condition: str, values: list[str], chosen: str
) -> None:
    assert selected(file("x", *values), where(condition)) == (chosen.split(), ())


@pytest.mark.parametrize(
    ("format_", "condition", "values", "chosen"),
    [
        ("number", "at_least: 10", ["9", "10"], "c1"),
        ('{type: number, format: "1.234,56"}', "at_least: 1000.5", ["999,99", "1.000,50", "1000,5"], "c1 c2"),
        ('{type: number, format: "1.234,56"}', "at_most: -1000000", ["-1.000.000", "-1.000"], "c0"),
        ('{type: number, format: "1234,56"}', "less_than: 1", ["0,5", "1,0"], "c0"),
        ('{type: number, format: "1,234.56"}', "equals: 1234.5", ["1,234.50", "1234.5"], "c0 c1"),
        ('{type: number, format: "1 234,56"}', "equals: 1234.5", ["1 234,5"], "c0"),
        ('{type: date, format: "%d.%m.%Y"}', "on: 2026-03-01", ["01.03.2026", "03.01.2026"], "c0"),
        (
            '{type: timestamp, format: "%d %b %Y %H:%M"}',
            "at_least: 2026-03-01 12:00",
            ["1 Mar 2026 11:59", "1 Mar 2026 12:00"],
            "c1",
        ),
        (
            '{type: timestamp, format: "%Y/%m/%d %H:%M %z"}',
            "on: 2026-03-01",
            ["2026/02/28 23:30 -0100", "2026/02/28 23:30 +0000"],
            "c0",
        ),
        ("boolean", "is: true", ["Y", "n"], "c0"),
        ("text", 'equals: "1"', ["1", "01"], "c0"),
        ("timestamp", "on: 2026-03-01", ["2026-03-01T10:00:00Z", "2026-03-02"], "c0"),
    ],
)
def test_a_model_declares_a_format(
    selected, format_: str, condition: str, values: list[str], chosen: str
) -> None:
    found = selected(
        file("x", *values), where(f"field: x, {condition}"), model=f"{{fields: {{x: {format_}}}}}"
    )
    assert found == (chosen.split(), ())


def test_a_few_values_that_do_not_fit_count_as_blank(selected) -> None:
    """Up to one in a hundred; they are named, and above that the segment fails."""
    text = file("x", *["5"] * 198, "n/a", "unknown")
    found, remarks = selected(text, where("field: x, at_least: 1"))
    assert len(found) == 198
    assert remarks == (
        (
            "In the column 'x', 2 of 200 values are not a number, such as 'n/a' (customers.csv, line 200)."
            " They count as blank."
        ),
    )
    with pytest.raises(SegmentError, match=r"3 of 200 values are not a number") as caught:
        selected(file("x", *["5"] * 197, "n/a", "n/a", "n/a"), where("field: x, at_least: 1"))
    assert '{type: number, format: "1.234,56"}' in str(caught.value.problems[0].hint)


@pytest.mark.parametrize("value", ["ann@x.test", "123456", "b2f1a7c0-8d1e-4b7e-9f3a-1d2c3b4a5f6e"])
def test_a_value_that_may_identify_a_person_is_not_shown(selected, value: str) -> None:
    """The place is enough."""
    with pytest.raises(SegmentError) as caught:
        selected(file("x", value), where("field: x, before: 2026-01-01"))
    assert value not in str(caught.value)
    assert "(customers.csv, line 2)" in str(caught.value)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ("{x: {type: day}}", "`type` must be one of the allowed values"),
        ("{x: number2}", "must be one of the allowed values"),
        ('{x: {type: date, format: "MM/DD/YYYY"}}', "`format` must be a strptime format"),
        ('{x: {type: date, format: "%Q"}}', "`format` must be a strptime format"),
        ('{x: {type: number, format: ","}}', "`format` must show how 1234.56 is written"),
        ('{x: {type: text, format: "%Y"}}', "does not apply to a field of type text"),
        ("[x]", "`fields` must be a mapping"),
    ],
)
def test_a_wrong_format_is_refused_before_anything_is_read(selected, fields: str, message: str) -> None:
    with pytest.raises(Exception, match=message):
        selected(file("x", "1"), where("field: x, is: set"), model=f"{{fields: {fields}}}")


def test_fields_are_for_csv_files(tmp_path: Path) -> None:
    """Other sources have types."""
    text = YAML.format(of="table: customers", model="{fields: {x: number}}", zone="UTC")
    (tmp_path / "dinmo.yaml").write_text(text.replace("type: csv", "type: parquet"))
    with pytest.raises(
        Exception, match="`fields` is for CSV files; the columns of a parquet source have types"
    ):
        load_project(tmp_path / "dinmo.yaml")


SHOP = project(
    model("customers", primary_key="id", orders=("orders", {"id": "customer"})),
    model("orders"),
)


def chosen_of(folder: Path, condition: Condition, declared: Project = SHOP) -> list[str | None]:
    tested = replace(declared, segments={"s": segment("s", condition, over="customers")})
    with opened(folder) as source:
        return members(source, tested, "s")


def test_measures_of_related_rows(tmp_path: Path) -> None:
    """Sums, extremes and the first or last row by a moment; text keys are compared as they are."""
    (tmp_path / "customers.csv").write_text("id\n1\n02\n3\n")
    (tmp_path / "orders.csv").write_text(
        "customer,amount,at,status,number\n"
        "1,9.50,2026-03-01,paid,9\n1,10,2026-03-14T23:30:00Z,open,10\n"
        "02,100,2026-01-01,open,2\n02,,2026-02-01,paid,1\n2,999,2026-03-01,paid,1\n"
    )
    assert chosen_of(tmp_path, related("sum", "orders.amount", at_least=Decimal("19.5"))) == ["02", "1"]
    assert chosen_of(tmp_path, related("avg", "orders.amount", less_than=10)) == ["1"]
    assert chosen_of(tmp_path, related("max", "orders.amount", equals=10)) == ["1"]
    assert chosen_of(tmp_path, related("max", "orders.at", within_last=Duration(1, "days"))) == ["1"]
    assert chosen_of(tmp_path, related("min", "orders.at", before=date(2026, 2, 1))) == ["02"]
    assert chosen_of(tmp_path, related("last", "orders.status", by="at", equals="paid")) == ["02"]
    assert chosen_of(tmp_path, related("last", "orders.status", by="number", equals="open")) == ["02", "1"]
    assert chosen_of(tmp_path, related("count_distinct", "orders.status", equals=2)) == ["02", "1"]
    assert chosen_of(tmp_path, related("exists", "orders", where=field("amount", at_least=100))) == ["02"]
    with pytest.raises(SegmentError, match="'status', 5 of 5 values are not a day or a moment"):
        chosen_of(tmp_path, related("last", "orders.amount", by="status", at_least=1))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.one_of(
            st.none(),
            st.decimals(-1000, 1000, places=3).map(str),
            st.integers(-(10**9), 10**9).map(str),
        ),
        min_size=1,
        max_size=12,
    ),
    st.integers(-1000, 1000),
)
def test_numbers_compare_like_typed_ones(tmp_path: Path, values, limit: int) -> None:
    """The law: a CSV file and a DuckDB table with the same numbers give the same members."""
    (tmp_path / "customers.csv").write_text(
        "id,x\n" + "".join(f"{n},{value or ''}\n" for n, value in enumerate(values))
    )
    found = chosen_of(tmp_path, field("x", at_least=limit))
    with duckdb.connect() as connection:
        rows = connection.execute(
            "SELECT id FROM (SELECT unnest(range(len($1))) AS id, unnest($1::DECIMAL(38, 3)[]) AS x)"
            " WHERE x >= $2",
            [values, limit],
        ).fetchall()
    assert found == sorted(str(id_) for (id_,) in rows)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1)),
        min_size=1,
        max_size=12,  # in UTC
    ),
    st.dates(date(1970, 1, 2), date(2099, 1, 1)),
    st.sampled_from(
        ["{:%Y-%m-%d %H:%M:%S.%f} UTC", "{:%Y-%m-%dT%H:%M:%S.%f}Z", "{:%Y-%m-%d %H:%M:%S.%f}+00:00"]
    ),
)
def test_instants_compare_like_typed_ones(tmp_path: Path, moments, day: date, written: str) -> None:
    """However their offset is written."""
    (tmp_path / "customers.csv").write_text(
        "id,x\n" + "".join(f"{n},{written.format(moment)}\n" for n, moment in enumerate(moments))
    )
    found = chosen_of(tmp_path, field("x", before=day))
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    expected = [str(n) for n, moment in enumerate(moments) if moment.replace(tzinfo=UTC) < start]
    assert found == sorted(expected)
