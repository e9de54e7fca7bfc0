"""Another Intercom workspace under a destination's key is refused; a move needs a key of its own."""

import json

import duckdb
import pytest
import requests

from dinmo_pipeline.emulator import EmulatorSettings, running
from dinmo_pipeline_tests.company import TOKEN

ANA, BEN, CLEO, DAN = (f"{name}@example.com" for name in ("ana", "ben", "cleo", "dan"))
OTHER = EmulatorSettings(token=TOKEN, workspace_id="oth3r", workspace_name="Test", seed=7)
REFUSED = (
    "Destination 'main' now leads to the Intercom workspace 'Test' (oth3r), but its tags and contacts in the"
    " state belong to the workspace 'Emulated workspace' (emul8tor). Nothing was written. To stay in"
    " 'Emulated workspace' (emul8tor), correct the environment variable TEST_INTERCOM_TOKEN (access token of"
    " destination 'main'), `region`, or `base_url`. If you mean to move, declare the new workspace as another"
    " destination, under a key of its own (docs/guides/operate.md)."
)


class Elsewhere:
    """The other workspace, where the same people have other ids."""

    def __init__(self, base_url):
        self.base_url = base_url
        self.ask("POST", "contacts", json=[{"email": each} for each in (ANA, BEN, CLEO, DAN)])

    def ask(self, method, path, **options):
        """A control call."""
        answer = requests.request(method, f"{self.base_url}/_emulator/{path}", timeout=30, **options)
        answer.raise_for_status()
        return answer.json()

    def calls(self):
        """Calls since the last time this was read."""
        return self.ask("GET", "stats", params={"reset": "1"})["calls"]

    def tagged(self):
        """The emails that carry the tag VIP there."""
        return {c["email"] for c in self.ask("GET", "tags/VIP/contacts")["contacts"]}


@pytest.fixture
def elsewhere():
    """Another workspace with the same token."""
    with running(OTHER) as server:
        yield Elsewhere(server.base_url)


@pytest.fixture
def synced(company):
    """Ana and Ben carry the tag in the first workspace; Cleo is a member who is not in it."""
    company.people(ANA, BEN)
    company.members([ANA, BEN, CLEO])
    company.synced()
    company.calls()


def move_to(company, base_url):
    """Make the destination lead elsewhere."""
    company.declared["destinations"]["main"]["base_url"] = base_url


def known(company):
    """Everything that the state has about tags and contacts."""
    return {
        table: company.rows(f"FROM dinmo.{table} ORDER BY ALL")
        for table in ("tagged_contacts", "activation_tags", "contacts", "missing_members")
    }


@pytest.mark.usefixtures("synced")
def test_a_sync_refuses_another_workspace(company, elsewhere, dinmo):
    """Nothing is written there, no tag is renamed, and the state stays. Back in the first, all goes on."""
    before = known(company)
    move_to(company, elsewhere.base_url)
    company.declared["activations"]["vip"] = {"name": "Important"}
    company.members([ANA, CLEO, DAN])
    printed = dinmo("sync", "vip", "--json")
    synced = json.loads(printed.out)["vip"]
    assert (printed.code, synced["status"], synced["reason"]) == (1, "failed", REFUSED)
    # Before it looks up Cleo, and before it reads the tag.
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
def test_other_commands_refuse_another_workspace(company, elsewhere, dinmo):
    """They neither report drift nor forget a tag of the first workspace."""
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
    """Another workspace at the same address with the same token, as an emulator can have."""
    before = {"workspace_id": "emul8tor", "workspace_name": "Emulated workspace", "seed": 0}
    url = f"{company.intercom}/_emulator/reset"
    other = {"workspace_id": "oth3r", "workspace_name": "Test", "seed": 7}
    requests.post(url, json=other, timeout=30).raise_for_status()
    company.people(ANA, BEN)
    yield
    requests.post(url, json=before, timeout=30).raise_for_status()


@pytest.mark.usefixtures("synced", "replaced")
def test_a_workspace_that_changes_under_the_same_address_and_token_is_refused(company, dinmo):
    """The tag is not where we put it, which raises the doubt."""
    before = known(company)
    assert company.sync().reason == REFUSED
    company.declared["activations"]["second"] = {"segment": "vip", "name": "Second"}
    assert company.sync("second").reason == REFUSED
    company.declared["activations"]["vip"] = {"enabled": False}
    assert REFUSED in dinmo("retire", "vip", "--yes").err
    assert not {"POST /tags", "DELETE /contacts/{id}/tags/{tag_id}"} & set(company.calls())
    tables = ("tagged_contacts", "activation_tags")
    assert [known(company)[table] for table in tables] == [before[table] for table in tables]


@pytest.mark.usefixtures("synced", "replaced")
def test_facts_that_are_read_again_in_another_workspace_change_nothing(company, dinmo):
    """Contacts who are not found there may carry the tag where we put it."""
    before = known(company)["tagged_contacts"]
    printed = dinmo("sync", "vip", "--recheck")
    assert (printed.code, REFUSED in printed.err) == (1, True)
    assert known(company)["tagged_contacts"] == before


@pytest.mark.usefixtures("synced")
def test_a_new_token_of_the_same_workspace_costs_one_call(company):
    """Once; the sync after it costs one call in all again."""
    company.members([ANA, BEN])
    company.synced()
    # Another address of the workspace has the same effect as another token.
    move_to(company, company.intercom.replace("127.0.0.1", "localhost"))
    company.calls()
    company.synced()
    assert company.calls() == {"GET /me": 1, "GET /tags/{id}": 1}
    company.synced()
    assert company.calls() == {"GET /tags/{id}": 1}


def forget_the_workspace(company):
    """Make the state like one migrated from version 2, which recorded no workspace."""
    with duckdb.connect(str(company.folder / "state.duckdb")) as connection:
        connection.execute("DELETE FROM dinmo.workspaces")


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
    """It has none of the state's tags and contacts."""
    forget_the_workspace(company)
    move_to(company, elsewhere.base_url)
    outcome = company.sync()
    assert outcome.status == "failed"
    assert outcome.reason.startswith(
        "Destination 'main' leads to the Intercom workspace 'Test' (oth3r). It has none of the tags and"
        " contacts that the state knows of this destination, so it seems to be another workspace"
    )
    assert set(elsewhere.calls()) == {"GET /me", "GET /tags/{id}", "GET /contacts/{id}"}
    assert company.rows("FROM dinmo.workspaces") == []


@pytest.mark.usefixtures("synced")
def test_check_online_reports_another_workspace(company, elsewhere, dinmo):
    """It names the current and the earlier one."""
    printed = dinmo("check", "--online")
    assert printed.code == 0
    assert "main: connected to workspace 'Emulated workspace' (emul8tor), which has " in printed.out
    move_to(company, elsewhere.base_url)
    printed = dinmo("check", "--online")
    assert printed.code == 2
    assert "main: connected to workspace 'Test' (oth3r), which has " in printed.out
    assert "went to another workspace, 'Emulated workspace' (emul8tor)" in printed.err


@pytest.fixture
def moved(company, elsewhere):
    """The activation moves to another destination, after Ben left and Dan entered."""
    company.declared["destinations"]["second"] = {
        **company.declared["destinations"]["main"],
        "base_url": elsewhere.base_url,
    }
    company.declared["activations"]["vip"] = {"destination": "second"}
    company.members([ANA, DAN])
    company.synced()


@pytest.mark.usefixtures("synced", "moved")
def test_an_activation_that_moves_tags_its_members_there(company, elsewhere):
    """Members keep the tag at the first destination. Moving back repairs only what changed."""
    assert elsewhere.tagged() == {ANA, DAN}
    assert company.tagged() == {ANA, BEN}
    company.declared["activations"]["vip"] = {"destination": "main"}
    outcome = company.synced()
    assert (outcome.numbers.tagged, outcome.numbers.untagged) == (0, 1)
    assert company.tagged() == {ANA}
    assert elsewhere.tagged() == {ANA, DAN}


@pytest.mark.usefixtures("synced", "moved")
def test_tags_left_behind_are_shown_and_can_be_retired(company, elsewhere, dinmo):
    """Only at the first destination; the activation goes on at the other."""
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
    assert "has no tag at 'main'; it has one at 'second'." in printed.err


@pytest.mark.usefixtures("synced", "moved")
def test_a_workspace_that_is_gone_can_be_left_as_it_is(company, dinmo):
    """Its token is no longer known, so no call is made."""
    del company.declared["destinations"]["main"]
    assert dinmo("retire", "vip", "--destination", "main", "--yes").code == 1
    company.calls()
    printed = dinmo("retire", "vip", "--destination", "main", "--keep-tags", "--yes")
    assert printed.code == 0
    assert "0 contacts untagged, 2 kept the tag." in printed.out
    assert company.calls() == {}
    assert company.tagged() == {ANA, BEN}
    assert json.loads(dinmo("status", "--json").out)["vip"]["left_behind"] == []
