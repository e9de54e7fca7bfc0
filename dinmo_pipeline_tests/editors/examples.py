"""Declarations that are right: all examples of the documentation, and the demo's."""

import re
from pathlib import Path
from typing import Any

from dinmo_pipeline.config.strict_yaml.composing import compose
from dinmo_pipeline.config.strict_yaml.nodes import ListNode, MapNode, Node
from dinmo_pipeline.config.strict_yaml.report import Report
from dinmo_pipeline.demo import DEMO_DECLARATIONS

_PROJECT = Path(__file__).parents[2]
_BLOCK = re.compile(r"^```yaml\n(.*?)^```", re.MULTILINE | re.DOTALL)
_SECTION = re.compile(
    r"^(?:source|state|alerts|destinations|models|segments|activations|tests):", re.MULTILINE
)


def _examples() -> dict[str, str]:
    found = {path.name: path.read_text() for path in DEMO_DECLARATIONS.glob("*.yaml")}
    for page in (_PROJECT / "README.md", *sorted(_PROJECT.glob("docs/**/*.md"))):
        for number, block in enumerate(_BLOCK.findall(page.read_text()), 1):
            if block.startswith("where:"):
                found[f"{page.name} {number}"] = _segment(block)
            elif _SECTION.match(block):
                found[f"{page.name} {number}"] = block
    return found


def _segment(where: str) -> str:
    indented = "    " + where.replace("\n", "\n    ").rstrip(" ")
    return f"segments:\n  one:\n    model: customers\n{indented}"


EXAMPLES = _examples()


def as_json(text: str) -> Any:
    """A YAML text as the reader takes it, in the values of JSON."""
    return _plain(compose("f", text, Report()))


def _plain(node: Node) -> Any:
    if isinstance(node, MapNode):
        return {key.text: _plain(value) for key, value in node.entries}
    if isinstance(node, ListNode):
        return [_plain(item) for item in node.items]
    values = {
        "null": lambda _: None,
        "bool": lambda text: text.lower() == "true",
        "int": int,
        "float": float,
    }
    return values.get(node.kind, str)(node.text)
