"""A setting is the activation's own; else the destination's default; else built-in."""

import json
from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dinmo_pipeline.config.declarations import Guards
from dinmo_pipeline_tests.config.reading import (
    DESTINATION,
    MODELS,
    SOURCE_AND_STATE,
    load,
    messages,
)

_BUILT_IN = {
    "schedule": "manual",
    "timezone": "UTC",
    "enabled": True,
    "on_multiple_users": "all",
    "max_removed_share": 0.3,
    "max_unidentified_share": 0.05,
    "max_failed_share": 0.1,
    "reconcile.schedule": "manual",
    "reconcile.repair": False,
}
_SETTINGS = st.fixed_dictionaries(
    {},
    optional={
        "column": st.sampled_from(["email", "mail", "customer_id"]),
        "schedule": st.sampled_from(["manual", "0 * * * *", "@daily"]),
        "timezone": st.sampled_from(["UTC", "Europe/Paris", "Asia/Kolkata"]),
        "enabled": st.booleans(),
        "on_multiple_users": st.sampled_from(["all", "skip"]),
        "guards": st.fixed_dictionaries(
            {},
            optional={
                "max_removed_share": st.sampled_from([0, 0.25, 0.5, 1]),
                "max_unidentified_share": st.sampled_from([0, 0.02, 1]),
                "max_failed_share": st.sampled_from([0, 0.05, 1]),
            },
        ),
        "reconcile": st.fixed_dictionaries(
            {},
            optional={
                "schedule": st.sampled_from(["manual", "@daily", "30 5 * * sun"]),
                "repair": st.booleans(),
            },
        ),
    },
)


def _project(default: dict[str, object], own: dict[str, object]) -> str:
    destination = {"access_token": {"env": "TOKEN"}, "default_activation": default}
    return SOURCE_AND_STATE + "\n".join(
        [
            f"destinations: {json.dumps({'main': destination})}",
            'segments: {s: {name: The segment, sql: "select 1"}}',
            f"activations: {json.dumps({'s': own})}",
        ]
    )


def _flat(settings):
    reconcile = settings.get("reconcile", {}).items()
    named = {f"reconcile.{name}": value for name, value in reconcile}
    return {**settings, **settings.get("guards", {}), **named}


@given(_SETTINGS, _SETTINGS, st.sampled_from(["email", "user_id"]))
def test_every_setting_resolves_field_by_field(default, own, match_by):
    """Also each guard by itself, and each setting of the reconciliation."""
    default = {**default, "match_by": match_by}
    built_in = {**_BUILT_IN, "column": "email" if match_by == "email" else "user_id"}
    expected = {**built_in, **_flat(default), **_flat(own)}
    activation = load(_project(default, own)).activations["s"]
    resolved = _flat({**asdict(activation), "reconcile": asdict(activation.reconciliation)})
    assert {key: resolved[key] for key in (*built_in, "match_by")} == {
        key: expected[key] for key in (*built_in, "match_by")
    }


@pytest.mark.parametrize("written", ["{}", "", "null"])
def test_one_line_activates_a_segment(written):
    """Segment, destination and name come from the key, the only destination and the segment."""
    text = SOURCE_AND_STATE + DESTINATION + "segments: {s: {name: ' The S ', table: t}}\n"
    activation = load(f"{text}activations:\n  s: {written}\n").activations["s"]
    assert (activation.segment, activation.destination, activation.name) == ("s", "main", "The S")
    assert (activation.match_by, activation.column, activation.schedule) == (
        "email",
        "email",
        "manual",
    )
    assert activation.guards == Guards(0.3, 0.05, 5.0, 0.1)
    assert not activation.is_scheduled
    assert not activation.is_reconciled


@pytest.mark.parametrize(
    ("segment", "column"),
    [
        ("{model: customers, where: {field: a, is: set}}", "customer_id"),
        ("{model: order_lines, where: {field: a, is: set}}", "user_id"),
        ("{table: t}", "user_id"),
    ],
)
def test_the_column_of_user_ids_is_the_models_key(segment, column):
    """Where there is a model with a key; else `user_id`."""
    text = SOURCE_AND_STATE + DESTINATION + MODELS + f"segments: {{s: {segment}}}\n"
    assert load(text + "activations: {s: {match_by: user_id}}\n").activations["s"].column == column


def test_a_default_column_is_not_taken_for_the_other_identifier():
    """Emails would be sent as user ids."""
    text = _project({"column": "email"}, {"match_by": "user_id"})
    assert messages(text) == [
        "`match_by` is user_id, but `column` is the destination's default, 'email', which goes with email."
    ]
    assert load(_project({"column": "email"}, {"match_by": "user_id", "column": "id"}))


@pytest.mark.parametrize("other", ["VIP", " vip ", "Vip"])
def test_one_tag_has_one_activation(other):
    """Intercom ignores case in names: two activations would undo each other's work."""
    text = (
        SOURCE_AND_STATE
        + DESTINATION
        + (
            "segments: {s: {table: t}}\n"
            "activations:\n"
            "  a: {segment: s, name: vip}\n"
            f"  b: {{segment: s, name: '{other}', enabled: false}}\n"
        )
    )
    (message,) = messages(text)
    assert message == (
        f"The tag '{other.strip()}' in 'main' already belongs to activation 'a' at"
        " project.yaml:6:25. Names that differ only in case are the same tag."
    )


def test_names_are_compared_as_a_person_sees_them():
    """An é of one character and one of two are one name."""
    text = (
        SOURCE_AND_STATE
        + DESTINATION
        + (
            "segments: {s: {table: t}}\n"
            'activations: {a: {segment: s, name: "caf\\u00e9"}, b: {segment: s, name: "CAFE\\u0301"}}\n'
        )
    )
    assert len(messages(text)) == 1


def test_one_name_on_two_destinations_is_two_tags():
    """And both are kept."""
    text = SOURCE_AND_STATE + (
        "destinations: {x: {access_token: {env: X}}, y: {access_token: {env: Y}}}\n"
        "segments: {s: {table: t}}\n"
        "activations: {a: {segment: s, destination: x}, b: {segment: s, destination: y}}\n"
    )
    assert [each.name for each in load(text).activations.values()] == ["s", "s"]
    without = text.replace(", destination: y", "")
    assert messages(without) == [
        "`destination` is missing, and there is not exactly one destination to use by default."
    ]


def test_a_description_is_the_activations_own():
    """A destination has no default for it, since it would be that of every tag."""
    own = {"description": " For the newsletter. "}
    assert load(_project({}, own)).activations["s"].description == "For the newsletter."
    assert load(_project({}, {})).activations["s"].description is None
    assert messages(_project(own, {})) == ["There is no setting `description` here."]
