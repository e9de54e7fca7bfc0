"""What the documents show is true: declarations load, commands parse, and all that has a name is in them."""

import re
import shlex
from pathlib import Path

import click
import pytest
import yaml

from dinmo_pipeline.cli.main import dinmo
from dinmo_pipeline.config import ConfigError, DeclarationsNotFoundError, load_project
from dinmo_pipeline.config.project import TOP_LEVEL
from dinmo_pipeline.intercom.errors import IntercomError
from dinmo_pipeline.orchestration.alerts.errors import AlertError
from dinmo_pipeline.orchestration.alerts.troubles import Trouble
from dinmo_pipeline.orchestration.build import build_definitions
from dinmo_pipeline.orchestration.runs.errors import TRANSIENT_ERRORS
from dinmo_pipeline.segments import SegmentError, SourceError
from dinmo_pipeline.state.errors import StateError
from dinmo_pipeline_tests.config.reading import SOURCE_AND_STATE, load

PROJECT = Path(__file__).parents[1]
PAGES = [PROJECT / "README.md", *sorted((PROJECT / "docs").glob("**/*.md"))]
USER_PAGES = [page for page in PAGES if page.parent.name != "adr"]
TEXTS = {str(page.relative_to(PROJECT)): page.read_text("utf-8") for page in USER_PAGES}
ALL = "\n".join(TEXTS.values())
_FENCED = re.compile(r"^( *)```(\w*)\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
# The condition of a segment, or a list of its rows: `config/test_docs.py` reads them.
_TESTED_ELSEWHERE = {"dbt"}  # with a dbt project: `dbt/test_lineage.py`
_PARTS_OF_DECLARATIONS = "docs/reference/conditions.md"


def blocks(language):
    """The blocks of a language, each with its page."""
    return [
        (page, re.sub(rf"^{found[1]}", "", found[3], flags=re.MULTILINE))
        for page, text in TEXTS.items()
        for found in _FENCED.finditer(text)
        if found[2] == language
    ]


def _declarations():
    for page, block in blocks("yaml"):
        read = yaml.safe_load(block)
        is_whole = isinstance(read, dict) and set(read) <= set(TOP_LEVEL) - _TESTED_ELSEWHERE
        if is_whole and page != _PARTS_OF_DECLARATIONS:
            yield pytest.param(page, block, id=f"{page}: {next(iter(read))}")


@pytest.mark.parametrize(("page", "block"), list(_declarations()))
def test_declarations_in_every_page_load(page, block):
    """With what an example leaves out: source, state, and segments of the activations it shows."""
    read = yaml.safe_load(block)
    source, state = SOURCE_AND_STATE.splitlines()
    left_out = {"source": "source: {type: csv, folder: data}" if "csv" in page else source, "state": state}
    missing = [line for key, line in left_out.items() if key not in read]
    if "destinations" not in read:
        missing.append("destinations: {main: {access_token: {env: TOKEN}}}")
    shown = {**(read.get("activations") or {})}
    segments = {each.get("segment", key) for key, each in ((k, v or {}) for k, v in shown.items())}
    if segments - set(read.get("segments") or {}) and "segments" not in read:
        missing.append(f"segments: {{{', '.join(f'{key}: {{table: {key}}}' for key in sorted(segments))}}}")
    assert load("\n".join([block, *missing]))


def test_every_other_block_of_yaml_is_yaml():
    """Such as that of Dagster's instance."""
    for _page, block in blocks("yaml"):
        yaml.safe_load(block)


def _command_lines():
    """Each `dinmo …` in a block, an indented line, or between backticks, with its page."""
    in_code = re.compile(r"`(dinmo [^`\n]+)`")
    in_line = re.compile(r"^(?: {4,}|\$ )?(?:cd \S+ && )?(dinmo [^\n]+)$", re.MULTILINE)
    for page, text in TEXTS.items():
        for found in (*in_code.finditer(text), *in_line.finditer(text)):
            line = re.split(r"\s(?:#|\|+|&&|>)\s|  +#", found[1])[0].strip()
            yield page, line


def test_every_command_in_every_page_parses():
    """Commands and options exist; what stands for something, such as ACTIVATION…, is an argument."""
    wrong = []
    for page, line in _command_lines():
        if reason := _why_wrong(shlex.split(line.replace("'s", ""))[1:]):
            wrong.append(f"{page}: {line}: {reason}")
    assert wrong == []


def _why_wrong(words):
    """Why `dinmo` would not take these words, or None."""
    command, name = dinmo, "dinmo"
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        if words[0] in ("…", "..."):
            return None
        name = words[0]
        if name not in command.commands:
            return f"no command {name!r}"
        command, words = command.commands[name], words[1:]
    options = {name for each in command.params if isinstance(each, click.Option) for name in each.opts}
    known = {*options, *(name for each in command.params for name in each.secondary_opts), "--help", "-h"}
    used = {word.strip("[]").partition("=")[0] for word in words if word.strip("[").startswith("-")}
    unknown = used - known - {"--version"}
    return f"no option {', '.join(sorted(unknown))}" if unknown else None


def test_commands_options_and_exit_codes_are_named():
    """Each command is on a page besides the table in the README."""
    pages = "\n".join(text for page, text in TEXTS.items() if page != "README.md")
    assert [name for name in dinmo.commands if not re.search(rf"\bdinmo {name}\b", pages)] == []


def test_everything_that_dagster_shows_is_named(tmp_path):
    """Jobs, schedules, sensors, assets and checks by their names, in a guide or reference page."""
    declared = (
        f"{SOURCE_AND_STATE}\nalerts: {{webhook: {{env: HOOK}}}}\n"
        "destinations: {main: {access_token: {env: TOKEN}}}\nsegments: {vip: {table: vip}}\n"
        "activations: {vip: {schedule: hourly, reconcile: {schedule: sundays at 5:00}}}\n"
    )
    (tmp_path / "dinmo.yaml").write_text(declared)
    definitions = build_definitions(load_project(tmp_path / "dinmo.yaml"), {})
    graph = definitions.resolve_asset_graph()
    names = {
        *(job.name for job in definitions.jobs or ()),
        *(sensor.name for sensor in definitions.sensors or ()),
        *(schedule.name for schedule in definitions.schedules or ()),
        *(key.name for key in graph.asset_check_keys),
        *(key.path[0] for key in graph.get_all_asset_keys()),
    }
    assert [name for name in sorted(names) if not re.search(rf"\b{name}\b", ALL)] == []


def test_every_error_is_explained_and_whether_it_is_repeated():
    """Those that a person meets, with all that are derived from them."""
    rows = {}
    for row in TEXTS["docs/reference/words.md"].split("## Errors")[1].splitlines():
        for name in re.findall(r"`(\w+Error)`", row.split("|")[1] if row.startswith("| `") else ""):
            rows[name] = row.split("|")[2].strip()
    families = (ConfigError, DeclarationsNotFoundError, SegmentError, SourceError, StateError, IntercomError)
    expected = {each.__name__ for family in (*families, AlertError) for each in (family, *_derived(family))}
    # No call raises the family itself.
    assert set(rows) == expected - {"IntercomError"}
    transient = {each.__name__ for family in TRANSIENT_ERRORS for each in (family, *_derived(family))}
    assert {name for name, repeated in rows.items() if repeated == "yes"} == {*transient, "AlertError"}


def _derived(family):
    for each in family.__subclasses__():
        yield from (each, *_derived(each))


def test_every_kind_of_alert_is_in_the_table_of_troubles():
    """One row each, with when it is over."""
    page = TEXTS["docs/guides/operate.md"]
    table = page.split("| Trouble | Over when |")[1].split("\n\n")[0]
    # One row is about drift and failed comparisons, two kinds.
    assert len(table.strip().splitlines()) - 1 == len(Trouble) - 1
