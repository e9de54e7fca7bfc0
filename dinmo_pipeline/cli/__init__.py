"""The `dinmo` command."""

from dinmo_pipeline.cli.main import main

__all__ = ["main"]
