"""`dinmo test`, and the same tests in the user's own pytest."""

import json
import subprocess
import sys

import duckdb
import pytest

from dinmo_pipeline.segments.testing import segment_tests

CUSTOMER = "customer_id INTEGER, email VARCHAR, country VARCHAR, seen_at TIMESTAMPTZ"
VIP = {
    "segment": "vip_customers",
    "now": "2026-03-01 12:00",
    "given": {
        "customers": [{"customer_id": 1, "email": "a@x.com"}, {"customer_id": 2}],
        "orders": [
            {"order_id": 1, "customer_id": 1, "ordered_at": "2026-02-01"},
            {"order_id": 2, "customer_id": 1, "ordered_at": "2026-02-02"},
            {"order_id": 3, "customer_id": 2, "ordered_at": "2024-02-02"},
            {"order_id": 4, "customer_id": 2, "ordered_at": "2026-02-02"},
        ],
    },
    "expect": [1],
}


@pytest.fixture
def shop(company):
    """Declarations with three kinds of segments, and a passing test of one; no warehouse yet."""
    company.declared["models"] = {
        "customers": {
            "table": "shop.customers",
            "key": "customer_id",
            "relations": {"orders": {"model": "orders", "join": "customer_id"}},
        },
        "orders": {"key": "order_id"},
    }
    company.declared["segments"] = {
        "vip_customers": {
            "model": "customers",
            "where": {
                "count": "orders",
                "at_least": 2,
                "where": {"field": "ordered_at", "within_last": "365 days"},
            },
        },
        "quiet": {
            "sql": "with c as (select * from shop.customers) select email from c"
            " where seen_at < current_date - interval 30 days"
        },
        "trialists": {"table": "analytics.trialists"},
        "paying": {
            "model": "customers",
            "where": {"not": {"in_segment": "trialists"}},
        },
    }
    company.declared["activations"] = {}
    company.declared["tests"] = {"vip_needs_two_recent_orders": VIP}
    return company


def with_warehouse(shop):
    """Give the source its tables, empty."""
    with duckdb.connect(str(shop.folder / "warehouse.duckdb")) as connection:
        connection.execute("CREATE SCHEMA shop; CREATE SCHEMA analytics")
        connection.execute(f"CREATE TABLE shop.customers ({CUSTOMER})")
        connection.execute("CREATE TABLE orders (order_id INTEGER, customer_id INTEGER, ordered_at DATE)")
        connection.execute("CREATE TABLE analytics.trialists (customer_id INTEGER, email VARCHAR)")


def declare(shop, key, **test):
    """Add a test."""
    shop.declared["tests"][key] = test


@pytest.mark.parametrize("has_warehouse", [True, False])
def test_tests_pass_with_and_without_the_source(shop, dinmo, has_warehouse):
    """Without it, column types are inferred, and a message says so."""
    if has_warehouse:
        with_warehouse(shop)
    printed = dinmo("test")
    assert printed.code == 0, printed.err
    assert printed.out == ("ok      vip_needs_two_recent_orders\n1 of 1 test passed.\n")
    assert ("inferred" in printed.err) != has_warehouse
    assert not (shop.folder / "state.duckdb").exists()


def test_a_failed_test_says_who_is_missing_and_who_is_unexpected(shop, dinmo):
    """The exit code is 1, and JSON has the same."""
    declare(shop, "wrong", **{**VIP, "expect": [2, 3]})
    printed = dinmo("test")
    assert printed.code == 1
    assert (
        "failed  wrong: customer_id of segment 'vip_customers': missing 2, 3; unexpected 1\n" in printed.out
    )
    found = json.loads(dinmo("test", "wrong", "--json").out)
    assert found == {
        "wrong": {
            "status": "failed",
            "segment": "vip_customers",
            "column": "customer_id",
            "missing": ["2", "3"],
            "unexpected": ["1"],
        }
    }


@pytest.mark.parametrize("has_warehouse", [True, False])
def test_sql_segments_run_at_the_moment_of_the_test(shop, dinmo, has_warehouse):
    """`current_date` is the day of `now`; moments without an offset are in the test's time zone."""
    if has_warehouse:
        with_warehouse(shop)
    seen = ["2026-01-29T23:59+00:00", "2026-01-30T00:00+00:00"]
    declare(
        shop,
        "quiet_for_thirty_days",
        segment="quiet",
        now="2026-03-01T00:30",
        timezone="UTC",
        given={"customers": [{"email": f"{i}@x.com", "seen_at": at} for i, at in enumerate(seen)]},
        expect={"column": "email", "members": ["0@x.com"]},
    )
    printed = dinmo("test", "quiet_for_thirty_days")
    assert printed.code == 0, printed.out + printed.err


def test_times_without_an_offset_are_on_the_clock_of_the_test(shop, dinmo):
    """That holds for the times of rows and for `now`."""
    with_warehouse(shop)
    shop.declared["segments"]["today"] = {
        "model": "customers",
        "where": {"field": "seen_at", "on": "today"},
    }
    declare(
        shop,
        "in_tokyo",
        segment="today",
        now="2026-03-01 00:30",
        timezone="Asia/Tokyo",
        given={
            "customers": [
                {"customer_id": 1, "seen_at": "2026-03-01 00:10"},
                {"customer_id": 2, "seen_at": "2026-02-28T15:10Z"},
                {"customer_id": 3, "seen_at": "2026-02-28 23:59"},
            ]
        },
        expect=[1, 2],
    )
    printed = dinmo("test", "in_tokyo")
    assert printed.code == 0, printed.out + printed.err


@pytest.mark.parametrize("has_warehouse", [True, False])
def test_tables_are_given_by_name_and_segments_of_segments_run(shop, dinmo, has_warehouse):
    """A table segment's rows go to `schema.table`; one without rows is empty."""
    if has_warehouse:
        with_warehouse(shop)
    declare(
        shop,
        "on_trial",
        segment="trialists",
        given={"analytics.trialists": [{"email": "a@x.com"}, {"email": None}]},
        expect={"column": "email", "members": ["a@x.com"]},
    )
    declare(
        shop,
        "paying_are_not_on_trial",
        segment="paying",
        given={
            "customers": [{"customer_id": 1}, {"customer_id": 2}],
            "analytics.trialists": [{"customer_id": 2}],
        },
        expect=[1],
    )
    declare(
        shop,
        "everybody_pays_when_nobody_tries",
        segment="paying",
        given={"customers": [{"customer_id": 1}], "analytics.trialists": []},
        expect=[1],
    )
    printed = dinmo("test")
    assert printed.code == 0, printed.out + printed.err


def test_what_does_not_fit_the_tables_is_an_error_in_the_declarations(shop, dinmo):
    """Each error has its place, and the other tests run."""
    with_warehouse(shop)
    declare(shop, "misspelt", **{**VIP, "given": {"customers": [{"custmer_id": 1}]}})
    declare(shop, "no_date", **{**VIP, "given": {"orders": [{"ordered_at": "soon"}]}})
    declare(
        shop,
        "no_such_table",
        segment="quiet",
        given={"shop.custmers": []},
        expect={"column": "email", "members": []},
    )
    printed = dinmo("test")
    assert printed.code == 2
    assert "1 of 4 tests passed." in printed.out
    assert "test 'misspelt': The table 'shop.customers' has no column 'custmer_id'." in printed.err
    assert "Perhaps you meant 'customer_id'." in printed.err
    assert "test 'no_date': A row does not fit the table 'orders': Conversion Error" in printed.err
    assert "test 'no_such_table': The segment does not read a table 'shop.custmers'." in printed.err
    assert "dinmo.yaml:" in printed.err
    statuses = {key: row["status"] for key, row in json.loads(dinmo("test", "--json").out).items()}
    assert statuses["misspelt"] == "wrong"
    assert statuses["vip_needs_two_recent_orders"] == "ok"


def test_without_the_source_nothing_may_be_known_of_a_table(shop, dinmo):
    """The message says what to add."""
    declare(shop, "on_trial", segment="trialists", given={}, expect={"column": "email", "members": []})
    shop.declared["tests"]["empty"] = {**VIP, "segment": "quiet", "given": {}, "expect": []}
    shop.declared["tests"]["empty"]["expect"] = {"column": "email", "members": []}
    shop.declared["segments"]["quiet"]["sql"] = "select email from anywhere"
    printed = dinmo("test", "empty")
    assert printed.code == 2
    assert "The columns of the table 'anywhere' are unknown." in printed.err
    assert "Give at least one row of it, in this or another test." in printed.err


def test_a_dialect_of_another_warehouse_is_understood(shop, dinmo):
    """The source is Snowflake, which cannot be reached; the test runs on DuckDB."""
    shop.declared["source"] = {"type": "snowflake", "uri": {"env": "NO_SUCH_WAREHOUSE"}}
    shop.declared["segments"]["quiet"]["sql"] = (
        "select email from shop.customers where seen_at < dateadd(day, -30, current_date())"
        " and email ilike '%@x.com'"
    )
    declare(
        shop,
        "quiet_on_snowflake",
        segment="quiet",
        now="2026-03-01",
        given={
            "shop.customers": [
                {"email": "A@X.com", "seen_at": "2026-01-01T10:00Z"},
                {"email": "b@x.com", "seen_at": "2026-02-27T10:00Z"},
            ]
        },
        expect={"column": "email", "members": ["A@X.com"]},
    )
    printed = dinmo("test")
    assert printed.code == 0, printed.out + printed.err


def test_an_unknown_test_is_wrong_usage_and_no_test_is_fine(shop, dinmo):
    """The message names the nearest test."""
    printed = dinmo("test", "vip_needs_two_recent_order")
    assert printed.code == 2
    assert "Perhaps you meant 'vip_needs_two_recent_orders'." in printed.err
    shop.declared["tests"] = {}
    assert dinmo("test").out == "No tests are declared. Add some under `tests`.\n"


@pytest.mark.parametrize("has_warehouse", [True, False])
def test_pytest_runs_each_declared_test_as_one(shop, own_pytest, has_warehouse):
    """They run in the user's own pytest, in a separate process."""
    if has_warehouse:
        with_warehouse(shop)
    declare(shop, "wrong", **{**VIP, "expect": [2]})
    result = own_pytest(shop.declarations)
    assert "1 failed, 1 passed" in result
    assert "wrong: customer_id of segment 'vip_customers': missing 2; unexpected 1" in result


@pytest.fixture
def own_pytest(tmp_path):
    """Run the two lines of the docs with pytest on some declarations; returns what pytest prints."""

    def run(declarations):
        folder = tmp_path / "own_tests"
        folder.mkdir()
        (folder / "test_segments.py").write_text(
            "from dinmo_pipeline.segments.testing import segment_tests\n"
            f"test_segments = segment_tests({str(declarations)!r})\n"
        )
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
        return done.stdout

    return run


def test_the_pytest_function_has_one_case_for_each_test(shop):
    """The case is named by the key of the test."""
    (mark,) = segment_tests(shop.declarations).pytestmark
    assert mark.args == ("name", ["vip_needs_two_recent_orders"])
