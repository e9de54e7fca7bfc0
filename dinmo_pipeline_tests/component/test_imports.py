"""What `dg` imports of a package with components whenever it lists them."""

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
