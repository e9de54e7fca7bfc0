"""`dinmo schema`: print the JSON Schema of the declarations."""

import click

from dinmo_pipeline.cli.project import print_json
from dinmo_pipeline.config import json_schema


@click.command()
def schema() -> None:
    """Print the JSON Schema of the declarations, for editors that complete and validate YAML."""
    print_json(json_schema())
