"""`tests`: given these rows, exactly these are a segment's members; read as strictly as everything else."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from dinmo_pipeline_tests.config.reading import MODELS, SOURCE_AND_STATE, load, messages, refusal

_SEGMENTS = """\
segments:
  vip: {model: customers, where: {exists: orders}}
  lines: {model: order_lines, where: {field: sku, is: set}}
  listed: {table: analytics.listed}
  asked: {sql: select email from anything}
  of_listed: {model: customers, where: {in_segment: listed}}
tests:
"""
_BASE = SOURCE_AND_STATE + MODELS + _SEGMENTS


def _test(text):
    return load(f"{_BASE}  t: {text}\n").tests["t"]


def test_a_test_is_read_whole():
    """Rows keep what is written: exact numbers, days, text, NULL; the column is the model's key."""
    test = _test(
        "{segment: vip, now: 2026-03-01 12:00, timezone: Europe/Paris, given: {customers:"
        ' [{customer_id: 1, spent: 9.90, since: 2026-01-02, zip: 01234, code: "7", gone: null}],'
        " orders: [], order_lines: }, expect: [1, A]}"
    )
    assert (test.segment, test.column, test.members) == ("vip", "customer_id", (1, "A"))
    assert (test.now, test.timezone) == (datetime(2026, 3, 1, 12), "Europe/Paris")
    customers, orders, lines = test.given
    assert (customers.model, customers.table, lines.table) == (
        "customers",
        "customers",
        "shop.order_lines",
    )
    assert dict(customers.rows[0].values) == {
        "customer_id": 1,
        "spent": Decimal("9.90"),
        "since": date(2026, 1, 2),
        "zip": "01234",
        "code": "7",
        "gone": None,
    }
    assert orders.rows == lines.rows == ()


@pytest.mark.parametrize(
    ("written", "now"),
    [
        ("2026-03-01", datetime(2026, 3, 1)),
        ("2026-03-01T12:00Z", datetime(2026, 3, 1, 12, tzinfo=UTC)),
        (
            '"2026-03-01 12:00+02:00"',
            datetime(2026, 3, 1, 12, tzinfo=timezone(timedelta(hours=2))),
        ),
    ],
)
def test_now_is_a_day_or_a_time(written, now):
    """A day is its first instant in the test's time zone."""
    assert _test(f"{{segment: vip, now: {written}, given: {{}}, expect: []}}").now == now


def test_without_now_it_is_the_present_in_utc():
    """Represented by None."""
    test = _test("{segment: vip, given: {}, expect: []}")
    assert (test.now, test.timezone) == (None, "UTC")


def test_tables_go_by_name_where_a_segment_names_them():
    """Those of table segments, also of segments that it uses; any for a `sql` segment."""
    expect = "expect: {column: email, members: [a@x.com]}"
    for segment, table in (
        ("listed", "analytics.listed"),
        ("of_listed", "analytics.listed"),
        ("asked", "some.where.else"),
    ):
        test = _test(f"{{segment: {segment}, given: {{{table}: [{{email: a}}]}}, {expect}}}")
        assert (test.given[0].table, test.given[0].model) == (table, None)
        assert (test.column, test.members) == ("email", ("a@x.com",))


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("{given: {}, expect: []}", "`segment` is missing. The segment that is tested."),
        ("{segment: vip, given: {}}", "`expect` is missing. "),
        ("{segment: vip, expect: []}", "`given` is missing. "),
        ("{segment: vpi, given: {}, expect: []}", "There is no segment 'vpi'."),
        ("{segment: vip, given: {}, expect: [], when: 1}", "There is no setting `when` here."),
        ("{segment: vip, given: [], expect: []}", "`given` must be a mapping of models to rows"),
        ("{segment: vip, given: {customers: {a: 1}}, expect: []}", "`customers` must be a list of"),
        (
            "{segment: vip, given: {customers: [1]}, expect: []}",
            "A row of `customers` must be a row, {column: value}, not a number.",
        ),
        (
            "{segment: vip, given: {customers: [{}]}, expect: []}",
            "A row of `customers` must name at least one column.",
        ),
        (
            "{segment: vip, given: {customers: [{a: [1]}]}, expect: []}",
            "A row of `customers` has 'a', which must be one value, not a list.",
        ),
        (
            "{segment: vip, given: {custmers: []}, expect: []}",
            "There is no model 'custmers', and the segment reads no table of that name.",
        ),
        (
            "{segment: lines, given: {order_lines: [], customers: []}, expect: [1]}",
            "Model 'order_lines' has no `key`, so `expect` must name the column",
        ),
        ("{segment: asked, given: {}, expect: [1]}", "Segment 'asked' has no model, so `expect`"),
        (
            "{segment: asked, given: {customers: [], CUSTOMERS: []}, expect: {column: a, members: []}}",
            "The table 'CUSTOMERS' is given twice.",
        ),
        ("{segment: vip, given: {}, expect: {members: [1]}}", "`column` is missing."),
        ("{segment: vip, given: {}, expect: 1}", "`expect` must be a list"),
        (
            "{segment: vip, given: {}, expect: [null]}",
            "`expect` contains a value that must be a value",
        ),
        ("{segment: vip, now: soon, given: {}, expect: []}", "`now` must be a day or a time."),
        ("{segment: vip, timezone: Here, given: {}, expect: []}", "`timezone` is not a time zone"),
    ],
)
def test_each_mistake_is_reported(written, message):
    """As one problem, with what is right instead."""
    (found,) = messages(f"{_BASE}  t: {written}\n")
    assert found.startswith(message)


def test_a_misspelt_model_is_shown_with_its_place():
    """With the nearest name."""
    text = f"{_BASE}  t:\n    segment: vip\n    given:\n      custmers: []\n    expect: []\n"
    assert str(refusal(text)) == (
        "project.yaml:17:7: test 't': "
        "There is no model 'custmers', and the segment reads no table of that name.\n"
        "  15 |     segment: vip\n"
        "  16 |     given:\n"
        "  17 |       custmers: []\n"
        "     |       ^\n"
        "  Allowed: customers, orders, order_lines\n"
        "  Perhaps you meant 'customers'."
    )
