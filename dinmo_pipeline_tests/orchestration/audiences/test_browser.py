"""What a person sees in the Dagster UI: the page of an audience, a held one, and the launchpad."""

import os
import re
import socket
import subprocess
import sys
from contextlib import contextmanager

import pytest

from dinmo_pipeline_tests.browser import browser_in, shown

ANA, BEN = "ana@example.com", "ben@example.com"
MODULE = "dinmo_pipeline.definitions"


@contextmanager
def webserver(company, dagster_home):
    """The address of a webserver on the instance of a company."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with subprocess.Popen(
        [sys.executable, "-m", "dagster_webserver", "-m", MODULE, "--port", str(port)],
        env={**os.environ, "DINMO_CONFIG": str(company.declarations), "DAGSTER_HOME": str(dagster_home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            said = []
            for line in process.stdout:
                said.append(line)
                if f"Serving dagster-webserver on http://127.0.0.1:{port}" in line:
                    break
            else:
                raise AssertionError("".join(said))
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.communicate()


@pytest.mark.long
def test_the_ui_shows_an_audience_a_hold_and_two_decisions(stored_company, dagster_home, tmp_path):
    """In words, with masked people."""
    load = browser_in(tmp_path / "profile")
    stored_company.people(ANA, BEN)
    stored_company.members([ANA, BEN, "nobody@example.com"])
    stored_company.activate("gone")
    stored_company.members([ANA], "gone")
    for key in ("vip", "gone"):
        stored_company.synced(key)
    stored_company.members([], "gone")
    assert stored_company.sync("gone").status == "held"
    with webserver(stored_company, dagster_home) as address:
        audience = shown(load(f"{address}/assets/audiences/vip"))
        held = shown(load(f"{address}/assets/audiences/gone?view=checks"))
        launchpad = shown(load(f"{address}/locations/{MODULE}/jobs/apply_tag_changes/playground"))
    for words in (
        "VIP: a tag in Intercom, on the users in the segment VIP.",
        "what_happened",
        "2 tagged, 1 not in Intercom, in ",
        "sample_tagged",
        "a***@e***.com, b***@e***.com",
        "add the filter Tag is VIP",
        "intercom_tags",
    ):
        assert words in audience, words
    assert ANA not in audience
    assert "in_sync Failed" in held
    assert "Held. The segment became empty: the only tagged contact would lose the tag." in held
    assert "dinmo sync gone --allow-large-removal" in held
    offered = re.search(r"ops : (.*?)\{", launchpad)[1]
    assert re.findall(r"(\w+) : (\w+)", offered)[-2:] == [
        ("allow_large_growth", "false"),
        ("allow_large_removal", "false"),
    ]
    assert "activation_" not in launchpad
