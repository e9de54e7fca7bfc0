"""The story: people enter and leave each declared segment between the days, and every tag is right."""

import os
import re
from dataclasses import replace
from datetime import datetime, time
from io import StringIO
from zoneinfo import ZoneInfo

import pytest
import yaml
from rich.console import Console

from dinmo_pipeline.config import load_project
from dinmo_pipeline.demo import DEMO_DECLARATIONS
from dinmo_pipeline.demo.folder import DemoFolder
from dinmo_pipeline.demo.project import DESTINATION
from dinmo_pipeline.demo.story import Story
from dinmo_pipeline.emulator import running
from dinmo_pipeline.segments import open_source, select_members
from dinmo_pipeline_tests.demo.conftest import TODAY

# The declared segments in independent SQL, with the columns `email` and `customer_id`.
CUSTOMERS = "select customer_id, email from {day}.customers where "
SEGMENTS = {
    "vip_customers": CUSTOMERS
    + """
        (customer_id in (
            select customer_id from {day}.orders where status = 'paid'
            group by customer_id having count(*) >= 8 or sum(amount) > 1000
        ))
        and last_order_at >= $today - interval 365 days
        and marketing_consent is distinct from false
    """,
    "first_order_pending": CUSTOMERS + "signed_up_at >= $today - interval 30 days and orders_count = 0",
    "at_risk": CUSTOMERS
    + """
        orders_count >= 2
        and last_order_at < $today - interval 90 days
        and last_order_at >= $today - interval 180 days
    """,
    "newsletter_readers": CUSTOMERS
    + """
        marketing_consent and trim(email) <> '' and last_order_at >= $today - interval 365 days
    """,
    "nordic_customers": CUSTOMERS + "country in ('DK', 'FI', 'NO', 'SE') and orders_count > 0",
    "churned": CUSTOMERS + "last_order_at < $today - interval 180 days",
    "trialists": "select customer_id, email from {day}.analytics.trialists",
}


def members(connection, segment, day, identifier):
    """The distinct identifiers of a segment's members."""
    sql = SEGMENTS[segment].format(day=day)
    # DuckDB refuses a parameter that the query does not use.
    parameters = {"today": TODAY} if "$today" in sql else {}
    found = connection.execute(
        f"select distinct lower(trim({identifier})) from ({sql}) where trim({identifier}) <> ''",
        parameters,
    )
    return {value for (value,) in found.fetchall()}


def declared(section):
    """A section of the declarations, merged from all files."""
    files = [yaml.safe_load(path.read_text("utf-8")) for path in DEMO_DECLARATIONS.glob("*.yaml")]
    return {key: value for file in files for key, value in file.get(section, {}).items()}


def test_every_tag_is_right_on_both_days(tmp_path, monkeypatch):
    """One activation that matches by email and one that matches by user id, to save time."""
    home = tmp_path / "dagster_home"
    home.mkdir()
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    monkeypatch.setenv("INTERCOM_ACCESS_TOKEN", "demo-token")
    project = load_project(DEMO_DECLARATIONS)
    activations = {key: project.activations[key] for key in ("vip_customers", "churned")}
    folder = DemoFolder(tmp_path / ".demo", DESTINATION)
    console = Console(file=StringIO(), width=120)
    with running() as server:
        story = Story(
            replace(project, activations=activations),
            folder,
            os.environ,
            server.base_url,
            console,
        )
        assert story.play()
    printed = console.file.getvalue()
    assert "2,957 users and 213 leads" in printed
    assert "Intercom has 180 new users" in printed
    assert len(re.findall(r"(?m)^(VIP customers|Churned) .* yes$", printed)) == 4
    assert printed.count("The syncs created 0 contacts.") == 2


def test_every_declared_segment_is_part_of_the_story():
    """A segment added to the declarations needs its independent SQL here."""
    assert set(declared("segments")) == set(SEGMENTS)


def test_every_segment_is_activated():
    """Each declared segment has an activation, and each activation a declared segment."""
    activated = {settings.get("segment", key) for key, settings in declared("activations").items()}
    assert activated == set(SEGMENTS)


@pytest.mark.parametrize("identifier", ["email", "customer_id"])
@pytest.mark.parametrize("segment", SEGMENTS)
def test_people_enter_and_leave(both_days, segment, identifier):
    """Each segment has 50 to 1,500 members; on day two at least five enter and five leave."""
    before = members(both_days, segment, "one", identifier)
    after = members(both_days, segment, "two", identifier)
    assert 50 <= len(before) <= 1_500
    assert 50 <= len(after) <= 1_500
    assert len(after - before) >= 5
    assert len(before - after) >= 5


@pytest.mark.parametrize("identifier", ["email", "customer_id"])
@pytest.mark.parametrize("segment", SEGMENTS)
def test_the_declared_segment_has_the_members_of_its_sql(day_one, both_days, segment, identifier):
    """The compiled segment selects the same members as the independent SQL."""
    declarations = load_project(DEMO_DECLARATIONS)
    source = replace(declarations.source, path=day_one)
    noon = datetime.combine(TODAY, time(12), ZoneInfo("Europe/Paris"))
    with open_source(source, uri=None) as opened:
        sql = select_members(declarations, segment, identifier, opened, now=noon, timezone="Europe/Paris")
        if "current_date" in sql.lower():
            sql = re.sub("(?i)current_date", f"DATE '{TODAY}'", sql)
        found = opened.batches(sql).read_all().column(0).to_pylist()
    usable = {value.strip(" \t").lower() for value in found if value and value.strip()}
    assert usable == members(both_days, segment, "one", identifier)


@pytest.mark.parametrize("segment", SEGMENTS)
def test_no_guard_holds_the_changes(both_days, segment):
    """Far fewer than 30 % leave, so nobody has to release the demo's second sync."""
    before = members(both_days, segment, "one", "email")
    after = members(both_days, segment, "two", "email")
    assert len(before - after) < 0.2 * len(before)


@pytest.mark.parametrize(
    ("what", "happened"),
    [
        ("a new address", "old.email is distinct from new.email"),
        ("consent", "old.marketing_consent is distinct from true and new.marketing_consent"),
        ("consent withdrawn", "old.marketing_consent and not new.marketing_consent"),
        ("a move", "old.country is distinct from new.country"),
        ("a purchase", "new.orders_count > old.orders_count"),
        ("a refund", "new.orders_count < old.orders_count"),
    ],
)
def test_things_happen_to_customers(both_days, what, happened):
    """Each kind of change happens to at least eight customers."""
    ((count,),) = both_days.execute(
        f"""
        select count(*)
        from one.customers old
        join two.customers new using (customer_id)
        where {happened}
        """
    ).fetchall()
    assert count >= 8, what


def test_time_passes(both_days):
    """An order of day one is a day older on day two."""
    ages = both_days.execute(
        """
        select distinct old.ordered_at - new.ordered_at
        from one.orders old join two.orders new using (order_id)
        """
    ).fetchall()
    assert [age.days for (age,) in ages] == [1]


def test_some_churn_because_time_passed(both_days):
    """They did nothing; their last order is now more than 180 days ago."""
    churned = members(both_days, "churned", "two", "customer_id") - members(
        both_days, "churned", "one", "customer_id"
    )
    untouched = both_days.execute(
        """
        select lower(customer_id)
        from one.customers old join two.customers new using (customer_id)
        where (old.orders_count, old.total_spent) = (new.orders_count, new.total_spent)
        """
    ).fetchall()
    assert len(churned & {key for (key,) in untouched}) >= 5
