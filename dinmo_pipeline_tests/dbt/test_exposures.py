"""`dinmo dbt exposures`: dbt lists the activations, and knows what they are made from."""

import json

import pytest
import yaml

from dinmo_pipeline.cli import main
from dinmo_pipeline_tests.dbt.conftest import declared


@pytest.fixture
def dinmo(shop, tmp_path, monkeypatch, capfd):
    """Run `dinmo` on the shop's declarations: its exit code, output and messages."""

    def call(*words, **changes):
        path = tmp_path / "dinmo.yaml"
        path.write_text(yaml.safe_dump(declared(shop, **changes), sort_keys=False))
        monkeypatch.setenv("DINMO_CONFIG", str(path))
        capfd.readouterr()
        with pytest.raises(SystemExit) as exit_:
            main(list(words))
        printed = capfd.readouterr()
        return exit_.value.code, printed.out, printed.err

    return call


def test_dbt_lists_the_exposures(shop, dinmo):
    """By `dbt ls`, with the models behind each; written twice, the file is the same."""
    file = shop.project / "models" / "dinmo_exposures.yml"
    code, _, messages = dinmo("dbt", "exposures", "--out", str(file))
    assert (code, messages.splitlines()[-1]) == (0, f"Wrote 3 exposures to {file}.")
    written = file.read_bytes()
    assert dinmo("dbt", "exposures", "--out", str(file))[0] == 0
    assert file.read_bytes() == written
    try:
        listed = shop.dbt("ls", "--resource-type", "exposure", "--output", "json").splitlines()
        found = {each["name"]: each for each in map(json.loads, filter(None, listed))}
        behind = shop.dbt("ls", "--select", "+exposure:intercom_buyers", "--resource-type", "model")
    finally:
        file.unlink()
    assert set(found) == {"intercom_buyers", "intercom_trialists", "intercom_planned"}
    assert found["intercom_buyers"]["depends_on"]["nodes"] == ["model.shop.customers", "model.shop.orders"]
    planned = found["intercom_planned"]["depends_on"]["nodes"]
    assert set(planned) == {"model.shop.plans.v2", "source.shop.crm.people"}
    assert set(behind.split()) == {"shop.customers", "shop.staging.orders", "shop.buyers"}


def test_an_exposure_says_what_an_activation_is(dinmo):
    """As it is printed without `--out`."""
    code, out, _ = dinmo("dbt", "exposures")
    assert code == 0
    exposure = next(each for each in yaml.safe_load(out)["exposures"] if each["name"] == "intercom_buyers")
    assert exposure == {
        "name": "intercom_buyers",
        "label": "Buyers in Intercom",
        "type": "application",
        "maturity": "medium",
        "url": "https://app.eu.intercom.com",
        "description": "Users of the segment Buyers carry the tag Buyers.",
        "depends_on": ["ref('customers')", "ref('orders')"],
        "owner": {"name": "Growth", "email": "growth@example.com"},
        "config": {
            "tags": ["dinmo", "intercom"],
            "meta": {
                "activation": "buyers",
                "segment": "buyers",
                "destination": "main",
                "tag": "Buyers",
                "match_by": "email",
                "schedule": "after_upstream",
                "enabled": True,
            },
        },
    }


def test_what_is_not_in_dbt_is_left_out_and_said(dinmo):
    """A table of nobody, and one that may be two."""
    segments = {
        "loose": {"sql": "select email from elsewhere join main.trial_users using (email)"},
        "unknown": {"table": "elsewhere"},
        "unclear": {"table": "calendar"},
    }
    activations = {key: {"schedule": "manual"} for key in segments}
    words = ("dbt", "exposures", "--owner-email", "a@example.com")
    code, out, messages = dinmo(*words, segments=segments, activations=activations)
    (exposure,) = yaml.safe_load(out)["exposures"]
    assert (code, exposure["depends_on"], exposure["owner"]) == (
        0,
        ["ref('trials')"],
        {"email": "a@example.com"},
    )
    assert "loose: the table 'elsewhere' is not a table of shop" in messages
    assert "unclear: the table 'calendar' may be warehouse.main.calendar or" in messages
    assert "unknown: nothing that it reads is in dbt, so it has no exposure." in messages
    code, _, messages = dinmo("check", segments=segments, activations=activations)
    assert (code, "upstream: auto found no asset that fills elsewhere." in messages) == (0, True)


def test_nothing_is_written_over_a_file_of_others(shop, dinmo):
    """Nor without an owner, nor without a manifest."""
    models = shop.project / "models" / "models.yml"
    before = models.read_bytes()
    code, _, messages = dinmo("dbt", "exposures", "--out", str(models))
    assert (code, models.read_bytes()) == (1, before)
    assert "was not written by this command" in messages
    code, _, messages = dinmo("dbt", "exposures", dbt={"project": str(shop.project)})
    assert (code, "--owner-email" in messages) == (2, True)
    missing = {"dbt": {"project": str(shop.project.parent)}, "models": {}, "segments": {}, "activations": {}}
    code, _, messages = dinmo("dbt", "exposures", "--owner-name", "me", **missing)
    assert (code, "Run `dbt parse`" in messages) == (2, True)
