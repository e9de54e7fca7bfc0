"""`dinmo emulator`: a local Intercom."""

from importlib.util import find_spec

import click


def require_emulator() -> None:
    """Raise a clear error when the emulator's extra is not installed."""
    missing = [name for name in ("starlette", "uvicorn", "httptools") if find_spec(name) is None]
    if missing:
        raise click.ClickException(
            f"The emulator needs {', '.join(missing)}: pip install 'dinmo-pipeline[emulator]'"
        )


@click.command()
@click.option("--port", default=8055, show_default=True, help="Port on 127.0.0.1.")
@click.option("--token", help="Accept only this bearer token; any by default.")
@click.option("--workspace-id", default="emul8tor", show_default=True, help="Id of the workspace.")
@click.option("--seed", default=0, show_default=True, help="Contact and tag ids follow from it.")
@click.option("--rate-limit", default=1667, show_default=True, help="Calls per 10 seconds.")
@click.option("--latency-ms", default=0.0, show_default=True, help="Added to each answer.")
@click.option("--index-lag-s", default=0.0, show_default=True, help="Until search shows a write.")
@click.option("--in-cap", default=0, show_default=True, help="Most values in an IN; 0: no cap.")
def emulator(
    *,
    port: int,
    token: str | None,
    workspace_id: str,
    seed: int,
    rate_limit: int,
    latency_ms: float,
    index_lag_s: float,
    in_cap: int,
) -> None:
    """Run a local Intercom until interrupted; open its address in a browser to see the contacts."""
    require_emulator()
    from dinmo_pipeline.emulator import EmulatorSettings, serve  # noqa: PLC0415  # an extra

    settings = EmulatorSettings(
        rate_limit=rate_limit,
        latency_ms=latency_ms,
        index_lag_s=index_lag_s,
        in_cap=in_cap,
        token=token,
        workspace_id=workspace_id,
        seed=seed,
    )
    try:
        serve(settings, port=port)
    except OSError as error:
        raise click.ClickException(
            f"Port {port} cannot be used ({error.strerror}); choose another with --port."
        ) from error
