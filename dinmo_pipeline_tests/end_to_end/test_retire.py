"""Retire: contacts that we tagged are untagged, and the activation is closed."""

import json

import pytest

ANA, BEN, CLEO, EVE = (f"{name}@example.com" for name in ("ana", "ben", "cleo", "eve"))


@pytest.fixture
def orphan(company):
    """Ana and Ben carry the tag of `vip`, Eve carries it by hand, and `vip` is no longer declared."""
    *_, eve = company.people(ANA, BEN, CLEO, EVE)
    company.members([ANA, BEN])
    tag = company.intercom_call("POST", "/tags", json={"name": "VIP"})
    company.intercom_call("POST", f"/contacts/{eve}/tags", json={"id": tag["id"]})
    company.synced()
    company.declared["segments"], company.declared["activations"] = {}, {}
    company.activate("other")
    company.calls()


@pytest.mark.usefixtures("orphan")
def test_an_orphan_is_retired_and_no_longer_listed(company, dinmo):
    """One call per contact of ours. The tag itself, other people's tags, and the history stay."""
    assert "dinmo retire vip" in dinmo("status").out
    printed = dinmo("retire", "vip", "--yes", "--json")
    assert printed.code == 0
    done = json.loads(printed.out)["vip"]
    assert (done["status"], done["untagged"], done["api_calls"]) == ("ok", 2, 3)
    assert company.calls() == {"GET /tags/{id}": 1, "DELETE /contacts/{id}/tags/{tag_id}": 2}
    assert company.tagged() == {EVE}
    assert set(json.loads(dinmo("status", "--json").out)) == {"other"}
    assert company.rows(
        "SELECT count(*), count(left_at) FROM dinmo.membership_history WHERE activation = 'vip'"
    ) == [(2, 2)]
    assert company.rows("SELECT status, to_untag, untagged FROM dinmo.syncs ORDER BY started_at") == [
        ("ok", 0, 0),
        ("ok", 2, 2),
    ]


@pytest.mark.usefixtures("orphan")
def test_nothing_happens_without_a_confirmation(company, dinmo):
    """There is no terminal to ask for one here."""
    printed = dinmo("retire", "vip")
    assert printed.code == 2
    assert "1 contact that we did not tag keeps 'VIP'." in printed.err  # Eve
    assert "Remove 'VIP' of activation 'vip' from 2 contacts?" in printed.err
    assert "confirm with --yes." in printed.err
    assert company.calls() == {}


def test_an_activation_in_use_is_refused_until_it_is_disabled(company, dinmo):
    """Its next sync would undo the retirement."""
    company.people(ANA)
    company.members([ANA])
    company.synced()
    printed = dinmo("retire", "vip", "--yes")
    assert printed.code == 2
    assert "set `enabled: false`" in printed.err
    assert company.tagged() == {ANA}
    company.declared["activations"]["vip"] = {"enabled": False}
    assert dinmo("retire", "vip", "--yes").code == 0
    assert company.tagged() == set()


def test_an_unknown_activation_is_wrong_usage(dinmo):
    """The error says where to look."""
    printed = dinmo("retire", "nobody", "--yes")
    assert printed.code == 2
    assert "There is no activation 'nobody'. `dinmo status` lists all." in printed.err


@pytest.mark.usefixtures("orphan")
def test_a_destination_that_is_gone_is_a_clear_error(company, dinmo):
    """Its token is no longer known."""
    company.declared["destinations"]["renamed"] = company.declared["destinations"].pop("main")
    printed = dinmo("retire", "vip", "--yes")
    assert printed.code == 1
    assert "The tag 'VIP' is on 2 contacts of destination 'main', which is no longer declared." in printed.err
    assert "Traceback" not in printed.err
    assert company.tagged() == {ANA, BEN, EVE}


@pytest.mark.usefixtures("orphan")
def test_running_it_again_completes_what_failed(company, dinmo):
    """The activation stays listed until then."""
    company.faults({"match": {"method": "DELETE"}, "kind": "status", "status": 422, "times": 1})
    printed = dinmo("retire", "vip", "--yes", "--json")
    done = json.loads(printed.out)["vip"]
    assert (printed.code, done["status"]) == (1, "failed")
    assert (done["untagged"], done["failed"]) == (1, 1)
    assert json.loads(dinmo("status", "--json").out)["vip"]["tagged_contacts"] == 1
    assert json.loads(dinmo("retire", "vip", "--yes", "--json").out)["vip"]["untagged"] == 1
    assert company.tagged() == {EVE}


def test_an_activation_under_a_new_key_takes_over_the_tag(company, dinmo):
    """Refused until a person says that the new key replaces the old one; then without a call."""
    company.people(ANA, BEN)
    company.members([ANA, BEN])
    company.synced()
    company.declared["activations"] = {"important": {"segment": "vip", "name": "Important"}}
    company.members([ANA])
    company.declared["activations"]["important"]["name"] = "vip"
    refused = company.sync("important")
    assert refused.reason == (
        "The tag 'VIP' belongs to activation 'vip', so activation 'important' cannot use it. If 'important'"
        " replaces it, run `dinmo retire vip --hand-over-to important`. If 'vip' is declared by another"
        " project, give 'important' another `name`."
    )
    company.calls()
    assert dinmo("retire", "vip", "--hand-over-to", "important").code == 2
    printed = dinmo("retire", "vip", "--hand-over-to", "important", "--yes")
    assert (printed.code, company.calls()) == (0, {})
    assert "the tag 'VIP' on 2 contacts belongs to 'important' now." in printed.out
    assert company.synced("important").numbers.untagged == 1
    assert company.tagged() == {ANA}
    assert set(json.loads(dinmo("status", "--json").out)) == {"important"}


def test_a_tag_is_not_handed_over_to_one_that_has_its_own(company, dinmo):
    """Nor to an activation that is not declared, nor together with --keep-tags."""
    company.people(ANA, BEN)
    company.members([ANA, BEN])
    company.synced()
    company.declared["activations"] = {"important": {"segment": "vip", "name": "Important"}}
    company.synced("important")
    printed = dinmo("retire", "vip", "--hand-over-to", "important", "--yes")
    assert printed.code == 1
    assert "'important' has a tag of its own by now, so it cannot take another." in printed.err
    assert "There is no activation 'nobody'" in dinmo("retire", "vip", "--hand-over-to", "nobody").err
    assert dinmo("retire", "vip", "--hand-over-to", "important", "--keep-tags").code == 2
    assert company.tagged() == {ANA, BEN}


@pytest.mark.usefixtures("orphan")
def test_a_tag_deleted_in_intercom_leaves_nothing_to_untag(company, dinmo):
    """One call shows it, and one that it is the same workspace."""
    (tag,) = company.intercom_call("GET", "/tags")["data"]
    company.intercom_call("DELETE", f"/tags/{tag['id']}")
    company.calls()
    assert dinmo("retire", "vip", "--yes").code == 0
    assert company.calls() == {"GET /tags/{id}": 1, "GET /me": 1}
    assert "vip" not in json.loads(dinmo("status", "--json").out)
