"""The page about moving over from another tool: its steps, with a tag that another tool has set."""

MEMBERS = [f"user{number}@example.com" for number in range(60)]
LEFT = [f"left{number}@example.com" for number in range(15)]


def test_a_tag_is_taken_over_and_nobody_loses_it_for_a_moment(company, dinmo):
    """Each step says what the page says. Until a person decides, no call untags anybody."""
    ids = company.people(*MEMBERS, *LEFT)
    tag = company.intercom_call("POST", "/tags", json={"name": "VIP"})
    for contact in ids[:50] + ids[60:]:
        company.intercom_call("POST", f"/contacts/{contact}/tags", json={"id": tag["id"]})
    company.members(MEMBERS)
    company.calls()
    assert "vip: 65 contacts that we did not tag carry the tag. Decide with" in dinmo("plan", "vip").err
    assert dinmo("sync", "vip").code == 0
    assert company.tagged() == {*MEMBERS, *LEFT}
    compared = dinmo("reconcile", "vip", "--take-over")
    assert "15 contacts that we did not tag, and that are not members, would lose the tag." in compared.err
    assert not [call for call in company.calls() if call.startswith("DELETE")]
    assert len(company.intercom_call("GET", "/tags")["data"]) == 1
    company.declared["activations"]["vip"] = {"on_existing_carriers": "keep"}
    company.synced()
    assert company.tagged() == {*MEMBERS, *LEFT}
    company.declared["activations"]["vip"] = {"on_existing_carriers": "take_over"}
    company.synced()
    assert company.tagged() == set(MEMBERS)
