"""`dinmo doctor`: look at everything that a sync needs, and say what to do about what is wrong."""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import click

from dinmo_pipeline.cli.diagnosis.dagster_instance import check_daemon, check_home, dagster_home
from dinmo_pipeline.cli.diagnosis.findings import Finding, fail, not_checked, ok, warn
from dinmo_pipeline.cli.diagnosis.machine import check_disk, check_driver, check_versions
from dinmo_pipeline.cli.diagnosis.warehouse import check_alerts, check_source, check_state, written_folders
from dinmo_pipeline.cli.exit_codes import DONE, FAILED
from dinmo_pipeline.cli.messages import echo
from dinmo_pipeline.cli.project import json_option, print_json
from dinmo_pipeline.config import (
    ConfigError,
    DeclarationsNotFoundError,
    Located,
    fingerprint,
    load_project,
    locate,
    variables,
)
from dinmo_pipeline.config.declarations import Project
from dinmo_pipeline.state.file.paths import lock_folder
from dinmo_pipeline.text.wording import counted

_NEEDS_DECLARATIONS = ("source", "state", "destinations", "daemon")
_MARKS = {"ok": "ok  ", "warn": "warn", "fail": "FAIL", "not checked": "?   "}


@click.command()
@json_option
def doctor(*, as_json: bool) -> int:
    r"""Check versions, declarations, source, tokens, Dagster's instance and daemon, clock and disk.

    Changes nothing. Exits with 1 if something fails.

    \b
    Examples:
      dinmo doctor
    """
    findings = []
    for finding in _findings():
        findings.append(finding)
        if not as_json:
            _print(finding)
    counts = Counter(finding.status for finding in findings)
    if as_json:
        print_json({"ok": not counts["fail"], "findings": [asdict(finding) for finding in findings]})
    else:
        echo()
        echo(
            f"{counted(counts['fail'], 'failure')}, {counted(counts['warn'], 'warning')},"
            f" {counts['ok']} ok, {counts['not checked']} not checked."
        )
    return FAILED if counts["fail"] else DONE


def _findings() -> Iterator[Finding]:
    yield from check_versions()
    try:
        located = locate(os.environ, Path.cwd())
    except DeclarationsNotFoundError as error:
        yield fail("declarations", str(error), "Run `dinmo init`.")
        project = None
    else:
        os.environ.update(variables(located, os.environ))
        project, finding = _declarations(located)
        yield finding
        if located.env_files:
            yield ok(".env", ", ".join(map(str, located.env_files)))
        if located.not_read:
            others = ", ".join(map(str, located.not_read))
            yield warn("declarations", f"Not read: {others}.", "Remove them, or set DINMO_CONFIG to them.")
    home = dagster_home()
    yield from check_home(home)
    if project is None:
        for subject in _NEEDS_DECLARATIONS:
            yield not_checked(subject, "There are no declarations to check it by.")
        yield from check_disk([home])
        return
    yield from check_driver(project.source.type)
    yield from check_source(project)
    yield from check_state(project)
    from dinmo_pipeline.cli.diagnosis.workspaces import check_destination  # noqa: PLC0415  # 0.1 s

    for destination in project.destinations.values():
        yield from check_destination(project, destination)
    yield from check_alerts(project)
    yield from check_daemon(home, lock_folder(project.state), fingerprint(located.declarations))
    yield from check_disk(written_folders(project, home))


def _declarations(located: Located) -> tuple[Project | None, Finding]:
    try:
        project = load_project(located.declarations)
    except ConfigError as error:
        first = error.problems[0]
        more = f" (and {len(error.problems) - 1} more)" if len(error.problems) > 1 else ""
        seen = f"{first.place}: {first.message}{more}"
        return None, fail("declarations", seen, "Run `dinmo check` to see all of it, and correct the files.")
    counts = (
        counted(len(project.segments), "segment"),
        counted(len(project.activations), "activation"),
        counted(len(project.destinations), "destination"),
    )
    return project, ok("declarations", f"{located.declarations}: {', '.join(counts)}")


def _print(finding: Finding) -> None:
    echo(f"{_MARKS[finding.status]}  {finding.subject}: {finding.seen}")
    if finding.fix:
        echo(f"        {finding.fix}")
