"""The guards over HTTP: what looks like a mistake upstream is held, in a sync and in a repair."""

import json

import pytest

EMAILS = [f"u{number}@example.com" for number in range(120)]


@pytest.mark.parametrize("size", [3, 8, 10])
def test_a_small_segment_does_not_lose_everybody(company, size):
    """The column is switched or hashed: other identifiers, of people who are not in Intercom."""
    company.people(*EMAILS[:size])
    company.members(EMAILS[:size])
    company.synced()
    company.members([f"hashed{number}" for number in range(size)])
    held = company.sync()
    assert held.status == "held"
    assert held.reason.startswith(f"None of the {size} tagged contacts would keep the tag.")
    assert company.tagged() == set(EMAILS[:size])
    assert company.sync(allow_large_removal=True).status == "ok"
    assert company.tagged() == set()


def test_a_segment_that_turns_over_completely_is_declared_so(company):
    """Its share is 1."""
    company.declared["activations"]["vip"] = {"guards": {"max_removed_share": 1}}
    company.people(*EMAILS[:8])
    company.members(EMAILS[:4])
    company.synced()
    company.members(EMAILS[4:8])
    company.synced()
    assert company.tagged() == set(EMAILS[4:8])


def test_ten_members_with_other_users_for_company_are_not_lost_among_contacts(company):
    """By contacts 12 of 52 leave, by members 12 of 13."""
    company.people(*EMAILS[:12], *[{"email": "shared@example.com"}] * 40)
    company.members([*EMAILS[:12], "shared@example.com"])
    company.synced()
    company.members(["shared@example.com"])
    assert company.sync().reason.startswith("12 of 13 tagged members (92%) would lose the tag;")


def test_a_repair_does_not_untag_everybody_for_a_broken_segment(company, dinmo):
    """The ledger is empty, since the tag was imported again; one member of 99 is left in the segment."""
    company.people(*EMAILS[:99])
    company.members(EMAILS[:99])
    company.synced()
    with company.state.transaction() as connection:
        connection.execute("DELETE FROM dinmo.tagged_contacts")
    company.members(EMAILS[:1])
    printed = dinmo("reconcile", "vip", "--repair", "--recent-minutes", "0", "--json")
    found = json.loads(printed.out)["vip"]
    assert (printed.code, found["status"], found["repaired"]) == (3, "held", 0)
    assert found["reason"].startswith("98 of 99 tagged contacts (99%) would lose the tag;")
    assert "`dinmo reconcile vip --repair --allow-large-removal`" in found["reason"]
    assert len(company.tagged()) == 99
    released = dinmo("reconcile", "vip", "--repair", "--recent-minutes", "0", "--allow-large-removal")
    assert released.code == 0
    assert company.tagged() == set(EMAILS[:1])


def test_a_segment_of_everybody_is_held(company, dinmo):
    """A condition that was lost sends the campaign to all of them."""
    everybody = [f"x{number}@example.com" for number in range(1_200)]
    company.people(*EMAILS[:10], *everybody)
    company.members(EMAILS[:10])
    company.synced()
    company.members([*EMAILS[:10], *everybody])
    printed = dinmo("plan", "vip")
    assert printed.code == 3
    assert (
        "The segment would grow from 10 to 1,210 members; max_growth allows 5 times as many." in printed.err
    )
    held = company.sync()
    assert (held.status, held.hold_reason) == ("held", "max_growth")
    assert dinmo("sync", "vip", "--allow-large-removal").code == 3
    assert dinmo("sync", "vip", "--allow-large-growth").code == 0
