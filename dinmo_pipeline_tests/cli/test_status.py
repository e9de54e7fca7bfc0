"""A row of `dinmo status`: what it shows, and the notes that follow from it."""

import pytest

from dinmo_pipeline.cli.commands.looking.status import ActivationStatus, TagLeftBehind, as_object, notes
from dinmo_pipeline.config.declarations.activations import AFTER_UPSTREAM
from dinmo_pipeline.state.overview import ActivationOverview
from dinmo_pipeline.sync.standing import standing
from dinmo_pipeline_tests.state.declaring import NOW, activation

SYNCED = ActivationOverview("VIP", 3, 1, 0, 2, 1, NOW, NOW, NOW, "ok", None, 0)


def row(declared=None, known=None, stuck=0, left_behind=(), paused=None):
    """A row of the activation `vip`."""
    found = standing("vip", declared, known, stuck=stuck, paused=paused, is_locked=bool, now=NOW)
    return ActivationStatus("vip", declared, known, stuck, left_behind, paused, (), found)


def test_an_activation_that_the_state_does_not_know_shows_its_declaration_only():
    """Nothing is said about numbers that nobody has counted."""
    assert as_object(row(activation(name="VIP", schedule="0 * * * *"))) == {
        "state": "never_synced",
        "findings": [{"state": "never_synced", "reason": "", "to_do": ""}],
        "tag": "VIP",
        "destination": "main",
        "schedule": "0 * * * *",
        "description": None,
        "stuck": 0,
        "left_behind": [],
        "paused": None,
        "problems": [],
    }


def test_a_known_activation_adds_what_the_state_knows():
    """The keys that programs rely on."""
    shown = as_object(row(activation(), SYNCED, 1, (TagLeftBehind("old", "VIP", 2),)))
    assert set(shown) == {
        *("state", "findings", "tag", "destination", "schedule", "description", "tag_name", "members"),
        *("not_in_intercom", "never_looked_up", "match_rate", "tagged_contacts", "changes", "read_at"),
        *(
            "in_sync_at",
            "last_sync_at",
            "last_status",
            "last_reason",
            "other_carriers",
            "look_failed",
            "size_note",
        ),
        *("size_note", "held", "unread", "drift", "stuck", "left_behind", "paused", "problems"),
    }
    assert (shown["members"], shown["tagged_contacts"], shown["changes"]) == (3, 2, 1)
    assert (shown["state"], shown["match_rate"]) == ("stuck", 0.6667)
    assert shown["left_behind"] == [{"destination": "old", "tag": "VIP", "contacts": 2}]


def test_an_orphaned_activation_has_the_tag_of_the_state_and_no_destination():
    """It is not declared at any."""
    shown = as_object(row(known=SYNCED))
    assert (shown["tag"], shown["schedule"]) == ("VIP", "orphaned")
    assert "destination" not in shown


@pytest.mark.parametrize(
    ("settings", "schedule"),
    [
        ({"schedule": "0 * * * *"}, "0 * * * *"),
        ({"schedule": AFTER_UPSTREAM}, "after upstream"),
        ({"schedule": "manual"}, "manual"),
        ({"schedule": "0 * * * *", "enabled": False}, "disabled"),
    ],
)
def test_the_schedule_says_why_there_is_none(settings, schedule):
    """Disabled comes before any schedule."""
    assert row(activation(**settings)).schedule == schedule


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (row(activation(description="For the newsletter."), SYNCED), []),
        (
            row(known=SYNCED),
            [
                "orphaned. No longer declared; its contacts keep their tag. To take it off: dinmo retire vip",
            ],
        ),
        (
            row(activation(), SYNCED, left_behind=(TagLeftBehind("old", "VIP", 1),)),
            [
                (
                    "1 contact at its earlier destination 'old' keeps the tag 'VIP'. To take it off: dinmo"
                    " retire vip --destination old"
                ),
            ],
        ),
    ],
)
def test_each_thing_that_needs_a_person_has_a_note(shown, expected):
    """And nothing else has one."""
    assert list(notes(shown)) == expected
