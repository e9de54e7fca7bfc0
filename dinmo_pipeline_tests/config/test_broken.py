"""A problem of one object breaks what depends on it, and nothing else."""

import pytest

from dinmo_pipeline.config import ConfigError
from dinmo_pipeline_tests.config.reading import DESTINATION, SOURCE_AND_STATE, load_partly

_PARTS = {
    "models": {
        "customers": "{key: id, relations: {orders: {model: orders, join: id}}}",
        "orders": "{key: order_id}",
    },
    "segments": {
        "buyers": "{model: customers, where: {exists: orders}}",
        "french": "{model: customers, where: {field: country, equals: FR}}",
        "both": "{model: customers, where: {all: [{in_segment: french}, {in_segment: plain}]}}",
        "plain": "{table: t}",
    },
    "activations": {"buyers": "{}", "french": "{}", "both": "{}", "again": "{segment: plain, name: Again}"},
    "tests": {
        "who_buys": "{segment: buyers, given: {customers: [{id: 1}], orders: [{id: 1}]}, expect: [1]}",
        "who_is_french": "{segment: french, given: {customers: [{id: 1, country: FR}]}, expect: [1]}",
    },
}
ACTIVATIONS = set(_PARTS["activations"])


def declared(section="", key="", text=""):
    """The declarations, with one object written otherwise."""
    lines = [SOURCE_AND_STATE + DESTINATION]
    for name, objects in _PARTS.items():
        written = {**objects, key: text} if name == section else objects
        lines += [f"{name}:\n", *(f"  {each}: {value}\n" for each, value in written.items())]
    return "".join(lines)


@pytest.mark.parametrize(
    ("change", "broken"),
    [
        (("activations", "french", "{schedule: now and then}"), {"french"}),
        (("activations", "more", "{segment: unknown}"), {"more"}),
        (("activations", "more", "{segment: plain, name: AGAIN}"), {"more"}),
        (("segments", "buyers", "{model: customers, where: {exists: nothing}}"), {"buyers"}),
        (("segments", "french", "{model: customers, where: {field: a, equal: FR}}"), {"french", "both"}),
        (("segments", "plain", "{model: customers, where: {in_segment: both}}"), {"both", "again"}),
        (("segments", "unused", "{}"), set()),
        (("models", "orders", "{key: [id]}"), {"buyers"}),
        (("models", "customers", "{keys: id}"), {"buyers", "french", "both"}),
        (("models", "customers", "{key: id, relations: {orders: {model: other, join: id}}}"),
         {"buyers", "french", "both"}),
        (("tests", "who_buys", "{segment: buyers}"), set()),
        (("activations", "not-a-key", "{segment: plain}"), set()),
    ],
)  # fmt: skip
def test_only_what_depends_on_a_broken_object_is_broken(change, broken):
    """Through conditions, relations and other segments, to any depth."""
    project = load_partly(declared(*change))
    assert project.problems
    assert set(project.broken_of("activation")) == broken
    assert (
        set(project.activations)
        == (ACTIVATIONS | {change[1]} if broken == {"more"} else ACTIVATIONS) - broken
    )
    assert all(activation.segment in project.segments for activation in project.activations.values())
    assert all(test.segment in project.segments for test in project.tests.values())
    assert all(segment.model in {None, *project.models} for segment in project.segments.values())
    relations = [r.model for model in project.models.values() for r in model.relations.values()]
    assert set(relations) <= set(project.models)
    for problems in project.broken.values():
        assert set(problems) <= set(project.problems)


def test_an_activation_shows_the_problems_of_all_that_it_is_made_from():
    """Each once, in the words of `check`."""
    text = declared("segments", "french", "{model: customers, where: {field: country, equal: FR}}")
    project = load_partly(text.replace("plain: {table: t}", "plain: {table: t, tabel: u}"))
    assert [problem.subject for problem in project.broken_of("activation")["both"]] == [
        "segment 'french'",
        "segment 'plain'",
    ]
    assert project.declared_activations == ["buyers", "french", "both", "again"]


@pytest.mark.parametrize(
    "wrong",
    [
        lambda text: text + "segment: {}\n",
        lambda text: text + "alerts: {}\n",
        lambda text: text + "activations: [\n",
        lambda text: text.replace("type: duckdb", "type: duck"),
        lambda text: text.replace("env: INTERCOM", "evn: INTERCOM"),
    ],
)
def test_an_error_of_the_whole_file_refuses_all(wrong):
    """The syntax, a section, the source, the state, a destination."""
    with pytest.raises(ConfigError):
        load_partly(wrong(declared()))
