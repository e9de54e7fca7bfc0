"""The `dinmo` command in this process, on a company's declarations."""

from dataclasses import dataclass

import pytest

from dinmo_pipeline.cli import main


@dataclass(frozen=True)
class Printed:
    """What a call of the command printed, and its exit code."""

    code: int
    out: str
    err: str


@pytest.fixture
def dinmo(company, monkeypatch, capfd, tmp_path):
    """Call `dinmo` with some words; DAGSTER_HOME is the company's own."""
    home = tmp_path / "dagster_home"
    home.mkdir()
    monkeypatch.setenv("DAGSTER_HOME", str(home))

    def call(*words):
        monkeypatch.setenv("DINMO_CONFIG", str(company.declarations))
        capfd.readouterr()
        with pytest.raises(SystemExit) as exit_:
            main(list(words))
        printed = capfd.readouterr()
        return Printed(exit_.value.code, printed.out, printed.err)

    return call
