"""What the page for marketers and the picture in the README show is what commands print.

In a company that was really synced. WRITE_PAGES=1 writes the page and the picture.
"""

import io
import os
import re
import shlex
from pathlib import Path

import duckdb
from rich.console import Console
from rich.text import Text

DOCS = Path(__file__).parents[1] / "docs"
PAGE = DOCS / "guides" / "for-marketers.md"
PICTURE = DOCS / "images" / "terminal.svg"
_IN_PICTURE = (
    "dinmo plan vip_customers",
    "dinmo sync vip_customers",
    "dinmo status",
    "dinmo who ana@example.com",
)
_WIDTH = 80
_CONSOLE = re.compile(r"^```console\n\$ (dinmo [^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# Times, durations and Intercom's ids differ from run to run.
_VARYING = re.compile(r"\d{4}-\d\d-\d\d(.\d\d:\d\d)?|\b[0-9a-f]{2}\*\*\*[0-9a-f]\b|\d+\.\d\b|\d\d:\d\d")
_PEOPLE = [f"user{n:03}@example.com" for n in range(200)]


def test_every_answer_and_the_picture_are_what_the_commands_print(company, dinmo, monkeypatch):
    """In a terminal of 80 columns; question 9 is asked when the table was emptied."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")  # 80 columns
    monkeypatch.chdir(company.folder)
    page, picture = PAGE.read_text("utf-8"), PICTURE.read_text("utf-8") if PICTURE.exists() else ""
    synced_a_week_ago(company)

    def output_of(command):
        printed = dinmo(*shlex.split(command)[1:])
        assert printed.out, printed.err
        return "".join(f"{line.rstrip()}\n" for line in printed.out.splitlines())

    def answer(found):
        if "### 9" in page[: found.start()] and "### 10" not in page[: found.start()]:
            dinmo("resume", "vip_customers")
            customers(company, [])
            dinmo("sync", "vip_customers")
        return f"```console\n$ {found[1]}\n{output_of(found[1])}```"

    drawn = picture_of("\n".join(f"$ {command}\n{output_of(command)}" for command in _IN_PICTURE))
    answered = _CONSOLE.sub(answer, page)
    if os.environ.get("WRITE_PAGES"):
        PAGE.write_text(answered, "utf-8")
        PICTURE.write_text(drawn, "utf-8")
    assert _VARYING.sub("…", answered) == _VARYING.sub("…", page)
    assert _VARYING.sub("…", drawn) == _VARYING.sub("…", picture)
    assert len(_CONSOLE.findall(page)) == 10


def synced_a_week_ago(company):
    """A first sync six days ago. Today 40 have left, Ben has entered, and Ana still is not in Intercom."""
    company.declared["segments"] = {
        "vip_customers": {
            "name": "VIP customers",
            "description": "At least three orders in the last year, and no complaint.",
            "model": "customers",
            "where": [{"field": "orders", "at_least": 3}, {"not": {"field": "complained", "is": True}}],
        }
    }
    company.declared["models"] = {"customers": {"key": "email"}}
    company.declared["activations"] = {"vip_customers": {"schedule": "hourly"}}
    company.people(*_PEOPLE, "ben@example.com")
    customers(company, [*_PEOPLE, "ana@example.com"])
    company.synced("vip_customers")
    with company.state.transaction() as connection:
        for table, column in [
            ("membership_sizes", "materialized_at"),
            ("segment_membership", "entered_at"),
            ("tagged_contacts", "tagged_at"),
            ("syncs", "started_at"),
            ("syncs", "finished_at"),
        ]:
            connection.execute(f"UPDATE dinmo.{table} SET {column} = {column} - to_days(6)")
    customers(company, [*_PEOPLE[40:], "ana@example.com", "ben@example.com"])


def customers(company, emails):
    """Make the table: these people have three orders and no complaint, and nobody else is in it."""
    with duckdb.connect(str(company.folder / "warehouse.duckdb")) as connection:
        connection.execute(
            "CREATE OR REPLACE TABLE customers AS"
            " SELECT unnest($1::VARCHAR[]) AS email, 3 AS orders, false AS complained",
            [emails],
        )


def picture_of(text):
    """A terminal with this text as SVG, which loads nothing from elsewhere."""
    console = Console(
        record=True, width=_WIDTH, file=io.StringIO(), force_terminal=True, legacy_windows=False
    )
    for line in text.splitlines():
        console.print(Text(line, style="bold green" if line.startswith("$ ") else ""))
    svg = console.export_svg(title="dinmo", unique_id="terminal")
    return re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
