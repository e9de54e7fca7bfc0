"""What the YAML language server shows: one problem for a mistake, what can be written, what it means."""

from collections.abc import Iterator

import pytest

from dinmo_pipeline.config import schema_text
from dinmo_pipeline_tests.editors.examples import EXAMPLES
from dinmo_pipeline_tests.editors.language_server import LanguageServer, reason_to_skip
from dinmo_pipeline_tests.editors.mistakes import BASE, MISTAKES, WHERE

_SKIPPED = reason_to_skip()
pytestmark = pytest.mark.skipif(_SKIPPED is not None, reason=_SKIPPED or "")


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[LanguageServer]:
    """The language server with the schema as `dinmo schema --out` writes it."""
    schema = tmp_path_factory.mktemp("editor") / "dinmo.schema.json"
    schema.write_text(schema_text())
    server = LanguageServer(schema)
    yield server
    server.stop()


def test_a_mistake_is_one_problem_in_an_editor(server):
    """On its line, with what to write instead."""
    found = {name: server.problems(mistake.text) for name, mistake in MISTAKES.items()}
    for name, mistake in MISTAKES.items():
        ((line, message),) = found[name]
        assert (line, mistake.says in message) == (mistake.line, True), f"{name}: {message}"


def test_an_example_has_no_problem_in_an_editor(server):
    """Nothing that is right is underlined."""
    found = {name: server.problems(text) for name, text in EXAMPLES.items()}
    assert {name: problems for name, problems in found.items() if problems} == {}


_IN_ALL = f"{WHERE}        - "
_IN_ACTIVATION = f"{BASE}segments: {{vip: {{table: vips}}}}\nactivations:\n  vip:\n    "


@pytest.mark.parametrize(
    ("text", "offered", "not_offered"),
    [
        ("|", {"source", "segments", "activations"}, {"where"}),
        (f"{_IN_ALL}|", {"field", "all", "count", "in_segment"}, {"equals", "where"}),
        (f"{_IN_ALL}field: country\n          |", {"equals", "within_last", "ignore_case"}, {"gt", "all"}),
        (f"{_IN_ALL}count: orders\n          |", {"at_least", "where"}, {"contains", "by"}),
        (f"{_IN_ALL}{{field: country, is: |}}", {"set", "blank"}, set()),
        (f"{_IN_ALL}{{field: seen_at, within_last: |}}", {"30 days"}, set()),
        (f"{_IN_ACTIVATION}|", {"schedule", "guards", "match_by"}, {"region"}),
        (f"{_IN_ACTIVATION}schedule: |", {"manual", "every 15 minutes"}, set()),
        (f"{_IN_ACTIVATION}timezone: Europe/P|", {"UTC", "Europe/Paris"}, set()),
        (f"{_IN_ACTIVATION}match_by: |", {"email", "user_id"}, set()),
        ("source:\n  type: |", {"duckdb", "snowflake"}, set()),
        (f"{BASE}segments:\n  vip:\n    |", {"where", "sql", "table"}, {"region"}),
    ],
)
def test_an_editor_offers_what_can_be_written(server, text, offered, not_offered):
    """And nothing that cannot."""
    labels = set(server.completions(text))
    assert (offered - labels, not_offered & labels) == (set(), set())


@pytest.mark.parametrize(
    ("text", "at", "shown"),
    [
        (f"{_IN_ALL}{{field: seen_at, within_last: 30 days}}", "within_last", "in this time before now"),
        (f"{_IN_ALL}{{count: orders, at_least: 3}}", "at_least", "this value or greater"),
        (f"{_IN_ALL}{{not: {{in_segment: churned}}}}", "not", "which does not hold"),
        (WHERE, "where", "The condition that members meet"),
        (f"{_IN_ACTIVATION}guards: {{max_growth: 3}}", "max_growth", "a factor, 1 or more"),
        (f"{_IN_ACTIVATION}schedule: hourly", "schedule", "every 15 minutes"),
        (f"{_IN_ACTIVATION}timezone: UTC", "timezone", "IANA time zone"),
        (BASE, "access_token", "environment variable"),
    ],
)
def test_an_editor_explains_on_hover(server, text, at, shown):
    """In the words of the settings, and briefly."""
    hover = server.hover(text, at)
    assert shown in hover
    assert len(hover) < 1_000
