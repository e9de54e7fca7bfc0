"""What each operator on a field means, on DuckDB and PostgreSQL alike."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from dinmo_pipeline.config.declarations.conditions import (
    AllOf,
    AnyOf,
    Condition,
    Duration,
    Not,
    Relative,
)
from dinmo_pipeline.segments import OpenSource
from dinmo_pipeline_tests.segments.declaring import field, model, project
from dinmo_pipeline_tests.segments.engines import Engine
from dinmo_pipeline_tests.segments.reading import holds

PEOPLE = project(model("people", primary_key="id"))
CREATE = """
    CREATE TABLE people (
        id INTEGER, name TEXT, age INTEGER, spent DECIMAL(10, 2), score DOUBLE PRECISION, vip BOOLEAN,
        born DATE, seen TIMESTAMP, bought TIMESTAMPTZ, code UUID
    )"""
# 9 is the row that is unknown in everything.
ROWS = """
    INSERT INTO people VALUES
    (1, 'Anna', 30, 10.50, 1.5, TRUE, '1990-03-15', '2026-03-15 00:00:00', '2026-03-15 00:00:00+00',
     '00000000-0000-0000-0000-00000000000a'),
    (2, 'anna', 31, -3.00, 2.5, FALSE, '1992-02-29', '2026-03-14 23:59:59', '2026-03-14 23:30:00+00',
     '00000000-0000-0000-0000-00000000000b'),
    (3, '50%_\\x', 0, 0.00, -1.0, TRUE, '2026-03-16', '2026-03-16 12:00:00', '2026-03-16 12:00:00+00', NULL),
    (4, '  ', 7, 99.99, 0.0, NULL, '2026-03-15', '2026-03-15 12:00:00', '2026-03-15 12:00:00+00', NULL),
    (5, '50xyx', 7, 1000.00, 0.0, NULL, '2025-03-15', '2025-12-31 00:00:00', '2025-12-31 23:00:00+00', NULL),
    (9, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)"""


@pytest.fixture(scope="module")
def people(module_engine: Engine) -> Iterator[OpenSource]:
    """The table of people."""
    module_engine.run(CREATE, ROWS)
    with module_engine.open() as source:
        yield source


CASES = [
    (field("name", equals="Anna"), "1"),
    (field("name", not_equals="Anna"), "23459"),
    (Not(field("name", equals="Anna")), "23459"),
    (Not(field("name", not_equals="Anna")), "1"),
    (field("name", in_=["Anna", "anna"]), "12"),
    (field("name", not_in=["Anna", "anna"]), "3459"),
    (field("name", equals="ANNA", ignore_case=True), "12"),
    (field("name", in_=["ANNA"], ignore_case=True), "12"),
    (field("name", contains="nn"), "12"),
    (field("name", contains="%_\\"), "3"),
    (field("name", contains="%"), "3"),
    (field("name", contains="_"), "3"),
    (field("name", contains="\\"), "3"),
    (field("name", contains="NN", ignore_case=True), "12"),
    (field("name", starts_with="50"), "35"),
    (field("name", starts_with="50%"), "3"),
    (field("name", starts_with="50_"), ""),
    (field("name", starts_with="AN", ignore_case=True), "12"),
    (field("name", starts_with="AN"), ""),
    (field("name", ends_with="x"), "35"),
    (field("name", ends_with="\\x"), "3"),
    (field("name", ends_with="NA", ignore_case=True), "12"),
    (Not(field("name", contains="nn")), "3459"),
    (field("name", is_set=True), "1235"),
    (field("name", is_blank=True), "49"),
    (field("name", is_set=False), "49"),
    (field("age", equals=7), "45"),
    (field("age", not_equals=7), "1239"),
    (field("age", greater_than=30), "2"),
    (field("age", at_least=30), "12"),
    (field("age", less_than=7), "3"),
    (field("age", at_most=7), "345"),
    (field("age", between=[7, 30]), "145"),
    (field("age", in_=[0, 31]), "23"),
    (field("age", at_least=Decimal("30.5")), "2"),
    (field("age", is_set=True), "12345"),
    (field("age", is_blank=True), "9"),
    (field("spent", equals=Decimal("10.5")), "1"),
    (field("spent", less_than=0), "2"),
    (field("spent", at_least=-3), "12345"),
    (field("spent", equals=Decimal("99.990")), "4"),
    (field("score", greater_than=Decimal("1.25")), "12"),
    (field("vip", is_true=None), "13"),
    (field("vip", is_false=None), "2"),
    (Not(field("vip", is_true=None)), "2459"),
    (field("vip", equals=True), "13"),
    (field("vip", not_equals=True), "2459"),
    (field("vip", in_=[True, False]), "123"),
    (field("vip", is_set=True), "123"),
    (field("code", equals="00000000-0000-0000-0000-00000000000a"), "1"),
    (field("code", ends_with="B", ignore_case=True), "2"),
    (field("code", is_blank=True), "3459"),
    # dates
    (field("born", equals=date(2026, 3, 15)), "4"),
    (field("born", equals="2026-03-15"), "4"),
    (field("born", on=Relative(0, "days")), "4"),
    (field("born", before=date(1992, 2, 29)), "1"),
    (field("born", after=date(2026, 3, 15)), "3"),
    (field("born", at_most=date(1992, 2, 29)), "12"),
    (field("born", between=[date(1990, 3, 15), date(1992, 2, 29)]), "12"),
    (field("born", not_in=[date(1990, 3, 15), date(1992, 2, 29)]), "3459"),
    (field("born", within_last=Duration(0, "days")), "4"),
    (field("born", within_last=Duration(1, "years")), "45"),
    (field("born", within_next=Duration(1, "days")), "34"),
    (field("born", anniversary_on=date(2026, 3, 15)), "145"),
    (field("born", anniversary_on=date(2026, 2, 28)), "2"),
    (field("born", anniversary_on=date(2024, 2, 28)), ""),
    (field("born", anniversary_on=date(2024, 2, 29)), "2"),
    (field("born", anniversary_within_next=Duration(1, "days")), "1345"),
    (field("born", anniversary_within_next=Duration(349, "days")), "1345"),
    (field("born", anniversary_within_next=Duration(350, "days")), "12345"),
    (field("born", anniversary_within_next=Duration(60, "weeks")), "12345"),
    (Not(field("born", anniversary_within_next=Duration(60, "weeks"))), "9"),
    (field("born", is_set=True), "12345"),
    # timestamps: a day stands for all of it
    (field("seen", on=date(2026, 3, 15)), "14"),
    (field("seen", equals=date(2026, 3, 15)), "14"),
    (field("seen", after=date(2026, 3, 15)), "3"),
    (field("seen", greater_than=date(2026, 3, 15)), "3"),
    (field("seen", at_least=date(2026, 3, 15)), "134"),
    (field("seen", at_most=date(2026, 3, 15)), "1245"),
    (field("seen", before=date(2026, 3, 15)), "25"),
    (field("seen", between=[date(2026, 3, 14), date(2026, 3, 15)]), "124"),
    (field("seen", equals=datetime(2026, 3, 15, 12)), "4"),
    (field("seen", equals="2026-03-15T12:00"), "4"),
    (field("seen", after=datetime(2026, 3, 15, 12, tzinfo=UTC)), "3"),
    (field("seen", before=Relative(-12, "hours")), "25"),
    (field("seen", within_last=Duration(12, "hours")), "14"),
    (field("seen", within_last=Duration(1, "days")), "124"),
    (field("seen", within_last=Duration(2, "months")), "124"),
    (field("seen", within_next=Duration(1, "days")), "34"),
    (field("seen", within_next=Duration(0, "days")), "4"),
    (field("seen", anniversary_on=Relative(0, "days")), "14"),
    (field("seen", anniversary_on=Relative(1, "days")), "3"),
    (field("bought", on=date(2026, 3, 15)), "14"),
    (field("bought", within_last=Duration(1, "days")), "124"),
    (field("bought", anniversary_on=date(2000, 12, 31)), "5"),
    # groups
    (AllOf(()), "123459"),
    (AnyOf(()), ""),
    (AllOf((field("age", at_least=7), field("vip", is_true=None))), "1"),
    (AnyOf((field("age", at_least=31), field("vip", is_true=None))), "123"),
    (Not(AllOf((field("age", at_least=7), field("vip", is_true=None)))), "23459"),
    (Not(AnyOf((field("age", at_least=31), field("vip", is_true=None)))), "459"),
    (
        AllOf((AnyOf((field("age", equals=7), field("age", equals=30))), field("vip", is_blank=True))),
        "45",
    ),
    (
        AnyOf((AllOf((field("age", equals=7), field("spent", at_least=100))), field("id", equals=1))),
        "15",
    ),
]


@pytest.mark.parametrize("module_engine", ["duckdb", "postgres"], indirect=True)
@pytest.mark.parametrize(("condition", "expected"), CASES, ids=str)
def test_a_condition_is_true_of_the_rows_a_person_expects(
    people: OpenSource, condition: Condition, expected: str
) -> None:
    """The time is noon of 15 March 2026, in UTC."""
    assert holds(people, PEOPLE, "people", condition) == expected


IN_ZONES = [
    # It is already the 16th in Auckland (UTC+13); 23:30Z of the 14th is its 15th.
    (field("bought", on=Relative(0, "days")), "Pacific/Auckland", "4"),
    (field("bought", on=Relative(-1, "days")), "Pacific/Auckland", "12"),
    (field("bought", on=date(2026, 3, 15)), "Europe/Paris", "124"),
    (field("bought", on=date(2026, 3, 14)), "America/New_York", "12"),
    (field("bought", anniversary_on=date(2026, 1, 1)), "Europe/Paris", "5"),
    (field("bought", within_last=Duration(0, "days")), "Europe/Paris", "124"),
    (field("bought", equals="2026-03-15T13:00"), "Europe/Paris", "4"),
    (field("bought", equals="2026-03-15T13:00+01:00"), "America/New_York", "4"),
    # A timestamp without a time zone is on the wall clock of the activation's: noon there is later than now.
    (field("seen", within_last=Duration(13, "hours")), "Pacific/Auckland", "4"),
    (field("seen", on=Relative(0, "days")), "Pacific/Auckland", "3"),
    (field("seen", equals="2026-03-15T12:00Z"), "Europe/Paris", ""),
    (field("seen", equals="2026-03-15T11:00Z"), "Europe/Paris", "4"),
    (field("born", on=Relative(0, "days")), "Pacific/Auckland", "3"),
]


@pytest.mark.parametrize("module_engine", ["duckdb", "postgres"], indirect=True)
@pytest.mark.parametrize(("condition", "timezone", "expected"), IN_ZONES, ids=str)
def test_days_are_those_of_the_activations_time_zone(
    people: OpenSource, condition: Condition, timezone: str, expected: str
) -> None:
    """The time is noon UTC of 15 March 2026; the engines' own time zones do not matter."""
    assert holds(people, PEOPLE, "people", condition, timezone=timezone) == expected
