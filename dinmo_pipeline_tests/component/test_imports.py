"""What is imported by `dg` whenever it lists components, and by a shell whenever it completes a command."""

import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parents[2]


def test_listing_components_imports_nothing_heavy():
    """`dg` and the code server import every package with components."""
    program = (
        "import sys, dagster, dinmo_pipeline as d; assert 'dagster' in sys.modules;"
        "[getattr(d, name) for name in dir(d)];"
        "print([m for m in sys.modules if m in ('duckdb', 'pyarrow', 'requests', 'sqlglot')"
        " or m.startswith('dinmo_pipeline.') and 'component' not in m])"
    )
    found = subprocess.run(
        [sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "[]"
    without = "import sys, dinmo_pipeline; print('dagster' in sys.modules)"
    found = subprocess.run(
        [sys.executable, "-c", without], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "False"


def test_help_and_completion_import_nothing_heavy():
    """A shell runs `dinmo` for each press of the tab key."""
    program = "import sys, dinmo_pipeline.cli; print(*{name.partition('.')[0] for name in sys.modules})"
    found = subprocess.run(
        [sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert not {"dagster", "duckdb", "jinja2", "pyarrow", "requests"} & set(found.stdout.split())
