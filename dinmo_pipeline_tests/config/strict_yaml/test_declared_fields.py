"""A field declares its setting once, and everything else derives from it."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dinmo_pipeline.config.declarations import Activation, Guards, Reconciliation
from dinmo_pipeline.config.strict_yaml.composing import compose
from dinmo_pipeline.config.strict_yaml.declared_fields import (
    build,
    flat_fields,
    flat_values,
    layered,
    nested_values,
    part,
    read_values,
    setting,
    settings_of,
)
from dinmo_pipeline.config.strict_yaml.kinds import BOOLEAN, LINE, share
from dinmo_pipeline.config.strict_yaml.report import Report, Subject
from dinmo_pipeline.config.strict_yaml.settings import settings_schema


@dataclass(frozen=True, slots=True)
class Brakes:
    """An object inside."""

    force: float = setting(share(), "How hard", default=0.5, unit="a share, 0 to 1")
    anti_lock: bool = setting(BOOLEAN, "Whether they let go", default=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Car:
    """An object with settings."""

    plate: str = setting(LINE, "The number plate", default_doc="the owner's", inherited=False)
    color: str = setting(LINE, "The color", default="red")
    brakes: Brakes = part(Brakes, "How it stops", key="stopping")


def read(text, **options):
    """What a mapping declares of a car, and the messages of its problems."""
    report = Report()
    values = read_values(compose("f", text, report), Car, Subject("car", report), **options)
    return values, [problem.message for problem in report.problems()]


def test_values_are_read_by_field():
    """An object inside by its key, and what is not declared not at all."""
    values, problems = read("{plate: B 1, stopping: {force: 1}}")
    assert problems == []
    assert values == {"plate": "B 1", "brakes": {"force": 1.0}}
    assert build(Car, values) == Car(plate="B 1", brakes=Brakes(force=1.0))


def test_every_problem_is_reported():
    """Also those of an object inside."""
    values, problems = read("{plate: [], stopping: {force: 2, anti_lock: perhaps}}")
    assert values is None
    assert problems == [
        "`plate` must be text, not a list.",
        "`force` must be from 0 to 1.",
        "`anti_lock` must be true or false, not text.",
    ]


def test_defaults_hold_only_what_is_inherited():
    """Every car has a plate of its own."""
    assert [known.key for known in settings_of(Car, inherited_only=True)] == ["color", "stopping"]
    assert read("{plate: B 1}", inherited_only=True) == (
        None,
        ["There is no setting `plate` here."],
    )


def test_layers_are_merged_field_by_field():
    """Also inside an object."""
    own, defaults = {"brakes": {"force": 1.0}}, {"color": "blue", "brakes": {"anti_lock": False}}
    assert layered(own, defaults) == {
        "color": "blue",
        "brakes": {"force": 1.0, "anti_lock": False},
    }


def test_the_schema_has_unit_and_default():
    """Whether the default is a value or words."""
    properties = settings_schema(settings_of(Car))["properties"]
    assert properties["plate"]["description"] == "The number plate. Default: the owner's."
    assert properties["color"]["default"] == "red"
    force = properties["stopping"]["properties"]["force"]
    assert (force["description"], force["default"]) == ("How hard (a share, 0 to 1).", 0.5)


def test_flat_fields_carry_the_key_of_their_object():
    """Two objects inside may have a setting of one name."""
    names = [name for name, _, _ in flat_fields(Car)]
    assert names == ["plate", "color", "stopping_force", "stopping_anti_lock"]


@given(
    st.builds(
        Activation,
        key=st.just("vip"),
        segment=st.text(),
        destination=st.text(),
        name=st.text(),
        column=st.text(),
        enabled=st.booleans(),
        guards=st.builds(Guards, st.floats(0, 1), st.floats(0, 1), st.floats(0, 1)),
        reconciliation=st.builds(Reconciliation, st.text(), st.booleans()),
        place=st.none(),
    )
)
def test_flat_values_give_the_object_back(activation):
    """What a Dagster resource holds of an activation is the activation."""
    flat = flat_values(activation)
    assert set(flat) == {name for name, _, _ in flat_fields(Activation)}
    values = nested_values(Activation, flat)
    assert build(Activation, {**values, "key": "vip", "place": None}) == activation


@pytest.mark.parametrize("cls", [Activation, Guards, Reconciliation])
def test_every_setting_of_an_activation_is_described(cls):
    """In a sentence that the reference page, editors and the Dagster UI show."""
    assert all(len(known.doc) > 10 for known in settings_of(cls))
