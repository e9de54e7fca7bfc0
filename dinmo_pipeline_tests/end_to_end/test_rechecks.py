"""Facts about people are read again: within the recheck period, on request, and by every reconciliation."""

import json

import pytest

ANA, BEN, CLEO, DAN, NEW = (f"{name}@example.com" for name in ("ana", "ben", "cleo", "dan", "new"))


@pytest.fixture
def ids(company):
    """Ana and Ben are members and carry the tag; Cleo is a user. Ids by email."""
    ids = company.people(ANA, BEN, CLEO)
    company.members([ANA, BEN])
    company.synced()
    company.calls()
    return dict(zip((ANA, BEN, CLEO), ids, strict=True))


def change(company, contact, **attributes):
    """As another program does it."""
    company.intercom_call("PUT", f"/contacts/{contact}", json=attributes)


def recheck(dinmo):
    """`dinmo sync --recheck`, and a second sync that follows up what it found."""
    assert dinmo("sync", "vip", "--recheck", "--allow-large-removal").code == 0
    assert dinmo("sync", "vip", "--allow-large-removal").code == 0


def test_an_email_that_changed_loses_the_tag(company, ids, dinmo):
    """The contact is a stranger now, and the member is not in Intercom."""
    change(company, ids[ANA], email=NEW)
    assert company.synced().numbers.api_calls == 1
    recheck(dinmo)
    assert company.tagged() == {BEN}
    assert company.rows("SELECT identifier FROM dinmo.missing_members") == [(ANA,)]


def test_an_email_that_moved_to_another_contact_takes_the_tag_along(company, ids, dinmo):
    """The former contact has another email now."""
    change(company, ids[ANA], email=NEW)
    change(company, ids[CLEO], email=ANA)
    recheck(dinmo)
    assert company.tagged() == {ANA, BEN}
    assert {row[0] for row in company.rows("SELECT contact_id FROM dinmo.tagged_contacts")} == {
        ids[CLEO],
        ids[BEN],
    }


@pytest.mark.parametrize("policy", ["all", "skip"])
def test_a_second_user_of_an_email_is_noticed(company, ids, dinmo, policy):
    """`on_multiple_users` holds, though no member was missing."""
    company.declared["activations"]["vip"] = {"on_multiple_users": policy}
    company.synced()
    (twin,) = company.people({"email": ANA, "external_id": "twin"})
    recheck(dinmo)
    ledger = {row[0] for row in company.rows("SELECT contact_id FROM dinmo.tagged_contacts")}
    assert ledger == ({ids[ANA], ids[BEN], twin} if policy == "all" else {ids[BEN]})


def test_swapped_external_ids_swap_the_tag(company, dinmo):
    """By user id, one of them a member."""
    one, two = company.people({"email": ANA, "external_id": "1"}, {"email": BEN, "external_id": "2"})
    company.declared["activations"]["vip"] = {"match_by": "user_id", "column": "customer_id"}
    company.members([(ANA, "1")])
    company.synced()
    assert company.tagged() == {ANA}
    change(company, one, external_id="3")
    change(company, two, external_id="1")
    change(company, one, external_id="2")
    recheck(dinmo)
    assert company.tagged() == {BEN}


def test_a_lead_that_becomes_a_user_is_tagged(company, dinmo):
    """No sign-up shows it: the contact is old."""
    (lead,) = company.people({"email": ANA, "role": "lead"})
    company.members([ANA])
    company.synced()
    assert company.tagged() == set()
    change(company, lead, role="user")
    recheck(dinmo)
    assert company.tagged() == {ANA}


def test_an_archived_user_is_forgotten_and_found_again(company, ids, dinmo):
    """It keeps its tag in the archive."""
    company.intercom_call("POST", f"/contacts/{ids[ANA]}/archive")
    recheck(dinmo)
    assert company.rows("SELECT identifier FROM dinmo.missing_members") == [(ANA,)]
    company.intercom_call("POST", f"/contacts/{ids[ANA]}/unarchive")
    recheck(dinmo)
    assert company.tagged() == {ANA, BEN}
    assert company.rows("SELECT count(*) FROM dinmo.tagged_contacts") == [(2,)]


def test_reconcile_reads_the_facts_that_its_pages_show_anyway(company, ids, dinmo):
    """Not only the recheck: an email that moved is drift, and repaired."""
    change(company, ids[ANA], email=NEW)
    command = ("reconcile", "vip", "--json", "--recent-minutes", "0")
    found = json.loads(dinmo(*command).out)["vip"]
    assert (found["status"], found["unexpected"]) == ("drift", 1)
    assert json.loads(dinmo(*command, "--repair").out)["vip"]["status"] == "repaired"
    assert company.tagged() == {BEN}
    assert json.loads(dinmo(*command).out)["vip"]["status"] == "ok"
