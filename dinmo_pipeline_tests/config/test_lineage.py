"""What a segment is made from, and schedules that follow it."""

import pytest

from dinmo_pipeline.config.lineage import upstream_of, uses_of
from dinmo_pipeline_tests.config.reading import (
    DESTINATION,
    SOURCE_AND_STATE,
    load,
    messages,
    refusal,
)

_BASE = (
    SOURCE_AND_STATE
    + DESTINATION
    + """\
models:
  customers: {key: id, upstream: [dbt/customers], relations: {orders: {model: orders, join: id}}}
  orders: {upstream: [raw / orders], relations: {lines: {model: lines, join: order}}}
  lines: {upstream: [raw/lines, dbt/customers], relations: {product: {model: products, join: sku}}}
  products: {upstream: [raw/products]}
segments:
  plain: {model: customers, where: {field: a, is: set}}
  deep:
    model: customers
    upstream: [own]
    where: {any: [{exists: orders, where: {exists: lines, where: {field: a, is: set}}}, {field: a, is: set}]}
  deeper: {model: customers, where: {not: {sum: orders.lines.product.price, at_least: 1}}}
  within: {model: customers, where: {all: [{in_segment: listed}, {not: {in_segment: within_listed}}]}}
  within_listed: {model: customers, where: {in_segment: listed}}
  listed: {table: t, upstream: [other]}
  bare: {sql: select 1}
"""
)


@pytest.mark.parametrize(
    ("segment", "upstream"),
    [
        ("plain", ("dbt/customers",)),
        ("deep", ("own", "dbt/customers", "raw/orders", "raw/lines")),
        ("deeper", ("dbt/customers", "raw/orders", "raw/lines", "raw/products")),
        ("within", ("other", "dbt/customers")),
        ("bare", ()),
        ("nowhere", ()),
    ],
)
def test_a_segment_depends_on_all_that_it_is_made_from(segment, upstream):
    """Its own, its model's, those of related models, and those of other segments; each once."""
    project = load(_BASE)
    assert upstream_of(segment, project.segments, project.models) == upstream


def test_used_segments_and_models_are_listed_once():
    """The segment itself first."""
    project = load(_BASE)
    uses = uses_of("within", project.segments, project.models)
    assert uses.segments == ("within", "listed", "within_listed")
    assert uses.models == ("customers",)


def test_an_activation_can_follow_its_upstream():
    """It then has no cron schedule; disabled, it has neither."""
    own = """\
activations:
  plain: {schedule: {after: upstream}}
  deep: {}
  listed: {enabled: false, schedule: {after: upstream}}
"""
    found = load(_BASE + own).activations
    assert [(a.is_scheduled, a.follows_upstream) for a in found.values()] == [
        (False, True),
        (False, False),
        (False, False),
    ]


def test_a_destination_can_have_all_of_its_activations_follow():
    """An activation's own schedule comes first."""
    text = _BASE.replace(
        "{access_token: {env: INTERCOM_ACCESS_TOKEN}}",
        "{access_token: {env: T}, default_activation: {schedule: {after: upstream}}}",
    )
    found = load(f'{text}activations: {{plain: {{}}, bare: {{schedule: "@daily"}}}}').activations
    assert found["plain"].follows_upstream
    assert found["bare"].is_scheduled
    (problem,) = refusal(f"{text}activations: {{bare: {{}}}}").problems
    assert problem.subject == "activation 'bare'"


def test_following_nothing_is_refused_with_the_fix():
    """Such an activation would never be synced."""
    text = _BASE + "activations:\n  bare: {schedule: {after: upstream}}\n"
    assert str(refusal(text)) == (
        "project.yaml:21:20: activation 'bare': `schedule` is {after: upstream}, but neither segment"
        " 'bare' nor a model that it uses has an `upstream`.\n"
        "  19 |   bare: {sql: select 1}\n"
        "  20 | activations:\n"
        "  21 |   bare: {schedule: {after: upstream}}\n"
        "     |                    ^\n"
        "  Name the Dagster assets as `upstream` of 'bare' or of its models, write `upstream: auto`, or set"
        " another `schedule` here."
    )


@pytest.mark.parametrize(
    "schedule", ["{after: orders}", "{before: upstream}", "{after: upstream, at: 1}", "{}"]
)
def test_other_mappings_are_not_schedules(schedule):
    """The allowed forms are listed."""
    text = f"{_BASE}activations: {{plain: {{schedule: {schedule}}}}}"
    assert messages(text) == ["`schedule` must be one of the allowed forms."]


def test_the_internal_word_for_it_is_not_a_schedule():
    """There is one way to write it."""
    text = f"{_BASE}activations: {{plain: {{schedule: after_upstream}}}}"
    assert "{after: upstream}" in refusal(text).problems[0].allowed


@pytest.mark.parametrize("key", ["segment_membership", "intercom_tags"])
def test_what_comes_after_the_segments_cannot_be_upstream(key):
    """It would depend on itself."""
    text = f"{SOURCE_AND_STATE}segments: {{s: {{table: t, upstream: [a/b, {key}]}}}}"
    (message,) = messages(text)
    assert message.endswith(f"must be an asset upstream of the segments; {key} comes after them.")
