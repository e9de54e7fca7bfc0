"""`dinmo schema`: the JSON Schema of the declarations, for editors."""

from pathlib import Path

import click

from dinmo_pipeline.cli.messages import echo, report
from dinmo_pipeline.cli.own_files import write_own_file
from dinmo_pipeline.config import schema_text
from dinmo_pipeline.config.schema import MADE_BY


@click.command()
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write it to a file, such as dinmo.schema.json. Replaces only a file that this command made.",
)
def schema(*, out: Path | None) -> None:
    r"""Print the JSON Schema of the declarations, for editors that complete and validate YAML.

    \b
    Examples:
      dinmo schema --out dinmo.schema.json
    """
    if out is None:
        echo(schema_text().rstrip())
        return
    write_own_file(out, schema_text(), marker=MADE_BY, what="the schema")
    report(f"Wrote {out}. Begin your files with: # yaml-language-server: $schema={out}")
