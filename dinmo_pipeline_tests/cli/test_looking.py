"""`dinmo who`, `history` and `explain`, how tables fit a terminal, and what the shell completes."""

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios

import pytest
from click.shell_completion import ShellComplete

from dinmo_pipeline.cli.main import dinmo as commands
from dinmo_pipeline.cli.tables import fit
from dinmo_pipeline.sync.standing import State

ANA, BEN, CLEO, DAN = (f"{name}@example.com" for name in ("ana", "ben", "cleo", "dan"))
WHEN = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d")


def whys(dinmo, identifier):
    """Why, by activation."""
    found = json.loads(dinmo("who", identifier, "--json").out)
    return {key: WHEN.sub("WHEN", each["why"]) for key, each in found["activations"].items()}


def test_who_says_since_when_and_why_not(company, dinmo):
    """Tagged, not in Intercom, refused, waiting, held, left; masked unless asked."""
    company.people({"email": ANA, "external_id": "C000421"}, BEN, CLEO)
    company.members([ANA, BEN, DAN])
    company.activate("other")
    company.members([ANA], "other")
    dinmo("sync", "--all")
    found = json.loads(dinmo("who", "C000421", "--json").out)
    assert found["identifiers"] == ["C0***1", "a***@e***.com"]
    assert set(found["activations"]) == {"vip", "other"}
    vip = found["activations"]["vip"]
    assert (vip["tag"], vip["why"], vip["in_since"] < vip["tagged_since"]) == ("VIP", "", True)
    assert ANA in dinmo("who", ANA, "--show").out
    printed = dinmo("who", ANA)
    assert ANA not in printed.out + printed.err
    assert "a***@e***.com" in printed.out
    assert whys(dinmo, DAN) == {"vip": "Not in Intercom: last looked for at WHEN UTC, 1 look so far."}
    company.declared["activations"]["vip"] = {"guards": {"max_failed_share": 1}}
    company.faults({"match": {"method": "DELETE"}, "kind": "status", "status": 422})
    company.members([BEN, CLEO])
    dinmo("sync", "vip")
    assert whys(dinmo, ANA)["vip"].startswith("Left the segment; Intercom refused it at WHEN UTC: 422")
    company.faults()
    company.members([])
    company.definitions(for_a_run=True).resolve_job_def("sync_membership").execute_in_process(
        instance=company.instance, partition_key="vip"
    )
    assert whys(dinmo, BEN)["vip"].startswith("Left the segment; held by a guard: The segment became empty:")
    assert "Never in the segment of 1 other activation." in dinmo("who", CLEO).out


def test_who_does_not_know_a_stranger(company, dinmo):
    """A sentence, and exit code 1."""
    company.members([ANA])
    printed = dinmo("who", "nobody@example.com")
    assert (printed.code, printed.out) == (1, "")
    assert printed.err.startswith("Not found: no segment has had this email or user id")


def test_history_shows_syncs_sizes_and_moves(company, dinmo):
    """With the numbers of each; identifiers are masked."""
    company.people(ANA, BEN)
    company.members([ANA, BEN, CLEO])
    dinmo("sync", "vip")
    company.members([BEN, CLEO, DAN])
    dinmo("sync", "vip")
    found = json.loads(dinmo("history", "vip", "--json").out)
    newest, first = found["syncs"]
    assert (first["entered"], first["to_tag"], first["tagged"], first["match_rate"]) == (3, 3, 2, 0.6667)
    assert (newest["entered"], newest["left"], newest["tagged"], newest["untagged"]) == (1, 1, 0, 1)
    assert [(day["members"], day["entered"], day["left"]) for day in found["days"]] == [(3, 4, 1)]
    assert sorted({(move["change"], move["identifier"]) for move in found["moves"]}) == [
        *(("entered", f"{letter}***@e***.com") for letter in "abcd"),
        ("left", "a***@e***.com"),
    ]
    printed = dinmo("history", "vip", "--days", "1")
    assert printed.out.count(" ok ") == 2
    assert ANA not in printed.out
    assert "There is no activation 'vpi'. Perhaps you meant 'vip'." in dinmo("history", "vpi").err


def test_explain_knows_every_code_and_number(dinmo):
    """One of them, or all."""
    every = json.loads(dinmo("explain", "--json").out)
    assert set(every) >= {*State, "max_removed_share", "not_in_intercom"}
    printed = dinmo("explain", "nobody matched")
    assert printed.out.startswith("nobody_matched: Intercom has no user for any of the members")
    assert dinmo("explain", "overdu").code == 2


def test_every_summary_is_whole_and_every_command_has_examples(dinmo):
    """Nothing is cut in the list of commands; each command shows how it is used."""
    listed = " ".join(dinmo("--help").out.split())
    assert "..." not in listed.replace("[ARGS]...", "")
    for name in commands.commands:
        assert f" {name} " in listed
        assert "\n  Examples:\n    dinmo" in dinmo(name, "--help").out, name


@pytest.mark.parametrize("words", [("status",), ("sync", "--all"), ("plan",), ("segments",)])
def test_tables_fit_a_terminal_of_80_columns(company, dinmo, words):
    """No word is broken, no line is longer, and what was left out is named."""
    company.people(ANA)
    company.activate("a_rather_long_activation_key", description="People who read all of our letters.")
    for table in ("vip", "a_rather_long_activation_key"):
        company.members([ANA, BEN], table)
    dinmo("sync", "vip")
    shown = in_terminal(company, words, width=80)
    table = [
        line for line in shown.splitlines() if re.match(r"(ACTIVATION|SEGMENT|vip|a_rather_long\w*) ", line)
    ]
    assert max(map(len, table)) <= 80, shown
    assert sum(line.startswith("a_rather_long_activation_key ") for line in table) == 1, shown
    assert "Not shown, for lack of room: " in " ".join(shown.split())
    if words == ("status",):
        assert "Not shown" not in in_terminal(company, words, width=240)


def test_what_does_not_fit_is_left_out_in_order():
    """The last column of text may wrap; without room even so, cells do."""
    columns, rows = (
        ("KEY", "A", "B", "TEXT"),
        [["key", "1", "2", "a text of some length, longer than twenty"]],
    )
    assert fit(columns, rows, ("A", "B"), 80).left_out == ()
    assert fit(columns, rows, ("B", "A"), 27).left_out == ("B",)
    assert fit(columns, rows, ("B", "A"), 10).is_tight


def in_terminal(company, words, *, width):
    """What a command prints in a terminal so wide."""
    own, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 50, width, 0, 0))
    environment = {**os.environ, "DINMO_CONFIG": str(company.declarations), "TERM": "xterm"}
    environment.pop("COLUMNS", None)
    process = subprocess.Popen(
        [sys.executable, "-m", "dinmo_pipeline.cli", *words], stdout=its, stderr=its, env=environment
    )
    os.close(its)
    shown = b""
    with process, os.fdopen(own, "rb", buffering=0) as terminal:
        while True:
            try:
                part = terminal.read(4096)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            shown += part
    return re.sub(r"\x1b\[[0-9;]*m", "", shown.decode()).replace("\r\n", "\n")


def test_the_shell_completes_commands_activations_segments_and_codes(company, monkeypatch):
    """By click's own means; nothing while the declarations are wrong."""
    company.activate("churned")
    monkeypatch.setenv("DINMO_CONFIG", str(company.declarations))

    def completed(*words, typed=""):
        shell = ShellComplete(commands, {}, "dinmo", "_DINMO_COMPLETE")
        return [item.value for item in shell.get_completions(list(words), typed)]

    assert completed(typed="hi") == ["history"]
    for command in ("sync", "plan", "history", "reconcile", "pause", "retire"):
        assert completed(command, typed="ch") == ["churned"], command
    assert completed("segments", typed="v") == ["vip"]
    assert completed("explain", typed="over") == ["overdue"]
    monkeypatch.setenv("DINMO_CONFIG", str(company.folder / "missing.yaml"))
    assert completed("sync", typed="") == []
