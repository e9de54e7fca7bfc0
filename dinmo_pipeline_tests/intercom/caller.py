"""A process that spends a shared budget: `python -m … FILE BASE_URL CALLS`, or `… FILE hold`."""

import os
import sys
from pathlib import Path

from dinmo_pipeline.intercom.client import IntercomClient
from dinmo_pipeline.intercom.pacing.shared_budget import BudgetFile
from dinmo_pipeline.sync.parallel import in_parallel


def main() -> None:
    folder, target, *calls = sys.argv[1:]
    if target == "die":
        # The most inconvenient moment: while the file is locked.
        BudgetFile(Path(folder) / "one.budget").change(lambda _budget: os._exit(9))
    with IntercomClient("t", target, rate_limit_share=1.0, budget_folder=Path(folder)) as client:
        done = in_parallel(lambda _: client.tags.get("1"), range(int(calls[0])), workers=16)
        sys.stdout.write(f"{sum(1 for _ in done)} {client.calls}\n")


if __name__ == "__main__":
    main()
