"""`dinmo doctor`: findings with their fix. Nothing is created, and one failure stops no other check."""

import json
import os

import pytest
import requests

from dinmo_pipeline_tests.company import TOKEN, TOKEN_VARIABLE


@pytest.fixture
def findings(company, dinmo):
    """The findings by subject, as lists of (status, seen, fix), and the exit code."""
    company.members(["ana@example.com"])

    def call():
        printed = dinmo("doctor", "--json")
        found = {}
        for finding in json.loads(printed.out)["findings"]:
            found.setdefault(finding["subject"], []).append(
                (finding["status"], finding["seen"], finding["fix"])
            )
        return found, printed.code

    return call


def only(found, subject):
    """The one finding of a subject: status, what was seen, and the fix."""
    ((status, seen, fix),) = found[subject]
    return status, seen, fix


def test_all_that_a_sync_needs_is_looked_at(company, findings, dinmo, dagster_home):
    """A project that works, but for the settings of its instance and the daemon."""
    (dagster_home / "dagster.yaml").unlink()
    found, code = findings()
    assert code == 0
    statuses = {subject: {status for status, _, _ in each} for subject, each in found.items()}
    assert statuses == {
        "versions": {"ok"},
        "Dagster UI": {"ok"},
        "declarations": {"ok"},
        "DAGSTER_HOME": {"ok"},
        "settings": {"warn"},
        "source": {"ok"},
        "state": {"ok"},
        "destination main": {"ok"},
        "destination main: permissions": {"ok", "not checked"},
        "destination main: clock": {"ok"},
        "alerts": {"ok"},
        "daemon": {"warn"},
        "disk": {"ok"},
    }
    assert not (company.folder / "state.duckdb").exists()
    assert "Emulated workspace" in only(found, "destination main")[1]
    assert "the first sync" in only(found, "state")[1]
    assert "dagster.yaml does not exist" in only(found, "settings")[1]
    printed = dinmo("doctor").out
    assert "ok    source: duckdb, " in printed
    assert "warn  daemon: It has never run here, so no schedule runs.\n        Run `dinmo dev`" in printed
    assert "0 failures, 2 warnings, " in printed


def test_each_failure_has_its_fix_and_the_rest_is_still_checked(company, findings, monkeypatch, intercom):
    """An unset token, a missing permission, a source that is gone."""
    company.declared["source"]["database"] = "gone.duckdb"
    company.declared["destinations"]["other"] = {
        "access_token": {"env": "TEST_UNSET_TOKEN"},
        "base_url": company.intercom,
    }
    company.declared["activations"]["vip"] = {"destination": "main"}
    monkeypatch.delenv("TEST_UNSET_TOKEN", raising=False)
    requests.post(
        f"{intercom}/_emulator/reset", json={"missing_scopes": ["read_contacts"]}, timeout=30
    ).raise_for_status()
    found, code = findings()
    requests.post(f"{intercom}/_emulator/reset", json={"missing_scopes": []}, timeout=30)
    assert code == 1
    assert only(found, "source")[0] == "fail"
    status, seen, fix = only(found, "destination other")
    assert (status, "TEST_UNSET_TOKEN" in seen, "Set TEST_UNSET_TOKEN" in fix) == ("fail", True, True)
    assert only(found, "destination main")[0] == "ok"
    assert [status for status, _, _ in found["destination main: permissions"]] == [
        "fail",
        "ok",
        "not checked",
    ]
    assert "Read and list users and companies" in found["destination main: permissions"][0][2]
    assert only(found, "destination main: clock")[0] == "ok"
    assert only(found, "disk")[0] == "ok"
    shown = json.dumps(found)
    assert TOKEN not in shown
    monkeypatch.setenv(TOKEN_VARIABLE, "wrong")
    found, code = findings()
    assert (code, only(found, "destination main")[0]) == (1, "fail")
    assert f"Put a token of the workspace into {TOKEN_VARIABLE}" in only(found, "destination main")[2]


def test_wrong_declarations_are_one_failure_with_the_way_to_the_rest(company, dinmo):
    """What needs them is not checked; what does not, is."""
    company.declared["activations"]["vip"] = {"shedule": "hourly"}
    printed = dinmo("doctor")
    assert printed.code == 1
    assert "FAIL  declarations: " in printed.out
    assert "dinmo.yaml:" in printed.out
    assert "Run `dinmo check`" in printed.out
    assert "?     source: There are no declarations to check it by." in printed.out
    assert "ok    disk: " in printed.out


def test_without_declarations_it_says_so_and_creates_nothing(tmp_path, monkeypatch, capfd):
    """In an empty folder, with nothing set."""
    from dinmo_pipeline.cli import main  # noqa: PLC0415  # few tests need it; measured, 0.3 s

    folder = tmp_path / "empty"
    folder.mkdir()
    monkeypatch.chdir(folder)
    for name in ("DINMO_CONFIG", "DAGSTER_HOME"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(SystemExit) as exit_:
        main(["doctor"])
    assert exit_.value.code == 1
    assert "Run `dinmo init`" in capfd.readouterr().out
    assert os.listdir(folder) == []  # noqa: PTH208
