"""What the asset of an audience shows after runs: points to plot, a sentence, and the result of its check."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from dinmo_pipeline.config import load_project
from dinmo_pipeline.orchestration.audiences.events import PLOTTED, AudienceLog
from dinmo_pipeline.orchestration.naming import Names
from dinmo_pipeline.orchestration.runs.in_process import reconcile_activations
from dinmo_pipeline.state.syncs import SyncNumbers

ANA, BEN, CLEO = "ana@example.com", "ben@example.com", "cleo@example.com"
GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "dagster-ui.md"
NAMES = Names()


@pytest.fixture
def shop(company):
    """A company with three users and one member who is none."""
    company.people(ANA, BEN, CLEO)
    company.members([ANA, BEN, "nobody@example.com"])
    return company


def points(shop, activation="vip"):
    """What was logged for an audience, the newest first: what happened, and its metadata."""
    records = shop.instance.fetch_materializations(NAMES.audience(activation), limit=99).records
    found = [record.asset_materialization for record in records]
    return [(each.description, {key: value.value for key, value in each.metadata.items()}) for each in found]


def check(shop, activation="vip"):
    """The newest result of its check: whether it passed, the state that it found, and why."""
    key = NAMES.audience_check(activation)
    found = shop.instance.event_log_storage.get_latest_asset_check_execution_by_key([key])[key].evaluation
    return found.passed, found.metadata["state"].value, found.description


def compare(shop, **settings):
    """Reconcile `vip`."""
    found = reconcile_activations(
        shop.definitions(for_a_run=True),
        shop.instance,
        [load_project(shop.declarations).activations["vip"]],
        names=NAMES,
        repair=False,
        recent_minutes=0,
        log_level="CRITICAL",
        **settings,
    )
    return found["vip"].status


def test_a_sync_shows_its_numbers_a_sentence_and_a_masked_sample(shop):
    """Each number is one, so that the UI plots it."""
    shop.synced()
    ((sentence, metadata),) = points(shop)
    assert re.fullmatch(r"2 tagged, 1 not in Intercom, in \d calls\.", sentence)
    assert metadata["what_happened"] == sentence
    assert {type(metadata[name]) for name in PLOTTED} == {int}
    assert (metadata["members"], metadata["tagged_contacts"], metadata["match_rate"]) == (3, 2, 0.6667)
    assert metadata["not_done"] == "- 1 not found: to tag, but not in Intercom."
    assert metadata["sample_tagged"] == "a***@e***.com, b***@e***.com"
    assert 'FROM "vip"' in metadata["query"]
    assert check(shop) == (True, "ok", None)
    assert "ana@" not in json.dumps(metadata)


def test_a_point_is_logged_when_a_number_changes_and_once_a_day(shop):
    """An hourly activation that never changes costs an event a day, not 24."""
    for _ in range(3):
        shop.synced()
    assert [metadata["entered"] for _, metadata in points(shop)] == [0, 3]
    vip = load_project(shop.declarations).activations["vip"]
    same = SyncNumbers(members=3, tagged_contacts=2, not_in_intercom=1)
    today, tomorrow = datetime.now(UTC), datetime.now(UTC) + timedelta(days=1)
    assert not AudienceLog(NAMES, shop.instance, ["vip"], lambda: today).has_news("vip", same)
    log = AudienceLog(NAMES, shop.instance, ["vip"], lambda: tomorrow)
    assert log.has_news("vip", same)
    assert isinstance(next(log.synced(vip, same)), dg.AssetMaterialization)
    shop.members([BEN, CLEO])
    shop.synced()
    sentence, metadata = points(shop)[0]
    assert sentence.startswith("1 tagged, 1 untagged, in ")
    assert metadata["sample_untagged"] == "a***@e***.com"


def test_without_anything_to_apply_the_first_run_shows_it(shop):
    """No second run comes then: members who are not in Intercom come and go."""
    shop.synced()
    shop.members([ANA, BEN, "x@example.com", "y@example.com"])
    shop.synced()
    shop.members([ANA, BEN])
    job = shop.definitions(for_a_run=True).resolve_job_def("sync_membership")
    assert job.execute_in_process(instance=shop.instance, partition_key="vip").success
    sentence, metadata = points(shop)[0]
    assert sentence.startswith("Nothing to tag or untag, in ")
    assert (metadata["members"], metadata["left"], metadata["not_in_intercom"]) == (2, 2, 0)


def test_a_held_audience_says_so_until_a_later_change_set_is_within_the_guards(shop):
    """Also when nothing is left to apply then. Nothing is plotted, since nothing changed in Intercom."""
    shop.synced()
    shop.members([])
    assert shop.sync().status == "held"
    passed, state, why = check(shop)
    assert (passed, state) == (False, "held")
    assert why.startswith("Held. The segment became empty: all 2 tagged contacts would lose the tag.")
    assert len(points(shop)) == 1
    shop.members([ANA, BEN, "nobody@example.com"])
    shop.synced()
    assert check(shop)[:2] == (True, "ok")


def test_an_audience_whose_segment_or_intercom_fails_says_why(shop):
    """Each failure turns the check red, and the next success green."""
    shop.synced()
    shop.declared["segments"]["vip"]["table"] = "nowhere"
    assert shop.sync().status == "failed"
    passed, state, why = check(shop)
    assert (passed, state) == (False, "failed")
    assert "nowhere" in why
    shop.declared["segments"]["vip"]["table"] = "vip"
    shop.members([ANA, CLEO])
    shop.faults({"match": {"route": "/tags"}, "kind": "status", "status": 403})
    shop.sync()
    assert check(shop)[:2] == (False, "failed")
    shop.faults()
    shop.synced()
    assert check(shop)[:2] == (True, "ok")


def test_a_difference_from_intercom_stays_until_somebody_compares_again(shop):
    """A sync in between does not look at who carries the tag."""
    shop.synced()
    assert compare(shop) == "ok"
    with shop.state.transaction() as connection:
        connection.execute("DELETE FROM dinmo.tagged_contacts WHERE identifier = ?", [ANA])
    assert compare(shop) == "drift"
    assert check(shop)[:2] == (False, "drift")
    shop.synced()
    assert check(shop)[:2] == (False, "drift")
    assert compare(shop) == "ok"
    assert check(shop)[:2] == (True, "ok")


def test_nobody_matched_is_not_in_sync(shop):
    """From ten members up."""
    shop.members([f"n{number}@example.com" for number in range(10)])
    shop.synced()
    assert check(shop)[:2] == (False, "nobody_matched")
    shop.synced()
    assert check(shop)[:2] == (False, "nobody_matched")


def test_every_key_that_the_ui_shows_is_explained_in_the_guide(shop):
    """Of assets, of their events, and of checks; each as a word in backticks."""
    shop.synced()
    shop.members([])
    shop.sync()
    shop.faults({"match": {"route": "/contacts/search"}, "kind": "status", "status": 403})
    shop.members([ANA, CLEO, "late@example.com"])
    shop.sync()
    shop.faults()
    compare(shop)
    keys = set()
    for spec in shop.definitions().resolve_all_asset_specs():
        keys |= spec.metadata.keys()
    for run in shop.instance.get_runs():
        for entry in shop.instance.all_logs(run.run_id):
            event = entry.dagster_event
            if event and event.is_step_materialization:
                keys |= event.step_materialization_data.materialization.metadata.keys()
            elif event and event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION:
                keys |= event.asset_check_evaluation_data.metadata.keys()
    ours = {key for key in keys if not key.startswith("dagster/")}
    assert len(ours) > 40
    assert ours - set(re.findall(r"`(\w+)`", GUIDE.read_text())) == set()
