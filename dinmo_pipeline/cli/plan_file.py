"""The file of a reviewed plan: numbers, settings and fingerprints, but no identifiers."""

import json
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click

from dinmo_pipeline.config.declarations import Activation, Project

_FORMAT = 1
# They decide where changes go and what they do, apart from who is in the segment.
_SETTINGS = ("name", "destination", "match_by", "on_multiple_users")


@dataclass(frozen=True, slots=True)
class ReviewedPlan:
    """A plan as it was reviewed: the settings and the fingerprint of the changes, by activation."""

    settings: Mapping[str, Mapping[str, str]]
    fingerprints: Mapping[str, str]

    def changed_settings(self, activation: Activation) -> tuple[tuple[str, str | None, str], ...]:
        """The settings that changed since: name, value in the plan (None without one), and value now."""
        planned, now = self.settings[activation.key], settings_of(activation)
        return tuple(
            (name, planned.get(name), value) for name, value in now.items() if planned.get(name) != value
        )


def settings_of(activation: Activation) -> dict[str, str]:
    """The settings that a plan file records."""
    return {name: getattr(activation, name) for name in _SETTINGS}


def write_plan_file(
    path: Path,
    project: Project,
    planned: Mapping[str, Mapping[str, Any]],
    fingerprints: Mapping[str, str],
) -> None:
    """Write a plan, entirely or not at all; `planned` are the objects that `plan --json` prints.

    Raises:
        click.ClickException: the file cannot be written.
    """
    content = {
        "dinmo_plan": _FORMAT,
        "dinmo_version": version("dinmo-pipeline"),
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "activations": {
            key: {
                "settings": settings_of(project.activations[key]),
                "fingerprint": fingerprints[key],
                "planned": numbers,
            }
            for key, numbers in planned.items()
        },
    }
    text = json.dumps(content, ensure_ascii=False, indent=2, default=str) + "\n"
    try:
        with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as temporary:
            temporary.write(text)
        Path(temporary.name).replace(path)
    except OSError as error:
        raise click.ClickException(f"Cannot write the plan to {path}: {error}.") from error


def read_plan_file(path: Path) -> ReviewedPlan:
    """The plan in a file.

    Raises:
        click.UsageError: it is not a plan, or its format is another release's.
    """
    try:
        content = json.loads(path.read_text())
        if content["dinmo_plan"] != _FORMAT:
            raise click.UsageError(
                f"{path} has plan format {content['dinmo_plan']!r}, but this release reads {_FORMAT}."
                " Make a new one with `dinmo plan --out`."
            )
        activations = content["activations"].items()
        return ReviewedPlan(
            {key: dict(found["settings"]) for key, found in activations},
            {key: str(found["fingerprint"]) for key, found in activations},
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise click.UsageError(
            f"{path} is not a plan made by `dinmo plan --out` ({type(error).__name__})."
        ) from error


def planned_activations(plan: ReviewedPlan, path: Path, named: Iterable[str]) -> list[str]:
    """The keys of the activations to sync: the named ones, or all that are in the plan.

    Raises:
        click.UsageError: one is not in the plan.
    """
    wanted = list(named)
    for key in wanted:
        if key not in plan.fingerprints:
            known = ", ".join(plan.fingerprints) or "no activations"
            raise click.UsageError(f"{path} has no plan for {key!r}. It covers: {known}.")
    return wanted or list(plan.fingerprints)
