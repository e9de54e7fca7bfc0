"""Another Intercom workspace under a destination's key is refused; a move is made under a key of its own."""

import json

import duckdb
import pytest
import requests

from dinmo_pipeline.emulator import EmulatorSettings, running
from dinmo_pipeline_tests.company import TOKEN

ANA, BEN, CLEO, DAN = (f"{name}@example.com" for name in ("ana", "ben", "cleo", "dan"))
OTHER = EmulatorSettings(token=TOKEN, workspace_id="oth3r", workspace_name="Test", seed=7)
REFUSED = (
    "Destination 'main' leads to the Intercom workspace 'Test' (oth3r) now, but its tags and contacts in the"
    " state belong to the workspace 'Emulated workspace' (emul8tor). Nothing was written. To go on in"
    " 'Emulated workspace' (emul8tor), put right what leads there: the environment variable"
    " TEST_INTERCOM_TOKEN (access token of destination 'main'), `region` or `base_url`. If the move is meant,"
    " declare the new workspace as another destination, under a key of its own (docs/guides/operate.md)."
)


class Elsewhere:
    """The other workspace, where the same people have other ids."""

    def __init__(self, base_url):
        self.base_url = base_url
        self.ask("POST", "contacts", json=[{"email": each} for each in (ANA, BEN, CLEO, DAN)])

    def ask(self, method, path, **options):
        """A control call."""
        answer = requests.request(
            method, f"{self.base_url}/_emulator/{path}", timeout=30, **options
        )
        answer.raise_for_status()
        return answer.json()

    def calls(self):
        """Calls since the last time this was asked."""
        return self.ask("GET", "stats", params={"reset": "1"})["calls"]

    def tagged(self):
        """The emails that carry the tag VIP there."""
        return {c["email"] for c in self.ask("GET", "tags/VIP/contacts")["contacts"]}


@pytest.fixture
def elsewhere():
    """Another workspace, whose token is the same."""
    with running(OTHER) as server:
        yield Elsewhere(server.base_url)


@pytest.fixture
def synced(company):
    """Ana and Ben carry the tag in the first workspace; Cleo is a member whom it does not have."""
    company.people(ANA, BEN)
    company.members([ANA, BEN, CLEO])
    company.synced()
    company.calls()


def move_to(company, base_url):
    """Have the destination lead elsewhere."""
    company.declared["destinations"]["main"]["base_url"] = base_url


def known(company):
    """All that the state says of tags and contacts."""
    return {
        table: company.rows(f"FROM dinmo.{table} ORDER BY ALL")
        for table in ("tagged_contacts", "activation_tags", "contacts", "missing_members")
    }


@pytest.mark.usefixtures("synced")
def test_another_workspace_is_refused_by_a_sync(company, elsewhere, dinmo):
    """Nothing is written there, no tag renamed, nor what is known; back in the first one all goes on."""
    before = known(company)
    move_to(company, elsewhere.base_url)
    company.declared["activations"]["vip"] = {"name": "Important"}
    company.members([ANA, CLEO, DAN])
    printed = dinmo("sync", "vip", "--json")
    synced = json.loads(printed.out)["vip"]
    assert (printed.code, synced["status"], synced["reason"]) == (1, "failed", REFUSED)
    # When it would look for Cleo, and when it would see the tag.
    assert elsewhere.calls() == {"GET /me": 2}
    assert known(company) == before
    move_to(company, company.intercom)
    assert company.synced().numbers.untagged == 1
    assert company.tagged("Important") == {ANA}


@pytest.mark.usefixtures("synced")
def test_a_reviewed_plan_is_refused_in_another_workspace(company, elsewhere, dinmo):
    """It was about the first one."""
    plan = company.folder / "plan.json"
    assert dinmo("plan", "vip", "--out", str(plan)).code == 0
    move_to(company, elsewhere.base_url)
    printed = dinmo("sync", "--plan", str(plan))
    assert printed.code == 1
    assert "belong to the workspace 'Emulated workspace' (emul8tor)" in printed.err
    assert set(elsewhere.calls()) == {"GET /me"}


@pytest.mark.usefixtures("synced")
def test_it_is_refused_by_whatever_else_calls_intercom(company, elsewhere, dinmo):
    """Not told as drift of everybody; and no tag of the first workspace is forgotten."""
    before = known(company)
    move_to(company, elsewhere.base_url)
    for words in ((), ("--repair",)):
        printed = dinmo("reconcile", "vip", "--json", *words)
        assert (printed.code, json.loads(printed.out)["vip"]["reason"]) == (1, REFUSED)
    printed = dinmo("forget", ANA)
    assert (printed.code, printed.err.strip()) == (1, REFUSED)
    company.declared["activations"]["vip"] = {"enabled": False}
    assert REFUSED in dinmo("retire", "vip", "--yes").err
    assert elsewhere.calls() == {"GET /me": 4}
    assert known(company) == before


@pytest.fixture
def replaced(company):
    """Another workspace at the same address and under the same token, as an emulator can have it."""
    before = {"workspace_id": "emul8tor", "workspace_name": "Emulated workspace", "seed": 0}
    url = f"{company.intercom}/_emulator/reset"
    other = {"workspace_id": "oth3r", "workspace_name": "Test", "seed": 7}
    requests.post(url, json=other, timeout=30).raise_for_status()
    company.people(ANA, BEN)
    yield
    requests.post(url, json=before, timeout=30).raise_for_status()


@pytest.mark.usefixtures("synced", "replaced")
def test_a_workspace_that_changes_under_the_same_address_and_token_is_refused(company, dinmo):
    """The tag is not where we put it, and that raises the question."""
    before = known(company)
    assert company.sync().reason == REFUSED
    company.declared["activations"]["second"] = {"segment": "vip", "name": "Second"}
    assert company.sync("second").reason == REFUSED
    company.declared["activations"]["vip"] = {"enabled": False}
    assert REFUSED in dinmo("retire", "vip", "--yes").err
    assert not {"POST /tags", "DELETE /contacts/{id}/tags/{tag_id}"} & set(company.calls())
    tables = ("tagged_contacts", "activation_tags")
    assert [known(company)[table] for table in tables] == [before[table] for table in tables]


@pytest.mark.usefixtures("synced")
def test_a_new_token_of_the_same_workspace_costs_one_call(company):
    """Once; the sync after it costs one call in all again."""
    company.members([ANA, BEN])
    company.synced()
    # Another address of the same workspace stands for another token of it.
    move_to(company, company.intercom.replace("127.0.0.1", "localhost"))
    company.calls()
    company.synced()
    assert company.calls() == {"GET /me": 1, "GET /tags/{id}": 1}
    company.synced()
    assert company.calls() == {"GET /tags/{id}": 1}


def forget_the_workspace(company):
    """Make the state one of version 2, which recorded no workspace."""
    with duckdb.connect(str(company.folder / "state.duckdb")) as connection:
        connection.execute("DROP TABLE dinmo.workspaces")
        connection.execute("ALTER TABLE dinmo.syncs DROP COLUMN hold_reason")
        connection.execute("DELETE FROM dinmo.schema_version WHERE version > 2")


@pytest.mark.usefixtures("synced")
@pytest.mark.parametrize("deleted", [False, True])
def test_an_older_state_is_recognised_by_a_tag_or_else_by_a_contact(company, deleted):
    """Then the workspace is recorded."""
    if deleted:
        (tag,) = company.intercom_call("GET", "/tags")["data"]
        company.intercom_call("DELETE", f"/tags/{tag['id']}")
    forget_the_workspace(company)
    company.synced()
    assert company.tagged() == {ANA, BEN}
    assert company.rows("SELECT workspace_id FROM dinmo.workspaces") == [("emul8tor",)]


@pytest.mark.usefixtures("synced")
def test_an_older_state_in_another_workspace_is_refused(company, elsewhere):
    """None of its tags and contacts is there, and that is told."""
    forget_the_workspace(company)
    move_to(company, elsewhere.base_url)
    outcome = company.sync()
    assert outcome.status == "failed"
    assert outcome.reason.startswith(
        "Destination 'main' leads to the Intercom workspace 'Test' (oth3r), and none of the tags and"
        " contacts that the state has of this destination exist there"
    )
    assert set(elsewhere.calls()) == {"GET /me", "GET /tags/{id}", "GET /contacts/{id}"}
    assert company.rows("FROM dinmo.workspaces") == []


@pytest.mark.usefixtures("synced")
def test_check_online_tells_it(company, elsewhere, dinmo):
    """Which workspace it is, and which one it was."""
    printed = dinmo("check", "--online")
    assert printed.code == 0
    assert "main: workspace 'Emulated workspace' (emul8tor) answers." in printed.out
    move_to(company, elsewhere.base_url)
    printed = dinmo("check", "--online")
    assert printed.code == 2
    assert "main: workspace 'Test' (oth3r) answers." in printed.out
    assert "went to another workspace, 'Emulated workspace' (emul8tor)" in printed.err


@pytest.fixture
def moved(company, elsewhere):
    """The activation goes to another destination, after Ben left and Dan came."""
    company.declared["destinations"]["second"] = {
        **company.declared["destinations"]["main"],
        "base_url": elsewhere.base_url,
    }
    company.declared["activations"]["vip"] = {"destination": "second"}
    company.members([ANA, DAN])
    company.synced()


@pytest.mark.usefixtures("synced", "moved")
def test_an_activation_that_moves_tags_its_members_there(company, elsewhere):
    """Who carries the tag at the first one keeps it, and moving back mends it without flicker."""
    assert elsewhere.tagged() == {ANA, DAN}
    assert company.tagged() == {ANA, BEN}
    company.declared["activations"]["vip"] = {"destination": "main"}
    outcome = company.synced()
    assert (outcome.numbers.tagged, outcome.numbers.untagged) == (0, 1)
    assert company.tagged() == {ANA}
    assert elsewhere.tagged() == {ANA, DAN}


@pytest.mark.usefixtures("synced", "moved")
def test_what_it_left_behind_is_told_and_can_be_retired(company, elsewhere, dinmo):
    """At the first destination alone; the activation goes on at the other."""
    left = [{"destination": "main", "tag": "VIP", "contacts": 2}]
    assert json.loads(dinmo("status", "--json").out)["vip"]["left_behind"] == left
    told = dinmo("status").out
    assert "2 contacts at its earlier destination 'main' keep the tag 'VIP'." in told
    assert "dinmo retire vip --destination main" in told
    assert dinmo("retire", "vip", "--yes").code == 2
    assert dinmo("retire", "vip", "--destination", "second", "--yes").code == 2
    assert dinmo("retire", "vip", "--destination", "main", "--yes").code == 0
    assert company.tagged() == set()
    assert elsewhere.tagged() == {ANA, DAN}
    assert json.loads(dinmo("status", "--json").out)["vip"]["left_behind"] == []
    assert company.synced().numbers.api_calls == 1
    printed = dinmo("retire", "vip", "--destination", "main", "--yes")
    assert printed.code == 2
    assert "has no tag at destination 'main', but at second" in printed.err


@pytest.mark.usefixtures("synced", "moved")
def test_a_workspace_that_is_gone_can_be_left_as_it_is(company, dinmo):
    """Nobody has its token any more, so no call is made."""
    del company.declared["destinations"]["main"]
    assert dinmo("retire", "vip", "--destination", "main", "--yes").code == 1
    company.calls()
    printed = dinmo("retire", "vip", "--destination", "main", "--keep-tags", "--yes")
    assert printed.code == 0
    assert "0 contacts untagged, 2 keep it." in printed.out
    assert company.calls() == {}
    assert company.tagged() == {ANA, BEN}
    assert json.loads(dinmo("status", "--json").out)["vip"]["left_behind"] == []
