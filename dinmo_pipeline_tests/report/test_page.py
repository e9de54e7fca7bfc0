"""The report as a person gets it: a real browser loads the page, draws its charts, and shows these texts."""

import os
import re
import subprocess
import sys
from contextlib import contextmanager
from datetime import timedelta
from importlib.util import find_spec

import pytest
import requests

from dinmo_pipeline.state.looking.audiences import last_moves, overlap_of, periods
from dinmo_pipeline.state.membership import refresh_membership
from dinmo_pipeline_tests.browser import browser_in, shown
from dinmo_pipeline_tests.state.declaring import NOW, rows_of, staged

ANA, BEN, CLEO = "ana@example.com", "ben@example.com", "cleo@example.com"
has_libraries = find_spec("vl_convert") is not None


@pytest.fixture
def browser(tmp_path):
    """Loads a page in a browser; the document after its scripts ran."""
    load = browser_in(tmp_path / "profile")
    return lambda page, *options: load(page.as_uri(), *options)


@pytest.mark.skipif(not has_libraries, reason="the extra `report` is not installed: no vl-convert-python")
def test_a_browser_shows_every_audience_with_its_charts(company, dinmo, browser):
    """Offline, with masked members, whatever their names and those of tags contain."""
    company.people(ANA, BEN)
    company.activate("gone", name="<b>Gone</b> & </script>")
    company.members([ANA, BEN, CLEO])
    company.members([ANA, BEN], "gone")
    dinmo("sync", "--all")
    company.members([BEN, CLEO])
    company.declared["segments"]["gone"]["table"] = "nowhere"
    dinmo("sync", "--all")
    page = company.folder / "audience.html"
    printed = dinmo("report", "--out", str(page))
    assert (printed.code, printed.out.startswith(f"{page}: 2 audiences, ")) == (0, True), printed.err
    text = page.read_text()
    assert ANA not in text
    assert not re.search(
        r"<[^>]+\b(src|href)=\"(?!#)", re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL)
    )
    assert "default-src 'none'" in text  # the browser lets no script load anything
    document = browser(page)
    assert document.count('data-drawn="yes"') == 7  # three for each audience, and the calls
    assert document.count('<svg xmlns="') == 7
    seen = shown(document)
    for words in (
        "2 audiences 1 needs a look",
        "&lt;b&gt;Gone&lt;/b&gt; &amp; &lt;/script&gt;",
        "The segment could not be read, since ",
        "failed",
        "Who is in several",
        "left a***@e***.com",
        "members",
        "tagged",
        "What the numbers mean",
        "The share of members that are users in Intercom",
    ):
        assert words in seen, words
    # Only an earlier report is replaced.
    assert dinmo("report", "--out", str(page), "--days", "365").code == 0
    assert "week by week" in page.read_text()


@contextmanager
def served(declarations):
    """The address of a running `dinmo report --serve`; it must end cleanly on SIGTERM."""
    with subprocess.Popen(
        [sys.executable, "-u", "-m", "dinmo_pipeline.cli", "report", "--serve"],
        env={**os.environ, "DINMO_CONFIG": str(declarations)},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield re.search(r"http://[\d.:]+", process.stdout.readline())[0]
        finally:
            process.terminate()
    assert process.returncode == 0


@pytest.mark.skipif(not has_libraries, reason="the extra `report` is not installed: no vl-convert-python")
def test_a_served_report_is_made_anew_for_each_look_at_it(company, dinmo):
    """And only for browsers of this machine, by its own name."""
    company.members([ANA])
    dinmo("sync", "vip")
    with served(company.declarations) as address:
        first = requests.get(address, timeout=60)
        assert (first.status_code, first.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
        assert "1 audience" in shown(first.text)
        company.activate("new")
        company.declarations  # noqa: B018  # writes them
        assert "2 audiences" in shown(requests.get(address, timeout=60).text)
        assert requests.get(f"{address}/state.duckdb", timeout=60).status_code == 404
        renamed = requests.get(address, headers={"Host": "evil.example:80"}, timeout=60)
        assert (renamed.status_code, "audience" in renamed.text) == (403, False)
        (company.folder / "state.duckdb").write_bytes(b"not a database" * 1_000)
        broken = requests.get(address, timeout=60)
        assert (broken.status_code, broken.headers["Content-Type"]) == (503, "text/plain; charset=utf-8")
        assert "state.duckdb cannot be opened" in broken.text
        company.declared["activations"]["new"]["shedule"] = "never"
        company.declared["nonsense"] = {}
        company.declarations  # noqa: B018
        assert "`nonsense` is not a known section" in requests.get(address, timeout=60).text


@pytest.mark.skipif(has_libraries, reason="the extra `report` is installed")
def test_without_its_libraries_the_report_names_the_extra(dinmo):
    """And writes nothing."""
    printed = dinmo("report")
    assert printed.code == 1
    assert "The report needs vl-convert-python. Run pip install 'dinmo-pipeline[report]'." in printed.err


@pytest.mark.skipif(not has_libraries, reason="the extra `report` is not installed: no vl-convert-python")
def test_a_file_that_is_no_report_is_not_replaced(company, dinmo):
    """Nor is one written where nobody can."""
    mine = company.folder / "mine.html"
    mine.write_text("mine")
    printed = dinmo("report", "--out", str(mine))
    assert (printed.code, "was not written by this command" in printed.err) == (1, True)
    assert mine.read_text() == "mine"
    assert "Cannot write the report" in dinmo("report", "--out", str(company.folder / "no" / "page.html")).err


def test_the_state_is_aggregated_by_period(company):
    """Readings of a day are one point; moves are the newest; each member is compared once."""
    state = company.state
    for hours, members in enumerate(([ANA, BEN], [BEN], [BEN, CLEO])):
        at = NOW + timedelta(hours=hours)
        refresh_membership(state, "vip", "email", staged(rows_of(members), "email", now=at))
    refresh_membership(state, "other", "email", staged(rows_of([CLEO]), "email", now=NOW))
    with state.reading() as connection:
        (day,) = periods(connection, since=NOW, bucket="day")["vip"]
        assert (day.start, day.members, day.entered, day.left) == (NOW.date(), 2, 3, 1)
        assert (day.tagged, day.not_in_intercom, day.api_calls) == (None, None, 0)
        moves = last_moves(connection, ["vip"], since=NOW)
        assert [who for _, who in moves["vip"].entered] == [CLEO, BEN, ANA]
        assert [who for _, who in moves["vip"].left] == [ANA]
        shared = overlap_of(connection, ["vip", "other"]).shared
    assert shared == {("vip", "vip"): 2, ("vip", "other"): 1, ("other", "vip"): 1, ("other", "other"): 1}
