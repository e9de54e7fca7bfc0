"""How close a sync comes to its share of the rate limit, and how many of its calls are refused.

As many users enter as leave, all of them known, and Intercom responds after 80 ms. The floor is the time
that the calls take at exactly the allowed share, 0.8 of the limit. Then another app spends half of the limit
at random moments, and the number of refused calls counts. Both limits run side by side: at 167 calls in 10
seconds, a sync mostly waits.
"""

import multiprocessing
import random
import time
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Event

import requests
from rich.console import Console
from rich.table import Table

from dinmo_pipeline_tests.bench.syncing import (
    TAG_NAME,
    Intercom,
    apply,
    compare,
    declare_members,
    email,
    have_tagged,
    intercom,
    know,
    session,
)

LATENCY_MS = 80
SHARE = 0.8  # the client's default
WINDOW_SECONDS = 10
# The goals: time as a multiple of the floor, and the share of refused calls next to another app.
AIM_RATIO, AIM_REFUSED = 1.05, 0.005
_SPAWNING = multiprocessing.get_context("spawn")


@dataclass(frozen=True, slots=True)
class Case:
    """`changes` users enter and as many leave; another app spends the share `others` of the limit."""

    limit: int
    changes: int
    others: float = 0.0

    def floor(self, calls: int) -> float:
        """The seconds that so many calls take at the allowed share."""
        return calls / (self.limit * SHARE) * WINDOW_SECONDS


@dataclass(frozen=True, slots=True)
class Paced:
    """The result of a case; `others` are the calls of the other app."""

    case: Case
    calls: int
    seconds: float
    refused: int
    others: int = 0
    others_refused: int = 0


CASES = (
    (Case(1667, 5_000), Case(167, 400)),
    (Case(1667, 2_500, others=0.5), Case(167, 300, others=0.5)),
)


def bench(console: Console, folder: Path) -> None:
    """Run all cases, and print their results."""
    table = Table(title=f"Pacing at {SHARE:.0%} of the limit, {LATENCY_MS} ms per call", title_justify="left")
    for column in ("Limit", "Other app", "Changes", "Calls", "Seconds"):
        table.add_column(column, justify="right")
    for column in ("Floor", "Ratio", "429s", "Its 429s"):
        table.add_column(column, justify="right")
    for side_by_side in CASES:
        folders = [folder / f"{case.limit}-{case.others}" for case in side_by_side]
        with ThreadPoolExecutor() as threads:
            for paced in threads.map(run, side_by_side, folders):
                _add(table, paced)
    console.print(table)
    console.print(
        f"Aims: at most {AIM_RATIO} times the floor, without a 429; next to another app, at most"
        f" {AIM_REFUSED:.1%} of the calls refused."
    )


def run(case: Case, folder: Path) -> Paced:
    """Run one case, with its own emulator."""
    folder.mkdir()
    with intercom(rate_limit=case.limit, latency_ms=LATENCY_MS) as workspace:
        entering = [email(number) for number in range(case.changes)]
        leaving = [email(case.changes + number) for number in range(case.changes)]
        known = list(zip(workspace.seed(entering), entering, strict=True))
        tagged = list(zip(workspace.seed(leaving, tags=[TAG_NAME]), leaving, strict=True))
        with session(folder, workspace.base_url) as prepared:
            know(prepared, known + tagged)
            have_tagged(prepared, tagged)
            declare_members(prepared, entering)
            compare(prepared)
        workspace.stats()
        with ProcessPoolExecutor(max_workers=1, mp_context=_SPAWNING) as pool:
            calls, seconds, others, others_refused = _beside_another(
                case, workspace, lambda: pool.submit(_apply, folder, workspace.base_url)
            )
        refused = workspace.stats()["rate"]["refused"]
    return Paced(case, calls, seconds, refused - others_refused, others, others_refused)


def _beside_another(
    case: Case, workspace: Intercom, start: Callable[[], Future[tuple[int, float]]]
) -> tuple[int, float, int, int]:
    """The sync's calls and seconds, then the other app's calls and how many were refused."""
    if not case.others:
        return (*start().result(), 0, 0)
    with (
        _SPAWNING.Manager() as manager,
        ProcessPoolExecutor(max_workers=1, mp_context=_SPAWNING) as pool,
    ):
        begun, stop = manager.Event(), manager.Event()
        per_second = case.others * case.limit / WINDOW_SECONDS
        other = pool.submit(_call_at_random, workspace.base_url, per_second, begun, stop)
        begun.wait()
        try:
            calls, seconds = start().result()
        finally:
            stop.set()
        return (calls, seconds, *other.result())


def _apply(folder: Path, base_url: str) -> tuple[int, float]:
    with session(folder, base_url) as applying:
        numbers = apply(applying, folder)
    return numbers.api_calls, numbers.seconds


def _call_at_random(base_url: str, per_second: float, begun: Event, stop: Event) -> tuple[int, int]:
    """Act as another app, which calls at random moments and ignores 429; its calls, and the refused ones."""
    dice = random.Random(7)  # noqa: S311
    calls: list[Future[requests.Response]] = []
    with requests.Session() as calling, ThreadPoolExecutor(max_workers=32) as threads:
        calling.headers.update({"Authorization": "Bearer another", "Accept": "application/json"})
        calling.mount("http://", requests.adapters.HTTPAdapter(pool_maxsize=32))
        due = time.monotonic()
        begun.set()
        while not stop.wait(max(due - time.monotonic(), 0)):
            calls.append(threads.submit(calling.get, f"{base_url}/me", timeout=30))
            due += dice.expovariate(per_second)
    statuses = [call.result().status_code for call in calls]
    return len(statuses), statuses.count(429)


def _add(table: Table, paced: Paced) -> None:
    case, floor = paced.case, paced.case.floor(paced.calls)
    table.add_row(
        f"{case.limit:,}",
        f"{case.others:.0%}" if case.others else "none",
        f"{2 * case.changes:,}",
        f"{paced.calls:,}",
        f"{paced.seconds:.1f}",
        "" if case.others else f"{floor:.1f}",
        "" if case.others else f"{paced.seconds / floor:.3f}",
        f"{paced.refused / paced.calls:.2%}",
        f"{paced.others_refused / paced.others:.0%}" if case.others else "",
    )
