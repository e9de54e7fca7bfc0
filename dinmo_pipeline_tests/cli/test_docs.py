"""What the documents say of commands and names is true, and complete."""

import ast
import importlib
import re
from pathlib import Path

import click
import pytest

from dinmo_pipeline.cli.main import dinmo

PROJECT = Path(__file__).parents[2]
PAGES = {
    str(page.relative_to(PROJECT)): page.read_text()
    for page in (*PROJECT.glob("*.md"), *PROJECT.glob("docs/**/*.md"))
    # What was true once may stay in these.
    if page.name != "CHANGELOG.md" and "adr" not in page.parts and "_site" not in page.parts
}
TEXT = "\n".join(PAGES.values())


def commands_on(text):
    """The words after each `dinmo` in code: in a line of it, or within a sentence."""
    lines = re.findall(r"^(?:    |\$ |make demo *# )?(?:.*&& )?dinmo ([a-z][^\n#|]*)", text, re.MULTILINE)
    for words in (*lines, *re.findall(r"`dinmo ([a-z][^`|]*)", text)):
        yield words.split()


def problem_of(words):
    """Why a command line cannot be typed, or None."""
    command = dinmo
    while isinstance(command, click.Group):
        if not words or words[0].strip("[]…().,;:") not in command.commands:
            return f"no command {' '.join(words[:1])!r}"
        command, words = command.commands[words[0].strip("[]…().,;:")], words[1:]
    known = {name for parameter in command.params for name in parameter.opts} | {"--help", "-h"}
    used = {option for word in words for option in re.findall(r"^\[?(--?[a-z][a-z-]*)", word)}
    unknown = used - known
    return f"no option {', '.join(unknown)} of {command.name}" if unknown else None


@pytest.mark.parametrize("page", PAGES)
def test_commands_exist_with_their_options(page):
    """As somebody would copy them."""
    problems = {" ".join(words): problem_of(words) for words in commands_on(PAGES[page])}
    assert {words: problem for words, problem in problems.items() if problem} == {}


def test_a_wrong_command_would_be_found():
    """And the commands in the documents are."""
    assert problem_of(["synch", "vip"]) == "no command 'synch'"
    assert problem_of(["sync", "vip", "--alow-large-removal"]) == "no option --alow-large-removal of sync"
    assert len(list(commands_on(TEXT))) > 150


def test_examples_in_python_can_be_imported():
    """But for what they import of the reader's own."""
    blocks = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    assert len(blocks) >= 4
    for node in (node for block in blocks for node in ast.walk(ast.parse(block))):
        if isinstance(node, ast.ImportFrom) and node.module.startswith("dinmo_pipeline"):
            module = importlib.import_module(node.module)
            assert [each.name for each in node.names if not hasattr(module, each.name)] == []


def test_all_that_shows_in_dagster_is_named(company):
    """Assets, checks, jobs and sensors of a project that uses everything."""
    company.declared["alerts"] = {"webhook": {"env": "HOOK"}}
    company.declared["models"] = {"m": {"table": "vip", "key": "email", "upstream": ["dbt/customers"]}}
    company.declared["segments"]["all"] = {
        "name": "All",
        "model": "m",
        "where": {"field": "email", "is": "set"},
    }
    company.declared["activations"] = {
        "vip": {"reconcile": {"schedule": "daily at 5:00"}},
        "all": {"schedule": {"after": "upstream"}},
    }
    definitions = company.definitions({"HOOK": "https://chat.example.com/hook"})
    repository = definitions.get_repository_def()
    names = {
        *(job.name for job in repository.get_all_jobs() if not job.name.startswith("__")),
        *(sensor.name for sensor in repository.sensor_defs),
        *(check.name for check in repository.asset_graph.asset_check_keys),
        *(key.path[0] for key in repository.asset_graph.materializable_asset_keys),
    }
    assert {"apply_tag_changes", "alerts_sensor", "removal_guard", "intercom_tags"} <= names
    assert {name for name in names if not re.search(rf"`[^`\n]*\b{name}\b", TEXT)} == set()


def test_every_variable_of_the_environment_is_named():
    """Those that the code reads."""
    code = "\n".join(path.read_text() for path in (PROJECT / "dinmo_pipeline").rglob("*.py"))
    variables = set(re.findall(r"\"(DINMO_[A-Z_]+)\"", code))
    assert "DINMO_CONFIG" in variables
    assert {name for name in variables if name not in TEXT} == set()
