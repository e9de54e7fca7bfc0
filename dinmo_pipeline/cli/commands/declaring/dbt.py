"""`dinmo dbt`: what dbt should know of the activations."""

from pathlib import Path

import click

from dinmo_pipeline.cli.exposures import MADE_BY, Owner, exposures_text
from dinmo_pipeline.cli.messages import echo, report
from dinmo_pipeline.cli.own_files import write_own_file
from dinmo_pipeline.cli.project import declared_project, refuse_broken
from dinmo_pipeline.config.dbt.manifest import ManifestError, read_manifest
from dinmo_pipeline.config.declarations import Dbt
from dinmo_pipeline.text.wording import counted


@click.group()
def dbt() -> None:
    r"""Show the activations in dbt's own lineage.

    \b
    Examples:
      dinmo dbt exposures --out models/exposures.yml
    """


@dbt.command()
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write them to a file among the dbt project's models. Replaces only a file that this command made.",
)
@click.option("--owner-name", help="Who owns the exposures; otherwise `owner` of `dbt`.")
@click.option("--owner-email", help="Their email.")
def exposures(*, out: Path | None, owner_name: str | None, owner_email: str | None) -> None:
    """Print an exposure for each activation, which names the dbt models behind its segment.

    dbt then shows the activations in its documentation and in `dbt ls --resource-type exposure`, and
    `dbt build --select +exposure:intercom_vip` builds what an activation needs.
    """
    from dinmo_pipeline.segments.upstream import dbt_lineage  # noqa: PLC0415  # 0.3 s to import

    project = declared_project()
    # The file would lose what it has of them.
    refuse_broken(project, "activation", project.broken_of("activation"))
    if project.dbt is None:
        raise click.UsageError("The declarations name no dbt project. Add dbt: {project: ../dbt}.")
    owner = _owner(project.dbt, owner_name, owner_email)
    try:
        manifest = read_manifest(project.dbt.manifest)
    except ManifestError as error:
        raise click.UsageError(f"{error.message} {error.hint}") from None
    lineage = dbt_lineage(project, manifest)
    for key, found in lineage.items():
        for table, may_be in found.others.items():
            meaning = f" may be {' or '.join(may_be)}" if may_be else f" is not a table of {manifest.project}"
            report(f"{key}: the table '{table}'{meaning}, so its exposure leaves it out.")
    nodes = {key: found.nodes for key, found in lineage.items() if found.nodes}
    for key in lineage.keys() - nodes.keys():
        report(f"{key}: nothing that it reads is in dbt, so it has no exposure.")
    text = exposures_text(project, manifest, nodes, owner)
    if out is None:
        echo(text.rstrip())
        return
    write_own_file(out, text, marker=MADE_BY, what="the exposures")
    report(f"Wrote {counted(len(nodes), 'exposure')} to {out}.")


def _owner(dbt: Dbt, name: str | None, email: str | None) -> Owner:
    """The owner of the command line, or else of the declarations."""
    if name or email:
        return Owner(name, email)
    if not (dbt.owner_name or dbt.owner_email):
        raise click.UsageError(
            "dbt wants an owner for each exposure. Declare dbt: {owner: {email: team@example.com}}, or name"
            " one with --owner-email or --owner-name."
        )
    return Owner(dbt.owner_name, dbt.owner_email)
