"""`dinmo emulator`: run a local Intercom."""

from importlib.util import find_spec

import click


def require_emulator() -> None:
    """Check that the optional extra of the emulator is installed.

    Raises:
        click.ClickException: it is not; the message says how to install it.
    """
    missing = [name for name in ("starlette", "uvicorn", "httptools") if find_spec(name) is None]
    if missing:
        raise click.ClickException(
            f"The emulator needs {', '.join(missing)}. Run pip install 'dinmo-pipeline[emulator]'."
        )


@click.command()
@click.option("--port", default=8055, show_default=True, help="Port to listen on.")
@click.option("--token", help="The only bearer token to accept; by default any.")
@click.option("--workspace-id", default="emul8tor", show_default=True, help="Workspace id.")
@click.option("--seed", default=0, show_default=True, help="Seed of contact and tag ids.")
@click.option("--rate-limit", default=1667, show_default=True, help="Calls per 10 seconds.")
@click.option("--latency-ms", default=0.0, show_default=True, help="Delay of each response.")
@click.option("--index-lag-s", default=0.0, show_default=True, help="Delay of search after a write.")
@click.option("--in-cap", default=0, show_default=True, help="Max values in an IN; 0: no limit.")
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
    """Run a local Intercom until interrupted. Open its address in a browser to see the contacts."""
    require_emulator()
    from dinmo_pipeline.emulator import (  # noqa: PLC0415  # an optional extra
        EmulatorSettings,
        serve,
    )

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
            f"Cannot listen on port {port}: {error.strerror}. Choose another one with --port."
        ) from error
