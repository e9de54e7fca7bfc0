"""Each command as a person or a program uses it: its output, its errors and its exit code."""

import json
import os
import subprocess
import sys

import duckdb
import pytest

from dinmo_pipeline.cli.main import dinmo as commands
from dinmo_pipeline.config import fingerprint, load_project
from dinmo_pipeline.orchestration.build import build_definitions
from dinmo_pipeline_tests.chat import chat_of_a_test
from dinmo_pipeline_tests.ticking import Ticks

ANA, BEN, CLEO = "ana@example.com", "ben@example.com", "cleo@example.com"
NUMBERS = {
    "members",
    "entered",
    "left",
    "to_tag",
    "to_untag",
    "tagged",
    "untagged",
    "skipped",
    "not_found",
    "not_in_intercom",
    "never_looked_up",
    "match_rate",
    "ambiguous",
    "failed",
    "pending",
    "api_calls",
    "seconds",
    "other_carriers",
    "tagged_contacts",
}


def test_sync_json_prints_one_object_with_the_documented_keys(company, dinmo):
    """Logs and errors go to standard error."""
    company.people(ANA, BEN)
    company.members([ANA, BEN, CLEO])
    printed = dinmo("sync", "vip", "--json")
    assert printed.code == 0
    found = json.loads(printed.out)
    assert set(found) == {"vip"}
    assert set(found["vip"]) == {"status", *NUMBERS}
    assert found["vip"]["status"] == "ok"
    assert (found["vip"]["members"], found["vip"]["tagged"]) == (3, 2)


def test_plan_shows_what_a_sync_would_do_and_writes_nothing(company, dinmo):
    """It writes neither to Intercom nor to the state, and its estimate of calls holds.

    Before a first sync it asks which tags there are, and how many users.
    """
    company.people(ANA, BEN)
    company.members([ANA, BEN, CLEO])
    company.calls()
    printed = dinmo("plan", "vip", "--json")
    planned = json.loads(printed.out)["vip"]
    assert printed.code == 0
    assert set(planned) >= NUMBERS
    assert (planned["to_tag"], planned["pending"], planned["tagged"]) == (3, 3, 0)
    assert company.calls() == {"GET /tags": 1, "POST /contacts/search": 1}
    assert not (company.folder / "state.duckdb").exists()
    synced = json.loads(dinmo("sync", "vip", "--json").out)["vip"]
    assert synced["api_calls"] <= planned["api_calls"]


def test_plan_does_not_touch_an_existing_state(company, dinmo):
    """The file stays the same byte for byte."""
    company.people(ANA)
    company.members([ANA])
    dinmo("sync", "vip")
    before = (company.folder / "state.duckdb").read_bytes()
    company.members([BEN])
    printed = dinmo("plan", "--json")
    assert json.loads(printed.out)["vip"]["to_untag"] == 1
    assert (company.folder / "state.duckdb").read_bytes() == before


def test_held_changes_exit_with_three(company, dinmo):
    """In plan and in sync, with the command that releases them."""
    company.people(ANA)
    company.members([ANA])
    dinmo("sync", "vip")
    company.members([])
    assert dinmo("plan").code == 3
    held = dinmo("sync", "vip")
    assert held.code == 3
    assert held.err == (
        "vip: held. The segment became empty: the only tagged contact would lose the tag. Nothing was"
        " applied. If the removal is intended, run `dinmo sync vip --allow-large-removal`, or launch"
        " apply_tag_changes with allow_large_removal: true. A smaller change set is released by itself.\n"
    )
    assert json.loads(dinmo("sync", "vip", "--json").out)["vip"]["status"] == "held"
    assert dinmo("sync", "vip", "--allow-large-removal").code == 0
    assert company.tagged() == set()


def test_a_warning_of_a_run_is_printed_as_a_sentence(company, dinmo):
    """The date, run and step that Dagster puts before it are left out."""
    company.people(ANA)
    company.members([ANA])
    dinmo("sync", "vip")
    (tag,) = company.intercom_call("GET", "/tags")["data"]
    company.intercom_call("POST", "/tags", json={"id": tag["id"], "name": "Our best"})
    printed = dinmo("sync", "vip")
    assert printed.code == 0
    assert printed.err == (
        "The tag of vip was renamed in Intercom to 'Our best'. The sync goes on with it under that name.\n"
    )


def test_the_worst_of_several_syncs_is_the_exit_code(company, dinmo):
    """Failed outranks held, and held outranks ok."""
    company.people(ANA, BEN)
    for key in ("empty", "broken"):
        company.activate(key)
        company.members([BEN], key)
    company.members([ANA])
    dinmo("sync", "--all")
    company.members([], "empty")
    assert dinmo("sync", "vip", "empty").code == 3
    company.declared["segments"]["broken"] = {"name": "Broken", "table": "gone"}
    printed = dinmo("sync", "--all", "--json")
    assert printed.code == 1
    statuses = {key: found["status"] for key, found in json.loads(printed.out).items()}
    assert statuses == {"vip": "ok", "empty": "held", "broken": "failed"}


def test_sync_all_leaves_out_what_is_disabled(company, dinmo):
    """It can still be named."""
    company.activate("paused", enabled=False)
    company.members([ANA], "paused")
    company.members([ANA])
    assert set(json.loads(dinmo("sync", "--all", "--json").out)) == {"vip"}
    assert set(json.loads(dinmo("sync", "paused", "--json").out)) == {"paused"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("sync",), "Name the activations to sync, or use --all."),
        (("sync", "vpi"), "There is no activation 'vpi'. Perhaps you meant 'vip'."),
        (("sync", "vip", "--all"), "Name the activations to sync, or use --all."),
        (("plan", "nobody"), "There is no activation 'nobody'. Declared: vip."),
        (("frobnicate",), "No such command 'frobnicate'."),
    ],
)
def test_wrong_usage_exits_with_two_and_says_what_is_right(dinmo, words, said):
    """The message says what is right, and nothing is synced."""
    printed = dinmo(*words)
    assert printed.code == 2
    assert said in printed.err
    assert printed.out == ""


def test_wrong_declarations_exit_with_two_and_name_file_and_line(company, dinmo):
    """In every command that reads them."""
    company.declared["activations"]["vip"] = {"shedule": "0 * * * *"}
    for words in (("check",), ("plan",), ("sync", "--all"), ("sync", "vip")):
        printed = dinmo(*words)
        assert printed.code == 2
        assert "dinmo.yaml:" in printed.err
        assert "schedule" in printed.err
        assert "Traceback" not in printed.err
    company.declared["source"]["typ"] = "duckdb"
    for words in (("check",), ("plan",), ("sync", "--all"), ("status",)):
        printed = dinmo(*words)
        assert (printed.code, printed.out) == (2, "")
        assert "There is no setting `typ` here" in printed.err


def test_check_counts_and_check_online_asks_source_and_destination(company, dinmo):
    """An unknown column is an error in the declarations, with the nearest name."""
    company.members([ANA, BEN])
    assert dinmo("check").out == (
        "The declarations are valid: 1 segment, 1 activation, 1 destination.\n"
        "Not asked: the source (tables, columns, types, sizes) and Intercom (tokens, workspaces)."
        " `dinmo check --online` asks them.\n"
    )
    online = json.loads(dinmo("check", "--online", "--json").out)
    assert online["members"] == {"vip": 2}
    assert online["workspaces"]["main"]["id"] == "emul8tor"
    company.declared["activations"]["vip"] = {"column": "emial"}
    printed = dinmo("check", "--online")
    assert printed.code == 2
    assert "emial" in printed.err
    assert "email" in printed.err


def test_check_online_reports_that_alerts_go_nowhere(company, dinmo, monkeypatch):
    """The webhook's variable is not set; nothing is posted to find out."""
    company.members([ANA, BEN])
    company.declared["alerts"] = {"webhook": {"env": "TEST_ALERTS_WEBHOOK"}}
    printed = dinmo("check", "--online")
    assert printed.code == 2
    assert printed.err == (
        "alerts: the environment variable TEST_ALERTS_WEBHOOK is not set, so its alerts go nowhere.\n"
    )
    monkeypatch.setenv("TEST_ALERTS_WEBHOOK", "http://127.0.0.1:1/")
    assert dinmo("check", "--online").code == 0


def test_alerts_test_sends_a_message_to_each_place_that_alerts_go_to(company, dinmo, monkeypatch):
    """A place that several destinations share gets one message; the exit code says whether all arrived."""
    main = company.declared["destinations"]["main"]
    eu = {**main, "alerts": {"webhook": {"env": "TEST_EU"}}}
    company.declared |= {
        "alerts": {"webhook": {"env": "TEST_ALERTS"}, "dagster_url": "https://dagster.example.com/"},
        "destinations": {"main": main, "us": main, "eu": eu},
        "activations": {"vip": {"destination": "main"}},
    }
    printed = dinmo("alerts", "test", "eu", "--json")
    assert printed.code == 1
    assert json.loads(printed.out) == {
        "webhook in TEST_EU": {
            "sent": False,
            "error": "TEST_EU is not set to a URL (https://…), so alerts go nowhere.",
        }
    }
    with chat_of_a_test() as chat, chat_of_a_test() as chat_eu:
        monkeypatch.setenv("TEST_ALERTS", chat.url)
        monkeypatch.setenv("TEST_EU", chat_eu.url)
        printed = dinmo("alerts", "test")
        assert printed.out == "Sent: webhook in TEST_ALERTS.\nSent: webhook in TEST_EU.\n"
        assert printed.code == 0
        (told,), (told_eu,) = chat.take(), chat_eu.take()
    assert told.endswith(": main, us. https://dagster.example.com")
    assert told_eu.endswith(": eu. https://dagster.example.com")
    assert "Declared: main, us, eu." in dinmo("alerts", "test", "ue").err
    del company.declared["alerts"], eu["alerts"]
    assert "No alerts are declared." in dinmo("alerts", "test").err


def test_status_shows_each_activation_and_what_is_orphaned(company, dinmo):
    """Before the first sync, after it, and after the activation was removed from the declarations."""
    company.people(ANA)
    company.members([ANA, BEN])
    assert "never synced" in dinmo("status").out
    dinmo("sync", "vip")
    row = json.loads(dinmo("status", "--json").out)["vip"]
    assert (row["members"], row["tagged_contacts"], row["changes"]) == (2, 1, 0)
    assert row["last_status"] == "ok"
    company.declared["segments"], company.declared["activations"] = {}, {}
    company.activate("other")
    printed = dinmo("status")
    assert "vip: orphaned. No longer declared; its contacts keep their tag." in printed.out


def test_status_warns_while_the_daemon_has_older_declarations(company, dinmo):
    """Each tick records what the daemon has loaded; a daemon that stopped is not warned about."""
    company.members([ANA])

    def tick():
        project = load_project(company.declarations)
        print_of_files = fingerprint(company.declarations)
        Ticks(build_definitions(project, os.environ, fingerprint=print_of_files), company.instance).tick()

    tick()
    assert dinmo("status").err == ""
    company.activate("trial")
    assert dinmo("status").err.startswith("The running daemon does not have these declarations")
    tick()
    assert dinmo("status").err == ""
    company.activate("other")
    (recorded,) = company.folder.glob("state.duckdb.locks/declarations-of-the-daemon")
    os.utime(recorded, (0, 0))
    assert dinmo("status").err == ""


def test_sync_waits_for_a_state_in_use_and_says_so(company, dinmo):
    """Another process holds the file until the sync says that it waits."""
    company.people(ANA)
    company.members([ANA])
    dinmo("sync", "vip")
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(company.folder / "state.duckdb")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with holder:
        assert holder.stdout.readline() == "held\n"
        sync = subprocess.Popen(
            [sys.executable, "-m", "dinmo_pipeline.cli", "sync", "vip"],
            stderr=subprocess.PIPE,
            text=True,
        )
        with sync:
            assert any("which another process is using" in line for line in sync.stderr)
            holder.stdin.close()
            sync.stderr.read()
        assert sync.returncode == 0


# Holds the file open for writing until its input ends.
_HOLD = """
import duckdb, sys
connection = duckdb.connect(sys.argv[1])
print("held", flush=True)
sys.stdin.read()
"""


def test_a_missing_source_says_which_file_and_exits_with_one(dinmo):
    """There is no traceback, and nothing is written."""
    printed = dinmo("plan")
    assert printed.code == 1
    assert "warehouse.duckdb" in printed.err
    assert "Traceback" not in printed.err


def test_schema_is_a_json_schema(dinmo):
    """Editors complete and validate YAML with it."""
    assert json.loads(dinmo("schema").out)["type"] == "object"


def test_schema_replaces_only_its_own_file(dinmo, tmp_path):
    """Anything else is left as it is, with the way out."""
    folder = tmp_path / "editor"
    folder.mkdir()
    own, other = folder / "dinmo.schema.json", folder / "package.json"
    assert dinmo("schema", "--out", str(own)).code == 0
    written = own.read_text()
    own.write_text(written.replace("segments", "sections"))
    assert dinmo("schema", "--out", str(own)).code == 0
    assert own.read_text() == written
    assert sorted(path.name for path in folder.iterdir()) == ["dinmo.schema.json"]
    other.write_text("{}")
    refused = dinmo("schema", "--out", str(other))
    assert (refused.code, other.read_text()) == (1, "{}")
    assert "was not written by this command" in refused.err
    assert "No such file or directory" in dinmo("schema", "--out", str(tmp_path / "none" / "x.json")).err


def test_every_command_explains_itself(dinmo):
    """`--help` of each exits with 0 and prints more than its usage."""
    for command in commands.commands:
        printed = dinmo(command, "--help")
        assert printed.code == 0
        assert len(printed.out.splitlines()) > 3


def test_without_dagster_home_a_folder_of_the_project_is_used(company, tmp_path):
    """It is the one that git ignores, with a link to the project's dagster.yaml."""
    company.people(ANA)
    company.members([ANA])
    project = tmp_path / "project"
    project.mkdir()
    (project / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    environment = {k: v for k, v in os.environ.items() if k != "DAGSTER_HOME"}
    environment["DINMO_CONFIG"] = str(company.declarations)
    done = subprocess.run(
        [sys.executable, "-m", "dinmo_pipeline.cli", "sync", "vip", "--json"],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["vip"]["tagged"] == 1
    assert (project / ".dagster" / "dagster.yaml").read_text().startswith("telemetry")
    assert (project / ".dagster" / "history").is_dir()


def test_the_state_can_be_queried_with_plain_duckdb(company, dinmo):
    """Its tables and views are for people too."""
    company.people(ANA)
    company.members([ANA])
    dinmo("sync", "vip")
    with duckdb.connect(str(company.folder / "state.duckdb"), read_only=True) as connection:
        for table in (
            "segment_membership",
            "membership_changes",
            "tagged_contacts",
            "membership_history",
            "change_log",
            "syncs",
        ):
            connection.execute(f"SELECT activation FROM dinmo.{table}").fetchall()
        connection.execute("SELECT destination FROM dinmo.contacts").fetchall()
