"""Declarations are checked against the source's real columns: every problem at once, each with its place."""

from datetime import date, datetime
from decimal import Decimal

import pytest

from dinmo_pipeline.config.declarations.conditions import AllOf, Condition, Duration, Not, Relative
from dinmo_pipeline.segments import OpenSource, SegmentError, select_members
from dinmo_pipeline_tests.segments.declaring import (
    field,
    in_segment,
    listed,
    model,
    project,
    related,
    segment,
)
from dinmo_pipeline_tests.segments.engines import DuckDBEngine, Engine
from dinmo_pipeline_tests.segments.reading import NOON

TABLES = (
    """CREATE TABLE people (id INTEGER, name TEXT, born DATE, seen TIMESTAMP, vip BOOLEAN,
       spent DECIMAL(9, 2), worked INTERVAL)""",
    "CREATE TABLE orders (order_id INTEGER, person_id TEXT, amount DECIMAL(9, 2), day DATE)",
)
MODELS = (
    model(
        "people",
        primary_key="id",
        orders=("orders", {"id": "order_id"}),
        by_name=("orders", {"id": "person_id"}),
        nowhere=("orders", {"id": "persn_id"}),
        missing=("missing", {"id": "id"}),
    ),
    model("orders"),
    model("missing", "ordrs"),
)


def problems(source: OpenSource, condition: Condition, column: str = "id") -> list[str]:
    """The messages of all problems."""
    declared = project(*MODELS, segment("tested", condition, over="people"))
    with pytest.raises(SegmentError) as caught:
        select_members(declared, "tested", column, source, now=NOON, timezone="UTC")
    return [problem.message for problem in caught.value.problems]


CASES = [
    (field("nam", equals="x"), ["The table 'people' has no column 'nam'."]),
    (
        field("name", equals=5),
        ["field 'name': The column is text ({text}); write 5 in quotes."],
    ),
    (field("name", equals=date(2026, 1, 1)), ["write 2026-01-01 in quotes."]),
    (field("name", in_=["a", 5]), ["write 5 in quotes."]),
    (field("name", is_true=None), ["`is: true` does not apply to {text}."]),
    (
        field("name", within_last=Duration(5, "days")),
        ["`within_last: 5 days` does not apply to {text}."],
    ),
    (field("id", equals="5"), ["with a number; '5' is not one."]),
    (field("id", equals=True), ["with a number; true is not one."]),
    (field("id", contains="5"), ["`contains: '5'` does not apply to"]),
    (field("spent", between=[Decimal(1), "x"]), ["with a number; 'x' is not one."]),
    (field("vip", equals="yes"), ["`equals: 'yes'` does not apply to"]),
    (field("vip", at_least=True), ["`at_least: true` does not apply to"]),
    (field("born", equals="soon"), ["with a day; 'soon' is not one."]),
    (field("born", equals=5), ["with a day; 5 is not one."]),
    (
        field("born", after=datetime(2026, 1, 1, 5)),
        ["holds whole days; 2026-01-01 05:00:00 is a time of day."],
    ),
    (
        field("born", before=Relative(-3, "hours")),
        ["holds whole days; 3 hours ago is a time of day."],
    ),
    (
        field("born", within_last=Duration(3, "hours")),
        ["holds whole days; 3 hours is too precise."],
    ),
    (field("born", contains="1990"), ["`contains: '1990'` does not apply to"]),
    (
        field("seen", anniversary_on=datetime(2026, 1, 1, 5)),
        ["An anniversary is a day, not a time."],
    ),
    (
        field("seen", within_last=Duration(9000, "years")),
        ["`within_last: 9000 years` leads outside the years 1 to 9999."],
    ),
    (
        field("seen", after=date(9999, 12, 31)),
        ["`after: 9999-12-31` leads outside the years 1 to 9999."],
    ),
    (field("worked", equals="x"), ["can only be tested for being set."]),
    (field("name", contains=""), ["`contains` needs at least one character."]),
    (field("name", equals="a\x00b"), ["Text with a NUL character cannot be compared."]),
    (related("count", "orders", equals="3"), ["Compare a count with a number; '3' is not one."]),
    (
        related("count", "orders", contains="3"),
        ["count of 'orders': `contains: '3'` does not apply to a count."],
    ),
    (
        related("count", "orders", is_set=True),
        ["A count is compared with numbers; `is: set` does not apply."],
    ),
    (related("count", "ordes", equals=1), ["The model 'people' has no relation 'ordes'."]),
    (related("count", "orders.lines", equals=1), ["The model 'orders' has no relation 'lines'."]),
    (
        related("sum", "orders.day", at_least=1),
        ["sum of 'orders.day': `sum` needs numbers; the column is"],
    ),
    (related("sum", "orders.amont", at_least=1), ["The table 'orders' has no column 'amont'."]),
    (related("max", "orders.day", at_least=1), ["with a day; 1 is not one."]),
    (
        related("last", "orders.amount", by="dy", at_least=1),
        ["The table 'orders' has no column 'dy'."],
    ),
    (
        related("exists", "orders", where=field("dy", is_set=True)),
        ["The table 'orders' has no column 'dy'."],
    ),
    (related("exists", "by_name"), ["The join of 'id' with 'person_id' of 'orders' compares"]),
    (related("exists", "nowhere"), ["The table 'orders' has no column 'persn_id'."]),
    (related("exists", "missing"), ["The source has no table 'ordrs'."]),
    (in_segment("unknown"), ["There is no segment 'unknown'."]),
    (in_segment("tested"), ["`in_segment` forms a circle: tested → tested."]),
    (
        related("exists", "orders", where=in_segment("tested")),
        ["The segment 'tested' is of the model 'people', not of 'orders'."],
    ),
    # all at once, in the order they are declared
    (
        AllOf((field("nam", equals="x"), Not(field("id", equals="5")), related("exists", "ordes"))),
        ["no column 'nam'.", "'5' is not one.", "no relation 'ordes'."],
    ),
]


@pytest.fixture
def checked(engine: Engine) -> Engine:
    """Both engines with the tables."""
    engine.run(*TABLES)
    return engine


def test_what_does_not_fit_the_source_is_a_problem(checked: Engine) -> None:
    """Each case has exactly the expected problems, on both engines."""
    with checked.open() as source:
        text = source.columns("people")["name"].type
        for condition, expected in CASES:
            found = problems(source, condition)
            assert len(found) == len(expected), (condition, found)
            for part, message in zip(expected, found, strict=True):
                assert part.format(text=text) in message, condition


def test_a_problem_says_where_it_is_and_what_was_meant(duckdb_engine: DuckDBEngine) -> None:
    """It has a place, subject, message, value, the allowed names and the nearest ones."""
    duckdb_engine.run(*TABLES)
    declared = project(*MODELS, segment("tested", field("nmae", equals="x"), over="people"))
    with duckdb_engine.open() as source, pytest.raises(SegmentError) as caught:
        select_members(declared, "tested", "id", source, now=NOON, timezone="UTC")
    (problem,) = caught.value.problems
    assert str(problem) == "segments.yaml:7:3: segment 'tested': The table 'people' has no column 'nmae'."
    assert str(caught.value) == str(problem)
    assert problem.value == "nmae"
    assert problem.allowed == ("id", "name", "born", "seen", "vip", "spent", "worked")
    assert problem.hint == "Perhaps you meant 'name'."


def test_a_missing_table_is_a_problem_of_its_model_or_segment(engine: Engine) -> None:
    """Reported once, with the nearest tables of the source."""
    engine.run("CREATE TABLE customers (id INTEGER)")
    both = AllOf((related("exists", "others"), related("none", "others")))
    declared = project(
        model("customers", primary_key="id", others=("others", {"id": "id"})),
        model("others", "custmers"),
        segment("tested", both, over="customers"),
        listed("listed", "custmers"),
    )
    found = {}
    with engine.open() as source:
        for key in declared.segments:
            with pytest.raises(SegmentError) as caught:
                select_members(declared, key, "id", source, now=NOON, timezone="UTC")
            (found[key],) = caught.value.problems
    assert str(found["tested"]) == "models.yaml:2:1: model 'others': The source has no table 'custmers'."
    assert str(found["listed"]) == "segments.yaml:7:3: segment 'listed': The source has no table 'custmers'."
    assert all("'customers'" in (problem.hint or "") for problem in found.values())


def test_the_chosen_column_must_exist(engine: Engine) -> None:
    """In a model and in a table."""
    engine.run("CREATE TABLE people (id INTEGER, e_mail TEXT)")
    declared = project(
        model("people"),
        segment("modelled", field("id", equals=1), over="people"),
        listed("listed", "people"),
    )
    with engine.open() as source:
        for key in declared.segments:
            with pytest.raises(SegmentError) as caught:
                select_members(declared, key, "email", source, now=NOON, timezone="UTC")
            (problem,) = caught.value.problems
            assert problem.message == "Its rows have no column 'email'."
            assert problem.hint == "Perhaps you meant 'e_mail'."


def test_in_segment_needs_keys_on_both_sides(duckdb_engine: DuckDBEngine) -> None:
    """The model's key must exist in the other segment too, with a type that compares."""
    duckdb_engine.run(
        "CREATE TABLE people (id INTEGER)",
        "CREATE TABLE emails (email TEXT)",
        "CREATE TABLE texts (id TEXT)",
    )
    declared = project(
        model("people", primary_key="id"),
        model("keyless", "people"),
        listed("emails", "emails"),
        listed("texts", "texts"),
        segment("of_emails", in_segment("emails"), over="people"),
        segment("of_texts", in_segment("texts"), over="people"),
        segment("of_keyless", in_segment("emails"), over="keyless"),
        segment("round", in_segment("trip"), over="people"),
        segment("trip", Not(in_segment("round")), over="people"),
    )
    found = {}
    with duckdb_engine.open() as source:
        for key in ("of_emails", "of_texts", "of_keyless", "round"):
            with pytest.raises(SegmentError) as caught:
                select_members(declared, key, "id", source, now=NOON, timezone="UTC")
            found[key] = [str(problem).partition(" ")[2] for problem in caught.value.problems]
    assert found == {
        "of_emails": ["segment 'emails': Its rows have no column 'id'."],
        "of_texts": ["segment 'of_texts': `in_segment: texts` compares INTEGER with VARCHAR."],
        "of_keyless": [
            "segment 'of_keyless': The model 'keyless' declares no `key`; `in_segment` needs one."
        ],
        "round": ["segment 'trip': `in_segment` forms a circle: round → trip → round."],
    }


def test_now_must_have_a_time_zone(duckdb_engine: DuckDBEngine) -> None:
    """A naive `now` would be read on the machine's clock."""
    duckdb_engine.run("CREATE TABLE people (id INTEGER)")
    with duckdb_engine.open() as source, pytest.raises(ValueError, match="time zone"):
        select_members(
            project(listed("all", "people")),
            "all",
            "id",
            source,
            now=datetime(2026, 1, 1),
            timezone="UTC",
        )
