"""Plan, review, apply: exactly what was reviewed is applied."""

import json

import pytest

ANA, BEN, CLEO, DAN = (f"{name}@example.com" for name in ("ana", "ben", "cleo", "dan"))


@pytest.fixture
def reviewed(company, dinmo):
    """Ana has the tag. The plan says that Ben enters and Ana leaves; returns its path."""
    company.people(ANA, BEN, CLEO)
    company.members([ANA])
    company.synced()
    company.members([BEN])
    path = company.folder / "plan.json"
    assert dinmo("plan", "vip", "--out", str(path)).code == 0
    company.calls()
    return str(path)


def writes(company):
    """The calls that changed something in Intercom."""
    return {call: n for call, n in company.calls().items() if not call.startswith(("GET", "POST /c"))}


def test_the_reviewed_changes_are_applied(company, dinmo, reviewed):
    """Through the same jobs. The file names nobody."""
    text = (company.folder / "plan.json").read_text()
    planned = json.loads(text)["activations"]["vip"]
    assert (planned["planned"]["to_tag"], planned["planned"]["to_untag"]) == (1, 1)
    assert planned["settings"]["name"] == "VIP"
    assert not [name for name in (ANA, BEN) if name in text]
    printed = dinmo("sync", "--plan", reviewed, "--json")
    assert printed.code == 0
    assert json.loads(printed.out)["vip"]["tagged"] == 1
    assert company.tagged() == {BEN}


def test_other_changes_are_held_and_the_difference_is_reported(company, dinmo, reviewed):
    """Exit code 3, and nothing is written to Intercom. Releasing the guard does not release them."""
    others = (
        ([BEN, CLEO], "1 to tag and 1 to untag in the plan, 2 to tag and 1 to untag now"),
        ([ANA, BEN], "1 to tag and 1 to untag in the plan, 1 to tag and 0 to untag now"),
        ([CLEO], "still 1 to tag and 1 to untag, but different members"),
    )
    for members, said in others:
        company.members(members)
        printed = dinmo("sync", "--plan", reviewed)
        assert printed.code == 3
        assert said in printed.err
        assert "Make a new plan" in printed.err
        assert "--allow-large-removal" not in printed.err
    printed = dinmo("sync", "--plan", reviewed, "--allow-large-removal", "--json")
    found = json.loads(printed.out)["vip"]
    assert (printed.code, found["status"], found["pending"]) == (3, "held", 2)
    assert writes(company) == {}
    assert company.tagged() == {ANA}


def test_changed_settings_are_reported_before_anything_runs(company, dinmo, reviewed):
    """A new name would rename the tag, which was not reviewed."""
    company.declared["activations"]["vip"] = {"name": "Gold"}
    printed = dinmo("sync", "--plan", reviewed)
    assert printed.code == 3
    assert "name was 'VIP' and is now 'Gold'" in printed.err
    assert company.calls() == {}


def test_a_sign_up_after_the_review_is_not_another_change(company, dinmo, reviewed):
    """The review covered who should be tagged, whether or not they were in Intercom."""
    company.members([BEN, DAN])
    company.synced()
    company.members([CLEO, DAN])
    assert dinmo("plan", "vip", "--out", reviewed).code == 0
    company.people(DAN)
    assert dinmo("sync", "--plan", reviewed).code == 0
    assert company.tagged() == {CLEO, DAN}


def test_a_held_plan_is_written_and_still_needs_the_flag(company, dinmo, reviewed):
    """A review does not release the guard."""
    company.members([])
    assert dinmo("plan", "vip", "--out", reviewed).code == 3
    held = dinmo("sync", "--plan", reviewed)
    assert held.code == 3
    assert "--allow-large-removal" in held.err
    assert dinmo("sync", "--plan", reviewed, "--allow-large-removal").code == 0
    assert company.tagged() == set()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("not json", "is not a plan made by `dinmo plan --out`"),
        ("[1]", "is not a plan made by `dinmo plan --out`"),
        ('{"dinmo_plan": 2, "activations": {}}', "has plan format 2, but this release reads 1."),
        (
            '{"dinmo_plan": 1, "activations": {}}',
            "has no plan for 'vip'. It covers: no activations.",
        ),
    ],
)
def test_a_file_that_is_not_a_plan_is_wrong_usage(company, dinmo, content, said):
    """So is an activation that is not in the plan."""
    path = company.folder / "plan.json"
    path.write_text(content)
    printed = dinmo("sync", "vip", "--plan", str(path))
    assert printed.code == 2
    assert said in printed.err


def test_a_damaged_fingerprint_is_held(company, dinmo, reviewed):
    """What cannot be compared is not applied."""
    path = company.folder / "plan.json"
    content = json.loads(path.read_text())
    content["activations"]["vip"]["fingerprint"] = "1:abc"
    path.write_text(json.dumps(content))
    printed = dinmo("sync", "--plan", reviewed)
    assert printed.code == 3
    assert "'1:abc' is not the fingerprint of a plan" in printed.err
    assert writes(company) == {}
