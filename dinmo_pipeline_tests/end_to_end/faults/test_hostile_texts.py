"""Texts from outside cannot move the cursor, change colours or turn the direction of writing."""

import json

import pytest

ESCAPE, TURN = chr(27), chr(0x202E)
EVIL = f"VIP{ESCAPE}[2J{TURN}dnuos"
ANA = "ana@example.com"


def is_harmless(text):
    """Whether it has neither an escape sequence nor a mark of direction."""
    return ESCAPE not in text and TURN not in text


@pytest.fixture
def renamed(company):
    """Somebody gave the tag a name that clears the screen."""
    company.people(ANA)
    company.members([ANA])
    company.synced()
    (tag,) = company.intercom_call("GET", "/tags")["data"]
    company.intercom_call("POST", "/tags", json={"id": tag["id"], "name": EVIL})


@pytest.mark.usefixtures("renamed")
@pytest.mark.parametrize("words", [("sync",), ("sync", "-v"), ("plan",), ("status",), ("reconcile",)])
def test_a_tags_name_in_intercom_is_escaped_in_the_terminal(dinmo, words):
    """In warnings, tables and logs."""
    printed = dinmo(*words, *(() if words == ("status",) else ("vip",)))
    assert is_harmless(printed.out + printed.err)


@pytest.mark.usefixtures("renamed")
def test_a_tags_name_in_intercom_is_escaped_in_the_log_of_a_run(company):
    """The UI shows it."""
    company.synced()
    (run,) = company.instance.get_run_records(limit=1)
    records = company.instance.get_records_for_run(run.dagster_run.run_id).records
    messages = [record.event_log_entry.user_message for record in records]
    assert any("was renamed in Intercom to" in message for message in messages)
    assert all(map(is_harmless, messages))


def test_intercoms_own_error_texts_are_escaped(company, dinmo):
    """Its code goes into the sentence of the error, the log, and the state."""
    company.people(ANA)
    company.members([ANA])
    company.faults({"match": {"route": "/tags"}, "kind": "status", "status": 422, "code": EVIL})
    printed = dinmo("sync", "vip")
    assert printed.code == 1
    assert is_harmless(printed.out + printed.err)
    assert "VIP\\u001b[2J\\u202ednuos" in printed.err
    assert is_harmless(company.rows("SELECT reason FROM dinmo.syncs")[0][0])


def test_json_stays_json(company, dinmo):
    """Escaped as JSON writes it, so a program reads the same text."""
    company.declared["activations"]["vip"] = {"name": f"VIP {TURN}{chr(0x85)}"[:-1]}
    printed = dinmo("status", "--json")
    assert is_harmless(printed.out)
    assert json.loads(printed.out)["vip"]["tag"] == f"VIP {TURN}"
