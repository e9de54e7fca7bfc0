"""What the documents say of Python and of the environment is true, and complete."""

import ast
import importlib
import re
from pathlib import Path

PROJECT = Path(__file__).parents[2]
PAGES = {
    str(page.relative_to(PROJECT)): page.read_text()
    for page in (*PROJECT.glob("*.md"), *PROJECT.glob("docs/**/*.md"))
    # What was true once may stay in these.
    if page.name != "CHANGELOG.md" and "adr" not in page.parts and "_site" not in page.parts
}
TEXT = "\n".join(PAGES.values())


def test_examples_in_python_can_be_imported():
    """But for what they import of the reader's own."""
    blocks = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    assert len(blocks) >= 4
    for node in (node for block in blocks for node in ast.walk(ast.parse(block))):
        if isinstance(node, ast.ImportFrom) and node.module.startswith("dinmo_pipeline"):
            module = importlib.import_module(node.module)
            assert [each.name for each in node.names if not hasattr(module, each.name)] == []


def test_every_variable_of_the_environment_is_named():
    """Those that the code reads."""
    code = "\n".join(path.read_text() for path in (PROJECT / "dinmo_pipeline").rglob("*.py"))
    variables = set(re.findall(r"\"(DINMO_[A-Z_]+)\"", code))
    assert "DINMO_CONFIG" in variables
    assert {name for name in variables if name not in TEXT} == set()
