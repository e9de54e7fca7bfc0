"""A tag belongs to one activation of a workspace, whatever is renamed, and whoever comes first."""

from concurrent.futures import ThreadPoolExecutor
from itertools import permutations

import pytest

from dinmo_pipeline.config.declarations import State
from dinmo_pipeline.state.file.locks import activation_lock
from dinmo_pipeline.state.file.paths import lock_folder
from dinmo_pipeline.sync.session import progress_listener

ANA, BEN, CLEO, DAN = (f"{name}@example.com" for name in ("ana", "ben", "cleo", "dan"))
OWNED_TWICE = """
    SELECT tag_id FROM dinmo.activation_tags GROUP BY tag_id HAVING count(*) > 1
"""


@pytest.fixture
def named(company):
    """Activations `a`, `b` and `c` with tags A, B and C on one person each; a function renames them."""
    company.people(ANA, BEN, CLEO, DAN)
    company.declared["segments"], company.declared["activations"] = {}, {}
    for key, person in (("a", ANA), ("b", BEN), ("c", CLEO)):
        company.activate(key)
        company.members([person], key)
        company.synced(key)

    def rename(**names):
        for key, name in names.items():
            company.declared["activations"].setdefault(key, {})["name"] = name

    return rename


def tags_of(company):
    """The emails on each tag of the workspace, by its name."""
    names = [tag["name"] for tag in company.intercom_call("GET", "/tags")["data"]]
    return {name: company.tagged(name) for name in names}


@pytest.mark.parametrize("order", [("a", "d"), ("d", "a")])
def test_a_name_goes_to_a_new_activation_when_its_owner_is_renamed(company, named, order):
    """`a` becomes Platinum, and `d` takes the name A: two tags, right in either order."""
    company.activate("d")
    named(a="Platinum", d="A")
    company.members([DAN], "d")
    for key in order:
        company.synced(key)
    assert tags_of(company) == {"Platinum": {ANA}, "A": {DAN}, "B": {BEN}, "C": {CLEO}}
    assert company.rows(OWNED_TWICE) == []
    company.calls()
    for key in order:
        company.synced(key)
    assert company.calls() == {"GET /tags/{id}": 2}


@pytest.mark.parametrize("order", [("a", "b"), ("b", "a")])
def test_swapped_names_are_swapped_by_the_first_sync(company, named, order):
    """Through a temporary name; no tag changes its people."""
    named(a="B", b="A")
    company.synced(order[0])
    assert tags_of(company) == {"B": {ANA}, "A": {BEN}, "C": {CLEO}}
    company.calls()
    company.synced(order[1])
    assert company.calls() == {"GET /tags/{id}": 1}


@pytest.mark.parametrize("order", list(permutations("abc")))
def test_names_go_round_in_a_circle(company, named, order):
    """Three activations, each with the name of the next."""
    named(a="B", b="C", c="A")
    for key in order:
        company.synced(key)
    assert tags_of(company) == {"B": {ANA}, "C": {BEN}, "A": {CLEO}}
    assert company.rows(OWNED_TWICE) == []


def test_names_that_are_swapped_back_before_the_second_sync(company, named):
    """After a sync that stopped while one tag had its temporary name."""
    named(a="B", b="A")
    company.faults(
        {"match": {"method": "POST", "route": "/tags"}, "kind": "status", "status": 422, "after": 1}
    )
    assert company.sync("a").status == "failed"
    assert any(name.startswith("A (being renamed, ") for name in tags_of(company))
    company.faults()
    named(a="A", b="B")
    company.synced("b")
    company.synced("a")
    assert tags_of(company) == {"A": {ANA}, "B": {BEN}, "C": {CLEO}}


def test_a_name_is_not_taken_while_its_owner_is_synced(company, named):
    """Its sync tags by name. The other one fails for now, and is repeated."""
    named(a="B", b="A")
    with activation_lock(lock_folder(State(company.state.database)), "b", on_wait=lambda _message: None):
        found = _in_another_thread(lambda: company.sync("a"))
    assert found.status == "failed"
    assert "'b', which another sync is working on. The next sync will take it." in found.reason
    assert tags_of(company) == {"A": {ANA}, "B": {BEN}, "C": {CLEO}}
    company.synced("a")
    assert tags_of(company) == {"B": {ANA}, "A": {BEN}, "C": {CLEO}}


def _in_another_thread(work):
    """A lock that this thread holds is free to it."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result()


def test_two_destination_keys_of_one_workspace_do_not_share_a_tag(company):
    """The declarations cannot show that it is one workspace; the first sync does."""
    company.people(ANA, BEN)
    company.members([ANA])
    company.synced()
    company.declared["destinations"]["again"] = company.declared["destinations"]["main"]
    company.declared["activations"] = {
        "vip": {"destination": "main"},
        "other": {"segment": "vip", "destination": "again", "name": "vip"},
    }
    refused = company.sync("other")
    assert refused.status == "failed"
    assert refused.reason == (
        "The tag 'VIP' belongs to activation 'vip' at 'main', so activation 'other' cannot use it."
        " Give one of them another `name`."
    )
    assert company.tagged() == {ANA}


def test_a_destination_under_a_new_key_keeps_its_tags(company):
    """It is the same workspace, so nobody is looked up or tagged again."""
    company.people(ANA, BEN)
    company.members([ANA, BEN])
    company.synced()
    company.declared["destinations"] = {"renamed": company.declared["destinations"]["main"]}
    company.members([ANA])
    outcome = company.synced()
    assert (outcome.numbers.tagged, outcome.numbers.untagged) == (0, 1)
    assert company.tagged() == {ANA}
    assert company.rows("SELECT DISTINCT destination FROM dinmo.tagged_contacts") == [("renamed",)]


def test_another_projects_activation_keeps_its_tag(company):
    """Two projects on one state: the second does not know what the first declares."""
    company.people(ANA)
    company.members([ANA])
    company.synced()
    company.declared["activations"] = {"second": {"segment": "vip"}}
    refused = company.sync("second")
    assert "The tag 'VIP' belongs to activation 'vip'" in refused.reason
    assert "declared by another project, give 'second' another `name`" in refused.reason
    assert company.rows("SELECT activation FROM dinmo.activation_tags") == [("vip",)]


@pytest.mark.usefixtures("named")
def test_reconcile_does_not_repair_the_tag_of_another(company, dinmo):
    """A tag found by its name is not ours if the state says whose it is."""
    company.activate("d", name="Delta")
    company.members([DAN], "d")
    company.declared["destinations"]["again"] = company.declared["destinations"]["main"]
    for key in ("a", "b", "c"):
        company.declared["activations"][key]["destination"] = "main"
    company.declared["activations"]["d"] = {"destination": "again", "name": "A"}
    printed = dinmo("reconcile", "d", "--repair")
    assert printed.code == 1
    assert "belongs to activation 'a' at 'main'" in printed.err
    assert company.tagged("A") == {ANA}


@pytest.fixture
def renamed_during_a_sync(company):
    """Ana carries the tag, Ben enters, and a person renames the tag before Ben is tagged by its name."""
    company.people(ANA, BEN, CLEO)
    company.members([ANA])
    company.synced()
    (tag,) = company.intercom_call("GET", "/tags")["data"]

    def rename(label, _done, _total):
        if label == "vip: looking up members":
            company.intercom_call("POST", "/tags", json={"id": tag["id"], "name": "Renamed"})

    company.members([ANA, BEN])
    token = progress_listener.set(rename)
    stopped = company.sync()
    progress_listener.reset(token)
    assert stopped.status == "failed"
    assert "Intercom created a second tag 'VIP'" in stopped.reason
    assert tags_of(company) == {"Renamed": {ANA}, "VIP": {BEN}}


@pytest.mark.usefixtures("renamed_during_a_sync")
def test_a_second_tag_made_by_a_rename_during_a_sync_is_cleaned_up(company):
    """The bulk call went by the old name. The next sync takes it off, deletes it, and goes on."""
    assert company.rows("SELECT count(*) FROM dinmo.stray_tags") == [(1,)]
    company.synced()
    assert tags_of(company) == {"Renamed": {ANA, BEN}}
    assert company.rows("SELECT count(*) FROM dinmo.stray_tags") == [(0,)]


@pytest.mark.usefixtures("renamed_during_a_sync")
def test_a_second_tag_that_somebody_else_uses_stays(company):
    """Only our contacts lose it."""
    (second,) = (tag["id"] for tag in company.intercom_call("GET", "/tags")["data"] if tag["name"] == "VIP")
    (cleo,) = (
        contact["id"]
        for contact in company.intercom_call("GET", "/contacts")["data"]
        if contact["email"] == CLEO
    )
    company.intercom_call("POST", f"/contacts/{cleo}/tags", json={"id": second})
    company.synced()
    assert tags_of(company) == {"Renamed": {ANA, BEN}, "VIP": {CLEO}}
