"""`python -m dinmo_pipeline_tests.bench`: run all benchmarks, or those that are named."""

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from dinmo_pipeline_tests.bench import (
    alternatives,
    api_calls,
    apply_memory,
    membership,
    pacing,
    peer,
    segments,
    source,
    transactions,
)
from dinmo_pipeline_tests.bench.scale import declared, hour, retention, ticks

# Each benchmark is called with a console, its own folder, and the options.
BENCHES: dict[str, Callable[[Console, Path, argparse.Namespace], None]] = {
    "membership": lambda console, folder, chosen: membership.bench(
        console, folder, chosen.members, chosen.memory_limit
    ),
    "alternatives": lambda console, folder, chosen: alternatives.bench(console, folder, chosen.members),
    "source": lambda console, folder, chosen: source.bench(console, folder, chosen.members),
    "segments": lambda console, folder, _: segments.bench(console, folder),
    "api_calls": lambda console, folder, _: api_calls.bench(console, folder),
    "pacing": lambda console, folder, _: pacing.bench(console, folder),
    "declared": lambda console, folder, _: declared.bench(console, folder),
    "ticks": lambda console, folder, _: ticks.bench(console, folder),
    "hour": lambda console, folder, chosen: hour.bench(console, folder, chosen.activations),
    "retention": lambda console, folder, _: retention.bench(console, folder),
    "transactions": lambda console, folder, _: transactions.bench(console, folder),
    "peer": lambda console, folder, chosen: peer.bench(console, folder, chosen.peer_latency_ms),
    "apply_memory": lambda console, folder, chosen: apply_memory.bench(
        console, folder, [*apply_memory.ENTERING, *chosen.also_enter]
    ),
}

# They run only when they are named: this one waits for the clock.
_LONG = ("hour",)


def main() -> None:
    """Run benchmarks, each in a temporary folder that is deleted afterwards."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument(
        "names", nargs="*", help=f"of {', '.join(BENCHES)}; default: all but {', '.join(_LONG)}"
    )
    parser.add_argument("--members", type=int, default=10_000_000, help="of the large segment")
    parser.add_argument("--activations", type=int, default=500, help="that are due in the hour")
    parser.add_argument("--memory-limit", default="1GB", help="of DuckDB, in the limited runs")
    parser.add_argument("--peer-latency-ms", type=float, default=20, help="of each call, for peer")
    parser.add_argument(
        "--also-enter", type=int, action="append", default=[], help="another size for apply_memory"
    )
    chosen = parser.parse_args()
    unknown = set(chosen.names) - set(BENCHES)
    if unknown:
        parser.error(f"{', '.join(sorted(unknown))} is not a benchmark. Choose from {', '.join(BENCHES)}.")
    for name in chosen.names or [name for name in BENCHES if name not in _LONG]:
        with tempfile.TemporaryDirectory(prefix="dinmo-bench-") as folder:
            BENCHES[name](Console(), Path(folder), chosen)


if __name__ == "__main__":
    main()
